//! Starting shards and talking with them: threads by channels, processes by lines of JSON, here
//! or on other hosts.
//!
//! ```text
//! thread   mpsc + waker          process   stdin > {"connect":{..}}   stdout < {"progress":{..}}
//! ```

use std::io::{self, BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use mio::Waker;

use super::crowd::Crowd;
use super::hosts::Remote;
use super::shard::{Command, Event, Part, write_line};

/// All shards of a run.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Vec<Shard>,
    events: Receiver<(usize, Event)>,
}

#[derive(Debug)]
enum Shard {
    Thread { commands: Sender<Command>, waker: Waker, handle: Option<JoinHandle<()>> },
    Process { child: Child, input: Option<ChildStdin>, reader: Option<JoinHandle<()>> },
    Remote { remote: Remote, reader: Option<JoinHandle<()>> },
}

impl Shards {
    /// Starts one shard for each part.
    pub(crate) fn start(parts: Vec<Part>, token: Option<&str>) -> io::Result<Self> {
        let (sender, events) = channel();
        let mut shards = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let sender = sender.clone();
            let host = part.plan.host_of(index).map(str::to_owned);
            shards.push(if let Some(host) = host {
                start_remote(index, &host, token, &part, sender)?
            } else if part.plan.processes {
                start_process(index, &part, sender)?
            } else {
                start_thread(index, part, sender)?
            });
        }
        Ok(Self { shards, events })
    }

    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }

    pub(crate) fn events(&self) -> &Receiver<(usize, Event)> {
        &self.events
    }

    /// Answers which shards could not be told, and why.
    pub(crate) fn send(&mut self, command: &Command) -> Vec<(usize, io::Error)> {
        let told = self.shards.iter_mut().map(|shard| shard.send(command)).enumerate();
        told.filter_map(|(index, told)| Some((index, told.err()?))).collect()
    }

    /// Waits for the end of all that was started.
    pub(crate) fn join(mut self) {
        for shard in &mut self.shards {
            match shard {
                Shard::Thread { handle, .. } => {
                    let _ = handle.take().map(JoinHandle::join);
                }
                Shard::Process { child, input, reader } => {
                    drop(input.take());
                    let _ = child.wait();
                    let _ = reader.take().map(JoinHandle::join);
                }
                Shard::Remote { remote, reader } => {
                    remote.end();
                    let _ = reader.take().map(JoinHandle::join);
                }
            }
        }
    }
}

impl Drop for Shards {
    /// A worker whose conductor gave up ends with its input; one that doesn't is ended.
    fn drop(&mut self) {
        for shard in &mut self.shards {
            if let Shard::Process { child, input, .. } = shard {
                drop(input.take());
                if matches!(child.try_wait(), Ok(None)) {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        }
    }
}

impl Shard {
    fn send(&mut self, command: &Command) -> io::Result<()> {
        match self {
            Self::Thread { commands, waker, .. } => {
                commands.send(command.clone()).map_err(|_| io::Error::other("a thread ended"))?;
                waker.wake()
            }
            Self::Process { input, .. } => {
                let input = input.as_mut().ok_or_else(|| io::Error::other("a worker ended"))?;
                write_line(input, command)
            }
            Self::Remote { remote, .. } => remote.send(command),
        }
    }
}

fn start_thread(index: usize, part: Part, sender: Sender<(usize, Event)>) -> io::Result<Shard> {
    let (commands, inbox) = channel();
    let failures = sender.clone();
    let tell = Box::new(move |event| drop(sender.send((index, event))));
    let crowd = Crowd::new(part, inbox, tell)?;
    let waker = crowd.waker()?;
    let run = move || {
        let failure = match catch_unwind(AssertUnwindSafe(|| crowd.run())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            // The conductor would wait for a thread that is no more.
            Err(_) => "a thread of the generator panicked".to_owned(),
        };
        let _ = failures.send((index, Event::Failed(failure)));
    };
    let handle = std::thread::Builder::new().name(format!("crowd-{index}")).spawn(run)?;
    Ok(Shard::Thread { commands, waker, handle: Some(handle) })
}

fn start_process(index: usize, part: &Part, sender: Sender<(usize, Event)>) -> io::Result<Shard> {
    let mut child = std::process::Command::new(std::env::current_exe()?)
        .args(["bench", "worker"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take();
    if let Some(input) = &mut input {
        write_line(input, part)?;
    }
    let output = child.stdout.take().ok_or_else(|| io::Error::other("a worker has no output"))?;
    let reader = start_reader(index, BufReader::new(output), sender)?;
    Ok(Shard::Process { child, input, reader: Some(reader) })
}

fn start_remote(
    index: usize,
    host: &str,
    token: Option<&str>,
    part: &Part,
    sender: Sender<(usize, Event)>,
) -> io::Result<Shard> {
    let (remote, lines) = Remote::start(host, token, part)?;
    let reader = start_reader(index, lines, sender)?;
    Ok(Shard::Remote { remote, reader: Some(reader) })
}

/// Passes on what a worker says, until it ends.
fn start_reader(
    index: usize,
    lines: impl BufRead + Send + 'static,
    sender: Sender<(usize, Event)>,
) -> io::Result<JoinHandle<()>> {
    let read = move || {
        let failed = |why: String| (index, Event::Failed(why));
        for line in lines.lines() {
            let event = match line {
                Ok(line) => serde_json::from_str(&line).unwrap_or_else(|error| {
                    Event::Failed(format!("a worker said what is no event: {error}"))
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let _ = sender.send(failed("a worker said nothing any more".to_owned()));
                    return;
                }
                Err(_) => break,
            };
            if sender.send((index, event)).is_err() {
                return;
            }
        }
        let _ = sender.send(failed("a worker ended too early".to_owned()));
    };
    std::thread::Builder::new().name(format!("worker-{index}")).spawn(read)
}

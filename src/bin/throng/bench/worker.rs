//! A worker: one shard in a process of its own, so that a run may have more connections than one
//! process may have descriptors. Commands come in as lines, events go out as lines.
//!
//! ```text
//! < {"plan":{..},"run":1,"shard":0,..}   < {"connect":{..}}   > {"progress":{..}}
//! ```

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::mpsc::channel;

use signal_hook::consts::SIGINT;

use super::crowd::Crowd;
use super::shard::{Command, Event, Part, write_line};
use crate::open_files;

/// Serves as a worker until the run or the conductor ends.
pub(crate) fn run() -> io::Result<()> {
    open_files::raise();
    // A terminal interrupts all its processes; when the run ends is for the conductor to say.
    signal_hook::flag::register(SIGINT, Arc::default())?;
    let mut first = String::new();
    io::stdin().lock().read_line(&mut first)?;
    let part: Part = serde_json::from_str(&first)?;
    let (sender, commands) = channel();
    let result = Crowd::new(part, commands, Box::new(|event| tell(&event)));
    let run = result.and_then(|crowd| {
        let waker = crowd.waker()?;
        // The thread ends with the process: it waits for input that may never come.
        std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
            for line in io::stdin().lock().lines().map_while(Result::ok) {
                let Ok(command) = serde_json::from_str::<Command>(&line) else { return };
                if sender.send(command).is_err() || waker.wake().is_err() {
                    return;
                }
            }
            drop(sender);
            let _ = waker.wake();
        })?;
        crowd.run()
    });
    if let Err(error) = run {
        tell(&Event::Failed(error.to_string()));
    }
    Ok(())
}

/// A conductor that is gone is noticed by the end of the input.
fn tell(event: &Event) {
    let _ = write_line(&mut io::stdout().lock(), event);
}

//! A worker: a shard in another process, so that a run may have more connections than one process
//! may have descriptors, or one host has power for. Commands come in as lines, events go out as
//! lines: over the standard streams of a child, or over TCP to a conductor on another host.
//!
//! ```text
//! < {"plan":{..},"run":1,"shard":0,..}   < {"connect":{..}}   > {"progress":{..}}
//! ```

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::channel;

use signal_hook::consts::SIGINT;

use super::clock::{monotonic_ns, wall_offset_ns};
use super::crowd::Crowd;
use super::hosts::{Answer, Greeting, prepare, program, read_message};
use super::options::Worker;
use super::shard::{Command, Event, Part, write_line};
use crate::open_files;

/// Serves as a worker until the run or the conductor ends; one that listens, until it is ended.
pub(crate) fn run(options: &Worker) -> io::Result<()> {
    open_files::raise();
    match &options.listen {
        Some(listen) => serve(&addresses(listen)?, options.token.as_deref()),
        None => run_child(),
    }
}

fn run_child() -> io::Result<()> {
    // A terminal interrupts all its processes; when the run ends is for the conductor to say.
    signal_hook::flag::register(SIGINT, Arc::default())?;
    let mut first = String::new();
    io::stdin().lock().read_line(&mut first)?;
    let part: Part = serde_json::from_str(&first)?;
    // A conductor that is gone is noticed by the end of the input.
    let tell = |event: &Event| drop(write_line(&mut io::stdout().lock(), event));
    take_part(part, BufReader::new(io::stdin()), tell);
    Ok(())
}

/// Lives through a run whose commands come in as lines.
fn take_part(
    part: Part,
    lines: impl BufRead + Send + 'static,
    mut tell: impl FnMut(&Event) + Clone + Send + 'static,
) {
    let (sender, commands) = channel();
    let mut tell_crowd = tell.clone();
    let result = Crowd::new(part, commands, Box::new(move |event| tell_crowd(&event)));
    let run = result.and_then(|crowd| {
        let waker = crowd.waker()?;
        // The thread ends with the input, or with the process.
        std::thread::Builder::new().name("commands".to_owned()).spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let Ok(command) = serde_json::from_str::<Command>(&line) else { break };
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
}

/// Where to listen: a port alone is one of this host's own.
fn addresses(listen: &str) -> io::Result<Vec<SocketAddr>> {
    match listen.parse::<u16>() {
        Ok(port) => Ok(vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)]),
        Err(_) => Ok(listen.to_socket_addrs()?.collect()),
    }
}

/// Takes part in whatever run a conductor asks for; each connection is one part of one run.
fn serve(addresses: &[SocketAddr], token: Option<&str>) -> io::Result<()> {
    if token.is_none() && addresses.iter().any(|address| !address.ip().is_loopback()) {
        return Err(io::Error::other(
            "whoever reaches the port of a worker can make this host put load on any other: set a \
             --token that only the conductor knows, or listen on loopback",
        ));
    }
    let listener = TcpListener::bind(addresses)?;
    let address = listener.local_addr()?;
    let who = if token.is_some() { "and knows the token " } else { "" };
    // A closed standard output is no reason to fail.
    let _ = writeln!(
        io::stdout(),
        "Listening on {address}\nWhoever reaches this port {who}can make this host put load on \
         any other: keep it to a network you trust. Neither the token nor anything else is \
         encrypted."
    );
    for stream in listener.incoming() {
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                eprintln!("throng: a conductor could not be accepted: {error}");
                continue;
            }
        };
        let token = token.map(str::to_owned);
        let attend = move || {
            if let Err(error) = attend(&stream, token.as_deref()) {
                eprintln!("throng: a conductor was left: {error}");
            }
        };
        std::thread::Builder::new().name("crowd".to_owned()).spawn(attend)?;
    }
    Ok(())
}

/// From the greeting to the end of the run.
fn attend(stream: &TcpStream, token: Option<&str>) -> io::Result<()> {
    prepare(stream)?;
    stream.set_read_timeout(Some(GREETING_TIME_MAX))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut output = stream.try_clone()?;
    if let Err(why) = judge(&read_message(&mut lines)?, token) {
        write_line(&mut output, &Answer::Refused(why.clone()))?;
        return Err(io::Error::other(why));
    }
    write_line(&mut output, &Answer::Welcome { wall_offset_ns: wall_offset_ns() })?;
    let part = loop {
        match read_message(&mut lines)? {
            Greeting::Tick => write_line(&mut output, &Answer::Tock(monotonic_ns()))?,
            Greeting::Part(part) => break *part,
            Greeting::Hello { .. } => return Err(io::Error::other("it greeted twice")),
        }
    };
    // Commands are rare; a conductor that is gone is found by the connection's own probes.
    stream.set_read_timeout(None)?;
    let output = Arc::new(output);
    take_part(part, lines, move |event| drop(write_line(&mut &*output, event)));
    Ok(())
}

/// Whether a conductor may use this worker; if not, why.
fn judge(greeting: &Greeting, token: Option<&str>) -> Result<(), String> {
    let Greeting::Hello { program: theirs, token: given } = greeting else {
        return Err("it didn't greet".to_owned());
    };
    if token.is_some_and(|token| !is_same(token, given.as_deref().unwrap_or_default())) {
        return Err("it asks for another --token".to_owned());
    }
    let ours = program();
    if *theirs != ours {
        return Err(format!("it is {ours}, and the conductor {theirs}: use one version"));
    }
    Ok(())
}

/// Takes as long whatever is given, so that a token can't be found letter by letter.
fn is_same(token: &str, given: &str) -> bool {
    let (token, given) = (token.as_bytes(), given.as_bytes());
    let differences = token.iter().zip(given.iter().chain(std::iter::repeat(&0)));
    let sum = differences.fold(0, |sum, (one, other)| sum | (one ^ other));
    sum == 0 && token.len() == given.len()
}

const GREETING_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(token: Option<&str>) -> Greeting {
        Greeting::Hello { program: program(), token: token.map(str::to_owned) }
    }

    #[test]
    fn a_port_alone_is_on_loopback() {
        assert_eq!(addresses("7000").unwrap(), ["127.0.0.1:7000".parse().unwrap()]);
        assert_eq!(addresses("[::1]:0").unwrap(), ["[::1]:0".parse().unwrap()]);
        assert!(addresses("nonsense").is_err());
    }

    #[test]
    fn who_listens_to_others_needs_a_token() {
        let error = serve(&["0.0.0.0:0".parse().unwrap()], None).expect_err("it is refused");
        assert!(error.to_string().contains("--token"), "{error}");
    }

    #[test]
    fn only_who_knows_the_token_and_is_of_one_version_is_welcome() {
        assert_eq!(judge(&hello(None), None), Ok(()));
        assert_eq!(judge(&hello(Some("spare")), None), Ok(()));
        assert_eq!(judge(&hello(Some("secret")), Some("secret")), Ok(()));
        for given in [None, Some(""), Some("secre"), Some("secret2"), Some("Secret")] {
            assert!(judge(&hello(given), Some("secret")).is_err(), "{given:?}");
        }
        let other = Greeting::Hello { program: "throng 0.0.1".to_owned(), token: None };
        assert!(judge(&other, None).unwrap_err().contains("one version"));
        assert!(judge(&Greeting::Tick, None).is_err());
    }
}

//! An example as a process: run as its head says, on a port of its own, and read line by line.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use super::{SOON, WebSocket, Wire, upgrade_head};

/// An example that runs; it is ended with the test, if it doesn't end before.
pub(crate) struct Example {
    process: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
}

impl Example {
    /// Runs one for so many seconds at most, on a port of its own.
    pub(crate) fn run(name: &str, seconds: u32) -> Self {
        Self::run_with(name, seconds, &[])
    }

    /// The same, with further arguments.
    pub(crate) fn run_with(name: &str, seconds: u32, arguments: &[&str]) -> Self {
        let path = examples().join(name);
        let mut process = Command::new(&path)
            .args(["127.0.0.1:0", &seconds.to_string()])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", path.display()));
        let output = BufReader::new(process.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            let told = output.lines().map_while(Result::ok);
            told.take_while(|line| tell.send(line.clone()).is_ok()).for_each(drop);
        });
        let mut example = Self { process, lines, address: ([0; 4], 0).into() };
        let line = example.line();
        let address = line.strip_prefix("listening on http://").expect("where it listens");
        example.address = address.parse().unwrap();
        example
    }

    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(SOON).expect("it prints something")
    }

    /// The next line with this in it.
    pub(crate) fn line_with(&self, part: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(part) {
                return line;
            }
        }
    }

    /// A client on a WebSocket that has joined `/`, and its id.
    pub(crate) fn join(&self) -> (WebSocket, String) {
        let mut socket = self.open();
        let id = socket.join("/");
        (socket, id)
    }

    /// A client on a WebSocket that has joined nothing.
    pub(crate) fn open(&self) -> WebSocket {
        let mut wire = Wire::connect_to(self.address);
        wire.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", ""));
        let mut socket = WebSocket::upgraded(wire);
        assert!(socket.text().starts_with("0{\"sid\":\""));
        socket
    }

    /// How many threads it has.
    pub(crate) fn threads(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap().count()
    }

    /// The signals that it handles, as the bits of a hexadecimal number.
    pub(crate) fn signals(&self) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let caught = status
            .unwrap()
            .lines()
            .find_map(|line| Some(line.strip_prefix("SigCgt:")?.trim().to_owned()));
        caught.expect("the kernel tells")
    }

    /// It ends by itself, in good order.
    pub(crate) fn end(mut self) {
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where cargo puts examples: beside the directory of this test.
pub(crate) fn examples() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

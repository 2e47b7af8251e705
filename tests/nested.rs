//! Each loop that the server can be nested in, as its example has it: a client that stays is
//! answered, is told of the host's own events, and kept alive; then the loop ends by itself.

mod common;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{WebSocket, Wire, upgrade_head};

#[test]
fn nested_epoll_level_triggered() {
    check("nested_epoll", &["level"]);
}

#[test]
fn nested_epoll_edge_triggered() {
    check("nested_epoll", &["edge"]);
}

#[test]
fn nested_mio() {
    check("nested_mio", &[]);
}

#[test]
fn nested_calloop() {
    check("nested_calloop", &[]);
}

#[test]
fn nested_tokio() {
    check("nested_tokio", &[]);
}

#[test]
fn prepare_check() {
    check("prepare_check", &[]);
}

#[test]
fn spin() {
    let mut example = Example::run("spin", &[]);
    let address = example.told("listening on http://");
    let mut client = join(address);
    let price = client.text();
    assert!(price.starts_with("42[\"price\","), "{price}");
    client.send("420[\"add\",20,22]");
    while client.text() != "430[42]" {}
    example.end();
}

fn check(name: &str, arguments: &[&str]) {
    let mut example = Example::run(name, arguments);
    let address = example.told("listening on http://");
    let news = example.told("news by UDP to ");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut first = join(address);
    let mut second = join(address);
    for round in 0..3 {
        first.send(&format!("42{round}[\"add\",{round},40]"));
        assert_eq!(first.text(), format!("43{round}[{}]", round + 40));
        let text = format!("news of {name}, {round}");
        sender.send_to(text.as_bytes(), news).unwrap();
        for client in [&mut first, &mut second] {
            assert_eq!(client.text(), format!("42[\"news\",\"{text}\"]"));
        }
    }
    example.expect_one_thread();
    example.end();
}

fn join(address: SocketAddr) -> WebSocket {
    let mut wire = Wire::connect_to(address);
    wire.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", ""));
    let mut client = WebSocket::upgraded(wire);
    assert!(client.text().starts_with("0{"));
    client.join("/");
    client
}

/// An example that runs for a moment.
struct Example {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Example {
    fn run(name: &str, arguments: &[&str]) -> Self {
        let path = directory().join(name);
        let process = Command::new(&path)
            .args(["127.0.0.1:0", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; cargo build --examples", path.display()));
        let mut process = process;
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    /// The address behind this, on the next line.
    fn told(&mut self, prefix: &str) -> SocketAddr {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix(prefix);
        address.and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line:?}"))
    }

    /// The server has started none.
    fn expect_one_thread(&self) {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        assert_eq!(threads.count(), 1);
    }

    /// It ends by itself, and in good order.
    fn end(mut self) {
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
fn directory() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples")
}

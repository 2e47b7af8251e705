//! Workers that listen for a conductor, as on other hosts: what they do together is one run, and
//! one that ends takes the run's validity with it.
//!
//! ```text
//! throng bench worker --listen 127.0.0.1:0        throng bench ack URL --hosts 127.0.0.1:41235,..
//! ```

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::run::{Bench, assert_between};
use crate::server::{Script, ScriptedServer};

/// A worker that listens, until it is dropped.
struct ListeningWorker {
    child: Child,
    address: String,
}

impl ListeningWorker {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["bench", "worker", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Listening on ").unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for ListeningWorker {
    fn drop(&mut self) {
        // One that ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn two() -> (ListeningWorker, ListeningWorker, String) {
    let (one, other) = (ListeningWorker::start(&[]), ListeningWorker::start(&[]));
    let hosts = format!("{},{}", one.address, other.address);
    (one, other, hosts)
}

#[test]
fn round_trips_of_two_hosts_are_one_run() {
    let (_one, _other, hosts) = two();
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("ack", &server.url())
        .args("--clients 6 --rate 100 --duration 1s --warmup 0s --hosts")
        .args(&hosts)
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(record.joined, 6);
    assert_eq!(outcome.number("/traffic/sent"), 100);
    assert_eq!(outcome.number("/traffic/expected"), record.due());
    assert_between(&outcome.samples("round-trip"), &record.latency_bounds());
    assert_eq!(outcome.report["plan"]["hosts"].as_array().unwrap().len(), 2);
    let threads = outcome.report["generator"]["threads"].as_array().unwrap();
    assert!(threads[1]["name"].as_str().unwrap().contains("127.0.0.1:"), "{threads:?}");
}

#[test]
fn deliveries_across_hosts_are_counted_and_have_no_latency() {
    let (_one, _other, hosts) = two();
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 20 --duration 1s --warmup 0s --hosts")
        .args(&hosts)
        .run();
    let record = server.stop();
    outcome.expect_valid();
    assert_eq!(record.due(), 200);
    assert_eq!(outcome.number("/traffic/received"), 200);
    assert_eq!(outcome.samples("delivery").len(), 100, "those of the sender's own five clients");
    assert!(outcome.report["broadcasts"].as_array().unwrap().is_empty());
    assert!(outcome.warnings().contains("several hosts"), "{}", outcome.warnings());
}

#[test]
fn a_host_that_is_lost_midway_makes_the_run_invalid() {
    let (_one, mut other, hosts) = two();
    let server = ScriptedServer::start(Script::new());
    let running = Bench::new("broadcast", &server.url())
        .args("--clients 10 --rate 50 --duration 30s --warmup 0s --hosts")
        .args(&hosts)
        .start();
    server.wait_for_events(20);
    other.child.kill().unwrap();
    let outcome = running.wait();
    outcome.expect_invalid("part 1 of the generator");
    assert!(outcome.reasons().contains(&other.address), "{}", outcome.reasons());
    assert!(outcome.number("/traffic/received") >= 19 * 5, "what the other had is told");
    drop(server);
}

#[test]
fn a_worker_works_for_who_knows_its_token_and_for_nobody_else() {
    let worker = ListeningWorker::start(&["--token", "secret"]);
    let run = |token: &str| {
        Command::new(env!("CARGO_BIN_EXE_throng"))
            .args(["bench", "idle", "http://127.0.0.1:9", "--clients", "1", "--json", "-"])
            .args(["--hosts", &worker.address, "--token", token])
            .output()
            .unwrap()
    };
    let refused = run("guess");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("another --token"));
    let server = ScriptedServer::start(Script::new());
    let outcome = Bench::new("ack", &server.url())
        .args("--clients 2 --rate 50 --duration 1s --warmup 0s --token secret --hosts")
        .args(&worker.address)
        .run();
    outcome.expect_valid();
    assert!(!outcome.report.to_string().contains("secret"), "a result is for everybody");
}

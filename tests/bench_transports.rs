//! The program's generator against the program's server, over each transport, and against a bare
//! WebSocket of the library's: everything that is sent arrives, once.
//!
//! Figures of speed are no matter here, and neither is a verdict on a busy machine: counts are.
//!
//! ```text
//! throng serve --port 0        throng bench ack http://127.0.0.1:.. --transport upgrade --json -
//! ```

#[path = "../examples/scenarios/ws_echo.rs"]
mod ws_echo;

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;

use serde_json::Value;

#[test]
fn broadcasts_reach_everybody_over_each_transport() {
    in_each_form(|transport, binary| {
        let report = run("broadcast", transport, binary, &["--rate", "40"]);
        let sent = count(&report, "/traffic/sent");
        assert_eq!(count(&report, "/traffic/expected"), sent * CLIENTS);
        assert_complete(&report, transport);
    });
}

#[test]
fn questions_are_acknowledged_over_each_transport() {
    in_each_form(|transport, binary| {
        let report = run("ack", transport, binary, &["--rate", "200"]);
        assert_eq!(count(&report, "/traffic/expected"), count(&report, "/traffic/sent"));
        assert_complete(&report, transport);
    });
}

#[test]
fn rooms_hear_what_is_theirs_over_each_transport() {
    in_each_form(|transport, binary| {
        let options = ["--rate", "40", "--rooms", "4", "--sizes", "equal"];
        let report = run("rooms", transport, binary, &options);
        // Four rooms of five clients.
        let sent = count(&report, "/traffic/sent");
        assert_eq!(count(&report, "/traffic/expected"), sent * CLIENTS / 4);
        assert_complete(&report, transport);
    });
}

#[test]
fn a_mix_of_transports_hears_everything_too() {
    let report = run("broadcast", "websocket=2,polling=1,upgrade=1", false, &["--rate", "40"]);
    assert_complete(&report, "all of them");
    let sent = count(&report, "/traffic/sent");
    for (place, clients) in [10, 5, 5].into_iter().enumerate() {
        let of = |what: &str| count(&report, &format!("/transports/{place}/{what}"));
        assert_eq!(of("clients"), clients);
        // Those of the warm-up are counted and have no latency.
        assert!((1..=sent * clients).contains(&of("latencies/0/count")), "{place}");
    }
}

#[test]
fn those_who_go_come_back_over_each_transport() {
    side_by_side(TRANSPORTS, |transport| {
        let options = ["--rate", "20", "--churn-rate", "20", "--share", "0.5"];
        let report = run("churn", transport, false, &options);
        assert!(count(&report, "/connections/reconnected") > 0, "{transport}: nobody came back");
        assert_complete(&report, transport);
    });
}

#[test]
fn a_peak_is_found_over_each_transport() {
    let cases = TRANSPORTS.map(|transport| [(transport, "ack"), (transport, "broadcast")]);
    side_by_side(cases.into_iter().flatten(), |(transport, scenario)| {
        let report = run(scenario, transport, false, &["--closed", "--in-flight", "3"]);
        assert_complete(&report, transport);
    });
}

#[test]
fn connections_that_the_server_closes_between_requests_cost_nothing() {
    // Each of 20 clients posts twice a second, and in the second run just when its time is over.
    for rate in ["40", "400"] {
        let server = Server::start(&["--keep-alive-timeout", "50ms"]);
        let report = server.run("ack", "polling", false, &["--rate", rate]);
        assert_complete(&report, "polling");
    }
}

#[test]
fn a_server_that_offers_no_upgrade_makes_the_run_invalid() {
    let server = Server::start(&["--transports", "polling"]);
    let report = server.run("ack", "upgrade", false, &["--rate", "100"]);
    assert_eq!(count(&report, "/connections/not_upgraded"), CLIENTS);
    assert_eq!(report.pointer("/verdict/valid"), Some(&Value::Bool(false)));
    assert_eq!(count(&report, "/traffic/missing"), 0);
}

#[test]
fn a_bare_websocket_echoes_what_it_is_asked() {
    for options in [["--rate", "200"], ["--closed", "--in-flight=3"]] {
        let (scenario, protocol) = ("echo", ["--protocol", "websocket"]);
        let report = with_echo(|url| run_at(url, scenario, &[&protocol[..], &options].concat()));
        assert_eq!(count(&report, "/traffic/expected"), count(&report, "/traffic/sent"));
        assert_complete(&report, "websocket");
    }
}

/// Over each transport, as text and as attachments.
fn in_each_form(check: impl Fn(&str, bool) + Sync) {
    let forms = TRANSPORTS.map(|transport| [(transport, false), (transport, true)]);
    side_by_side(forms.into_iter().flatten(), |(transport, binary)| check(transport, binary));
}

/// Tries all cases at once: most of each is waiting.
fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || check(case));
        }
    });
}

/// Has something done while a bare WebSocket echoes at a URL.
fn with_echo(work: impl FnOnce(&str) -> Value) -> Value {
    let (tell, told) = channel();
    let serving = std::thread::spawn(move || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = ws_echo::bind(address).expect("a port");
        let url = format!("ws://{}", server.local_addresses()[0]);
        tell.send((url, server.handle())).expect("somebody listens");
        server.run().expect("it serves");
    });
    let (url, handle) = told.recv().expect("it tells where it listens");
    let done = work(&url);
    handle.close().expect("it is there");
    serving.join().expect("it ends");
    done
}

/// One run against a server of its own.
fn run(scenario: &str, transport: &str, binary: bool, options: &[&str]) -> Value {
    Server::start(&[]).run(scenario, transport, binary, options)
}

fn run_at(url: &str, scenario: &str, options: &[&str]) -> Value {
    let output = Command::new(PROGRAM)
        .args(["bench", scenario, url, "--quiet", "--json", "-"])
        .args(["--warmup", "100ms", "--duration", "400ms", "--clients"])
        .arg(CLIENTS.to_string())
        .args(options)
        .output()
        .expect("the program runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("no result, {error}: {}", String::from_utf8_lossy(&output.stderr))
    })
}

fn assert_complete(report: &Value, transport: &str) {
    let expected = [
        ("/connections/wanted", CLIENTS),
        ("/connections/connected", CLIENTS),
        ("/connections/failed", 0),
        ("/connections/lost", 0),
        ("/connections/not_upgraded", 0),
        ("/traffic/received", count(report, "/traffic/expected")),
        ("/traffic/missing", 0),
        ("/traffic/duplicated", 0),
        ("/traffic/reordered", 0),
        ("/traffic/corrupted", 0),
        ("/traffic/stray", 0),
        ("/traffic/unsent", 0),
    ];
    for (pointer, expected) in expected {
        let found = count(report, pointer);
        assert_eq!(found, expected, "{transport}: {pointer} in {:#}", report["verdict"]);
    }
    assert!(count(report, "/traffic/sent") > 0, "{transport}: nothing was sent");
}

fn count(report: &Value, pointer: &str) -> u64 {
    let found = report.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("no count at {pointer}"))
}

/// The program as a server; dropping it ends it.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["serve", "--host", "127.0.0.1", "--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let out = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(out).lines().map_while(Result::ok);
        let url = lines.find_map(|line| Some(line.strip_prefix("Listening on ")?.to_owned()));
        Self { process, url: url.expect("it tells where it listens") }
    }

    fn run(&self, scenario: &str, transport: &str, binary: bool, options: &[&str]) -> Value {
        let mut all = vec!["--transport", transport];
        all.extend(binary.then_some("--binary"));
        all.extend(options);
        run_at(&self.url, scenario, &all)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_throng");
const TRANSPORTS: [&str; 3] = ["websocket", "polling", "upgrade"];
const CLIENTS: u64 = 20;

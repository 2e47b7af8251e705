//! The examples as processes: each is run as its head says, talked to by a raw client, and held to
//! what it prints.
//!
//! ```text
//! $ tick 127.0.0.1:0 2
//! listening on http://127.0.0.1:41235
//! ```

mod common;

use std::collections::HashMap;
use std::process::Command;
use std::sync::mpsc::channel;

use common::{Example, SOON, WebSocket, examples};

/// The next event of this name; its arguments.
fn event<T: serde::de::DeserializeOwned>(socket: &mut WebSocket, name: &str) -> T {
    let prefix = format!("42[\"{name}\",");
    loop {
        let text = socket.text();
        if let Some(rest) = text.strip_prefix(&prefix) {
            return serde_json::from_str(&format!("[{rest}")).unwrap();
        }
    }
}

/// Who is where at a tick.
type State = (f64, Vec<(String, f64, f64)>);

#[test]
fn tick() {
    let example = Example::run("tick", 3);
    let (mut alice, id) = example.join();
    let (mut bob, _) = example.join();
    let (still, players): State = event(&mut alice, "state");
    assert!(players.iter().all(|(_, x, y)| (*x, *y) == (0.0, 0.0)), "{players:?}");
    alice.send("42[\"input\",1,-0.5]");
    let position = |(tick, players): State| {
        let found = players.into_iter().find(|(player, ..)| *player == id);
        found.map(|(_, x, y)| (tick, x, y))
    };
    let mut moving = Vec::new();
    while moving.len() < 8 {
        let (tick, x, y) = position(event(&mut bob, "state")).expect("she plays");
        assert!(tick > still - 4.0);
        if x > 0.5 {
            moving.push((tick, x, y));
        }
    }
    // Between two ticks, too, she moves evenly.
    for pair in moving.windows(2) {
        let [(before, from_x, from_y), (after, to_x, to_y)] = pair else { panic!("two") };
        let ticks = after - before;
        assert!(ticks > 1.0, "{pair:?}");
        assert!((to_x - from_x - ticks * 0.25).abs() < 1e-6, "{pair:?}");
        assert!((to_y - from_y + ticks * 0.125).abs() < 1e-6, "{pair:?}");
    }
    let jitter = example.line_with("tick jitter of 60: p50 ");
    assert!(jitter.contains(", p99 ") && jitter.contains(", max "), "{jitter}");
    example.end();
}

#[test]
fn market() {
    type Book = (String, u32, Vec<(f64, u32)>);
    let example = Example::run("market", 60);
    let (mut slow, _) = example.join();
    let (mut quick, _) = example.join();
    let (symbol, first, book): Book = event(&mut slow, "book");
    assert!("ABCD".contains(&symbol) && book.len() == 50);
    // Who keeps up is read until the other is behind, and on until it has missed many.
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let numbers = std::iter::from_fn(|| Some(event::<Book>(&mut quick, "book").1));
        numbers.take_while(|number| tell.send(*number).is_ok()).for_each(drop);
    });
    let behind = example.line_with(" is behind: ");
    let behind_of = behind.split(' ').next().unwrap().to_owned();
    let at_least = told.try_iter().last().unwrap_or(first) + 400;
    while told.recv_timeout(SOON).unwrap() < at_least {}
    // It gets what waited, then no more than the latest of each symbol, then what is new.
    let mut latest: HashMap<String, u32> = HashMap::new();
    let (mut last, mut widest) = (first, 0);
    while last < at_least + 20 {
        let (symbol, number, _): Book = event(&mut slow, "book");
        let before = latest.insert(symbol, number);
        assert!(before.is_none_or(|before| before < number), "an old book comes late");
        widest = widest.max(number.saturating_sub(last));
        last = last.max(number);
    }
    assert!(widest > 100, "it missed {widest} at a time, of {at_least}");
    let caught_up = example.line_with(&format!("{behind_of} has caught up: "));
    let mut counts = caught_up.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
    let (sent, of) = (counts.next().unwrap(), counts.next().unwrap());
    assert!(sent <= 4 && of > 100, "{caught_up}");
}

#[test]
fn workers() {
    let example = Example::run("workers", 30);
    let mut stranger = example.open();
    stranger.send("40");
    stranger.expect(&["44{\"message\":\"unknown token\"}"]);
    let mut sockets: Vec<_> = (0..3).map(|_| example.open()).collect();
    for socket in &mut sockets {
        socket.send("40{\"token\":\"secret\"}");
        assert!(socket.text().starts_with("40{\"sid\":\""));
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.send(&format!("42{number}[\"factor\",1001]"));
    }
    for (number, socket) in sockets.iter_mut().enumerate() {
        socket.expect(&[&format!("43{number}[[7,11,13]]")]);
    }
}

/// What it prints to is no terminal: it draws into memory.
#[test]
fn dashboard() {
    let example = Example::run("dashboard", 30);
    let mut sockets: Vec<_> = (0..3).map(|_| example.join().0).collect();
    example.line_with("sockets      3");
    sockets[0].send("42[\"chat\",\"hi\"]");
    for socket in &mut sockets {
        socket.expect(&["42[\"chat\",\"hi\"]"]);
    }
    example.line_with("out          3/s");
    let _fourth = example.open();
    example.line_with("sessions     4");
}

/// It needs no port, and ends by itself at once: a minute and a half of a time of its own.
#[test]
fn sans_io() {
    let run = || {
        let output = Command::new(examples().join("sans_io")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let trace = run();
    let expected = [
        " 0.000 s  ann >  42[\"say\",\"hi\"]",
        " 0.000 s  bob <  42[\"said\",\"hi\"]",
        " s  ann <  2",
        " s  ann >  3",
        " s  ann <  42[\"left\",\"ping timeout\"]",
        " s  bob <  (close)",
    ];
    for line in expected {
        assert!(trace.lines().any(|found| found.ends_with(line)), "no {line:?} in\n{trace}");
    }
    assert_eq!(trace, run(), "a run of one seed is like every other");
}

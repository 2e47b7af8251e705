//! What callgrind counts: one operation of the server, repeated as often as it is told.
//!
//! It counts nothing itself; `scripts/instructions` runs it twice for each operation and divides
//! the difference, so that what comes before the first repetition cancels out. The network of
//! byte queues is counted with the server: a few dozen instructions per call. So is the hash of a
//! table whose seed differs between runs, which makes the figures differ by about one in a hundred.
//!
//! ```text
//! instructions list                ->  echo 100 300 1
//! instructions run echo 100        ->  one hundred echoes
//! ```

mod common;

use std::process::ExitCode;

use common::net::text_frame;
use common::{Running, TEXT};

/// Something that a server does again and again.
struct Operation {
    name: &'static str,
    /// The two numbers of repetitions whose counts are compared.
    repetitions: [usize; 2],
    /// How often one repetition does what its name says.
    weight: usize,
    run: fn(usize),
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "delivery-of-a-lone-broadcast",
        repetitions: [4, 24],
        weight: CLIENTS,
        run: |repetitions| {
            let mut running = Running::with_clients(CLIENTS);
            for _ in 0..repetitions {
                running.broadcast(1);
            }
        },
    },
    // Repetitions are the broadcasts of each turn: the first is in both counts.
    Operation {
        name: "delivery-of-a-queued-broadcast",
        repetitions: [1, 4],
        weight: CLIENTS * TURNS,
        run: |repetitions| {
            let mut running = Running::with_clients(CLIENTS);
            for _ in 0..TURNS {
                running.broadcast(repetitions);
            }
        },
    },
    Operation {
        name: "echo",
        repetitions: [100, 2_100],
        weight: 1,
        run: |repetitions| exchange("42[\"echo\",", repetitions, "42[\"echo\","),
    },
    Operation {
        name: "ack-round-trip",
        repetitions: [100, 2_100],
        weight: 1,
        run: |repetitions| exchange("4217[\"ack-echo\",", repetitions, "4317["),
    },
    Operation {
        name: "ignored-message",
        repetitions: [100, 2_100],
        weight: 1,
        run: |repetitions| exchange("42[\"note\",", repetitions, ""),
    },
    Operation {
        name: "connect",
        repetitions: [100, 1_100],
        weight: 1,
        run: |repetitions| {
            let mut running = Running::new(2_048);
            for _ in 0..repetitions {
                running.join();
            }
            assert_eq!(running.server.of("/").sockets_len(), repetitions);
        },
    },
    Operation {
        name: "idle-turn",
        repetitions: [100, 10_100],
        weight: 1,
        run: |repetitions| {
            let mut running = Running::with_clients(10);
            for _ in 0..repetitions {
                running.poll();
            }
        },
    },
    Operation {
        name: "ping-and-pong",
        repetitions: [4, 14],
        weight: CLIENTS,
        run: |repetitions| {
            let mut running = Running::with_clients(CLIENTS);
            let pong = text_frame("3");
            for _ in 0..repetitions {
                running.beat(&pong);
            }
        },
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["list", ..] => {
            for Operation { name, repetitions: [few, many], weight, .. } in OPERATIONS {
                println!("{name} {few} {many} {weight}");
            }
            ExitCode::SUCCESS
        }
        ["run", name, repetitions, ..] => run(name, repetitions),
        _ => {
            println!("Counts instructions when scripts/instructions runs it.");
            ExitCode::SUCCESS
        }
    }
}

fn run(name: &str, repetitions: &str) -> ExitCode {
    let operation = OPERATIONS.iter().find(|operation| operation.name == name);
    let (Some(operation), Ok(repetitions)) = (operation, repetitions.parse()) else {
        eprintln!("There is no operation {name}, or {repetitions} is no number. Try: list");
        return ExitCode::FAILURE;
    };
    (operation.run)(repetitions);
    ExitCode::SUCCESS
}

/// A client says the same again and again, each time in a turn of its own, and hears so of it.
fn exchange(event: &str, repetitions: usize, answer: &str) {
    let mut running = Running::with_clients(10);
    let frame = text_frame(&format!("{event}\"{TEXT}\"]"));
    let expected = if answer.is_empty() { String::new() } else { format!("{answer}\"{TEXT}\"]") };
    running.check(7, &frame, &expected);
    for _ in 0..repetitions {
        running.send(7, &frame);
    }
}

const CLIENTS: usize = 1_000;
const TURNS: usize = 8;

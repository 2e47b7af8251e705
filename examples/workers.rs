//! Work that takes its time, on a pool of threads, while the loop goes on: acknowledgements and the
//! decision who gets in are given by the workers. The queue is bounded: what finds no place in it
//! is answered at once.
//!
//! ```text
//! > 40{"token":"secret"}     < 40{"sid":"..."}        a worker has looked the token up
//! > 420["factor",1001]       < 430[[7,11,13]]         a worker has factored it
//! > 421["factor",7]          < 431["busy"]            the queue was full
//! ```
//!
//! `cargo run --example workers -- 127.0.0.1:3000 60` ends after a minute.

use std::error::Error;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use throng::{Refusal, RemoteAck, RemoteNext, Server};

/// What a worker is asked, and whom it answers. Each answers once; dropped it is no answer, or a
/// refusal.
enum Work {
    Factor(u64, RemoteAck),
    Admit(Option<String>, RemoteNext),
}

const WORKERS: usize = 4;
const QUEUED_MAX: usize = 1_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let mut server = Server::builder().bind(address.as_str())?;
    if let Some(seconds) = words.next() {
        server.io().after(Duration::from_secs(seconds.parse()?), |io| io.close());
    }
    let (queue, work) = sync_channel(QUEUED_MAX);
    let workers = start_workers(work);
    declare(&server, queue);
    println!("listening on http://{}", server.local_addresses()[0]);
    server.run()?;
    // Its handlers hold the queue: without them the workers have nothing to wait for.
    drop(server);
    for worker in workers {
        worker.join().map_err(|_| "a worker panicked")?;
    }
    Ok(())
}

fn declare(server: &Server, queue: SyncSender<Work>) {
    let (handle, factoring) = (server.handle(), queue.clone());
    server.of("/").on_raw("factor", move |_, args, ack| {
        let (Ok(number), Some(ack)) = (args.parse::<u64>(), ack) else { return };
        let queued = factoring.try_send(Work::Factor(number, handle.remote_ack(ack)));
        // Of workers that are gone the acknowledgement is never sent.
        if let Err(TrySendError::Full(Work::Factor(_, ack))) = queued {
            let _ = ack.send("busy");
        }
    });
    let handle = server.handle();
    server.of("/").middleware_deferred(move |socket, next| {
        let token = socket.handshake().auth::<Token>().map(|auth| auth.token);
        if let Err(error) = queue.try_send(Work::Admit(token, handle.remote_next(next))) {
            drop(error); // and with it the decision: the client is refused
        }
    });
}

/// The payload that a client connects with.
#[derive(serde::Deserialize)]
struct Token {
    token: String,
}

fn start_workers(work: Receiver<Work>) -> Vec<JoinHandle<()>> {
    let work = Arc::new(Mutex::new(work));
    let start = |_| {
        let work = Arc::clone(&work);
        std::thread::spawn(move || {
            loop {
                // The lock is held while it waits, not while it works.
                let next = work.lock().map(|work| work.recv());
                let Ok(Ok(work)) = next else { return };
                // Where the server has gone meanwhile, nobody needs the answer.
                let _ = match work {
                    Work::Factor(number, ack) => ack.send(factors(number)),
                    Work::Admit(token, next) => match token.as_deref() {
                        Some("secret") => next.allow(), // here a database would be asked
                        _ => next.refuse(Refusal::new("unknown token")),
                    },
                };
            }
        })
    };
    (0..WORKERS).map(start).collect()
}

/// The prime factors of a number, the smallest first.
fn factors(mut number: u64) -> Vec<u64> {
    let mut found = Vec::new();
    let mut divisor = 2;
    while divisor <= number / divisor {
        while number.is_multiple_of(divisor) {
            number /= divisor;
            found.push(divisor);
        }
        divisor += 1;
    }
    found.extend((number > 1).then_some(number));
    found
}

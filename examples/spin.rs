//! A loop that never sleeps, as a trading engine's: the server is one of several things that are
//! looked at again and again. A core of its own is its price.
//!
//!     cargo run --release --example spin [ADDRESS [SECONDS]]
//!
//! Where a core is too much, `config.reactor.spin` spins for a bounded time before it sleeps.

use std::hint::spin_loop;
use std::io;
use std::time::{Duration, Instant};

use throng::Server;

/// What the engine does besides; a market here that moves by itself.
#[derive(Default)]
struct Engine {
    steps: u64,
    price: i64,
}

impl Engine {
    /// A step of work, and the price where it has changed.
    fn step(&mut self) -> Option<i64> {
        self.steps += 1;
        if !self.steps.is_multiple_of(1_000_000) {
            return None;
        }
        self.price += if self.steps.is_multiple_of(3) { -1 } else { 1 };
        Some(self.price)
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let mut server = Server::builder().bind(&*address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    println!("listening on http://{}", server.local_addresses()[0]);

    let mut engine = Engine::default();
    let (begun, mut turns, mut longest) = (Instant::now(), 0_u64, Duration::ZERO);
    while !server.is_closed() {
        if let Some(price) = engine.step() {
            server.volatile().emit("price", &price);
        }
        // A look at the network costs a system call: not at every step of the engine.
        if engine.steps.is_multiple_of(64) {
            let looked = Instant::now();
            server.poll(Some(Duration::ZERO))?;
            longest = longest.max(looked.elapsed());
            turns += 1;
        }
        spin_loop();
    }
    println!("{turns} turns in {:.1?}, the longest {longest:.1?}", begun.elapsed());
    Ok(())
}

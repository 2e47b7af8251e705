//! Market data for consumers of any speed: whoever keeps up gets every order book, who doesn't gets
//! the latest of each symbol when there is room for it, and the feed is held back while too much
//! waits for all.
//!
//!     cargo run --release --example market [ADDRESS [SECONDS]]
//!
//! ```text
//! < 42["book","A",17,[[100.5,3],..]]      the 17th of A
//! SocketRef(0v0) is behind: 66021 bytes wait
//! SocketRef(0v0) has caught up: 4 books of 3120
//! ```

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use throng::config::Config;
use throng::{Event, Server, SocketRef};

const SYMBOLS: [&str; 4] = ["A", "B", "C", "D"];
/// What makes a symbol's next book, so often.
const PERIOD: Duration = Duration::from_millis(2);
/// With more than this waiting for all, no further book is made.
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The latest number and book of each symbol.
type Books = [(u32, Vec<(f64, u32)>); SYMBOLS.len()];

#[derive(Default)]
struct Market {
    made: u32,
    held_back: u32,
    books: Books,
    /// Who is behind, and since which book.
    behind: HashMap<SocketRef, u32>,
}

impl Market {
    fn apply(&mut self, server: &Server, event: &Event) {
        match *event {
            Event::Connected(socket) => server.socket(socket).join("live"),
            Event::HighWater { socket, bytes, .. } => {
                server.socket(socket).leave("live");
                self.behind.insert(socket, self.made);
                println!("{socket:?} is behind: {bytes} bytes wait");
            }
            Event::LowWater(socket) => {
                let Some(since) = self.behind.remove(&socket) else { return };
                let books = SYMBOLS.iter().zip(&self.books);
                let mut sent = 0;
                for (symbol, (number, book)) in books.filter(|(_, (number, _))| *number > since) {
                    server.socket(socket).emit("book", (symbol, number, book));
                    sent += 1;
                }
                server.socket(socket).join("live");
                println!("{socket:?} has caught up: {sent} books of {}", self.made - since);
            }
            Event::Disconnected { socket, .. } => drop(self.behind.remove(&socket)),
            _ => {}
        }
    }

    /// One more book, to all who keep up; encoded once.
    fn produce(&mut self, server: &Server) {
        if server.io().queued_bytes() > QUEUED_BYTES_MAX {
            self.held_back += 1;
            return;
        }
        self.made += 1;
        let index = self.made as usize % SYMBOLS.len();
        let levels = (0..50).map(|level| (100.0 + f64::from(level) / 8.0, self.made + level));
        self.books[index] = (self.made, levels.collect());
        let (number, book) = &self.books[index];
        server.to("live").emit("book", (SYMBOLS[index], number, book));
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let mut config = Config::default();
    config.outgoing.high_water_bytes = Some(64 * 1024);
    config.outgoing.low_water_bytes = 4 * 1024;
    // What the system keeps for a consumer is old when it gets it: little is better.
    config.reactor.send_buffer_bytes = Some(64 * 1024);
    let mut server = Server::builder().config(config).bind(&*address)?;
    server.of("/").pull();
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    println!("listening on http://{}", server.local_addresses()[0]);

    let (mut market, mut next) = (Market::default(), Instant::now());
    while !server.is_closed() {
        server.poll(Some(next.saturating_duration_since(Instant::now())))?;
        while let Some(event) = server.next_event() {
            market.apply(&server, &event);
        }
        while Instant::now() >= next {
            market.produce(&server);
            next += PERIOD;
        }
    }
    println!("{} books, {} held back", market.made, market.held_back);
    Ok(())
}

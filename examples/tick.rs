//! A game at 60 Hz: input as it comes, a world that steps in fixed ticks and is in no cell, and its
//! state to everybody 20 times a second, interpolated to the moment it is sent.
//!
//!     cargo run --release --example tick [ADDRESS [SECONDS]]
//!
//! ```text
//! > 42["input",1,0]
//! < 42["state",64.5,[["lv_VI97HAXpY6yYWAAAB",12.25,0.0]]]      tick, and who is where
//! tick jitter of 60: p50 61.2µs, p99 103.1µs, max 140.9µs
//! ```

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use throng::{Event, Server, SocketRef};

const TICK: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// How far a player gets in one tick.
const STEP: f64 = 0.25;

#[derive(Default)]
struct Player {
    id: String,
    input: (f64, f64),
    at: (f64, f64),
    was_at: (f64, f64),
}

#[derive(Default)]
struct World {
    tick: u32,
    players: BTreeMap<SocketRef, Player>,
}

impl World {
    fn apply(&mut self, server: &Server, event: Event) {
        match event {
            Event::Connected(socket) => {
                let id = server.socket(socket).id().to_string();
                self.players.insert(socket, Player { id, ..Player::default() });
            }
            Event::Message(message) if message.name() == "input" => {
                if let (Some(player), Ok((x, y))) =
                    (self.players.get_mut(&message.socket()), message.parse::<(f64, f64)>())
                {
                    player.input = (x.clamp(-1.0, 1.0), y.clamp(-1.0, 1.0));
                }
            }
            Event::Disconnected { socket, .. } => drop(self.players.remove(&socket)),
            _ => {}
        }
    }

    fn step(&mut self) {
        self.tick += 1;
        for player in self.players.values_mut() {
            player.was_at = player.at;
            player.at.0 += player.input.0 * STEP;
            player.at.1 += player.input.1 * STEP;
        }
    }

    /// Who is where between the last tick but one and the last: `part` of the way.
    fn state(&self, part: f64) -> (f64, Vec<(&str, f64, f64)>) {
        let between = |from: f64, to: f64| from + (to - from) * part;
        let players = self.players.values().map(|player| {
            let Player { id, at, was_at, .. } = player;
            (id.as_str(), between(was_at.0, at.0), between(was_at.1, at.1))
        });
        (f64::from(self.tick) - 1.0 + part, players.collect())
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let mut server = Server::builder().bind(&*address)?;
    server.of("/").pull();
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    println!("listening on http://{}", server.local_addresses()[0]);

    let (mut world, mut jitter) = (World::default(), Vec::new());
    let (mut next_tick, mut next_state) = (Instant::now() + TICK, Instant::now() + 3 * TICK);
    while !server.is_closed() {
        server.poll(Some(next_tick.min(next_state).saturating_duration_since(Instant::now())))?;
        while let Some(event) = server.next_event() {
            world.apply(&server, event);
        }
        let now = Instant::now();
        if now >= next_tick {
            jitter.push(now - next_tick);
        }
        // Ticks are never skipped: after a stall the world catches up.
        while now >= next_tick {
            world.step();
            next_tick += TICK;
        }
        if now >= next_state {
            let part = 1.0 - (next_tick - now).as_secs_f64() / TICK.as_secs_f64();
            // Who is behind gets the next one.
            server.volatile().emit("state", world.state(part));
            next_state = now + 3 * TICK;
        }
        if jitter.len() >= 60 {
            tell(&mut jitter);
        }
    }
    Ok(())
}

/// By how much ticks were late.
fn tell(jitter: &mut Vec<Duration>) {
    jitter.sort_unstable();
    let at = |percent: usize| jitter[(jitter.len() * percent / 100).min(jitter.len() - 1)];
    let (p50, p99, max) = (at(50), at(99), at(100));
    println!("tick jitter of {}: p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}", jitter.len());
    jitter.clear();
}

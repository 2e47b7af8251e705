//! Proof that the load generator tells the truth: the built program runs against a server whose
//! every fault is known, and its report must show just those.
//!
//! It needs no quiet machine: latencies are held against the times at which the server really
//! wrote, never against what they should have been.
//!
//! ```text
//! a server that delays each 100th delivery by 50 ms  ->  as many samples above 50 ms
//! ```

mod connections;
mod counts;
mod hosts;
mod mix;
#[path = "../../src/bin/throng/bench/payload.rs"]
mod payload;
mod protocols;
mod run;
mod scenarios;
mod seats;
mod server;
mod server_tests;
mod truth;

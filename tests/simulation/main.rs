//! The whole server in a simulated world: many model clients, a network with every fault that the
//! contract of `Net` allows, a clock of its own, and one seed for all of it.
//!
//! ```text
//! cargo test --test simulation                       # as many seeds as fit into a minute
//! THRONG_SEED=17 cargo test --test simulation        # one run, the one that failed
//! THRONG_SEEDS=100000 cargo test --test simulation   # a night's worth
//! ```

mod app;
mod client;
mod ledger;
mod net;
mod pipe;
mod random;
mod regressions;
mod simulation;
mod world;

use simulation::{Outcome, Simulation};

#[test]
fn every_seed_keeps_the_invariants() {
    let mut sum = Outcome::default();
    for seed in seeds() {
        match run(seed) {
            Ok(outcome) => {
                sum.settled += outcome.settled;
                sum.upgrades += outcome.upgrades;
                sum.short_writes += outcome.short_writes;
                for (reason, count) in outcome.reasons {
                    *sum.reasons.entry(reason).or_default() += count;
                }
            }
            Err(failure) => panic!("{failure}\n{}", how_to_repeat(seed)),
        }
    }
    println!("{sum:#?}");
    if seeds().count() >= 1_000 {
        assert_covers(&sum);
    }
}

#[test]
fn a_seed_repeats_its_run() {
    for seed in [1, 2, 3] {
        assert_eq!(run(seed), run(seed), "{}", how_to_repeat(seed));
    }
}

/// What never happens in so many runs isn't tested by them.
fn assert_covers(sum: &Outcome) {
    assert!(sum.settled > 0 && sum.upgrades > 0 && sum.short_writes > 0);
    for reason in REASONS {
        assert!(sum.reasons.contains_key(reason), "no socket ever ends with {reason}");
    }
}

/// A panic within the run tells its seed too.
fn run(seed: u64) -> Result<Outcome, String> {
    struct Tell(u64);
    impl Drop for Tell {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("{}", how_to_repeat(self.0));
            }
        }
    }
    let _tell = Tell(seed);
    Simulation::new(seed).run()
}

fn how_to_repeat(seed: u64) -> String {
    format!("seed {seed}: THRONG_SEED={seed} cargo test --test simulation")
}

fn seeds() -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    match number("THRONG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("THRONG_SEEDS").unwrap_or(SEEDS),
    }
}

const REASONS: [&str; 10] = [
    "client_namespace_disconnect",
    "forced_close",
    "forced_server_close",
    "parse_error",
    "ping_timeout",
    "server_namespace_disconnect",
    "server_shutting_down",
    "slow_consumer_stalled",
    "transport_close",
    "transport_error",
];
const SEEDS: u64 = 5_000;

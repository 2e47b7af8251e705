//! The account of one process: adds up what it used, so that no sum ever shrinks.
//!
//! Processor time comes for the process as a whole, ended threads included. Switches are only told
//! thread by thread, and a thread that ended is no longer there to be read: what it was last seen
//! to have stays in the account.
//!
//! ```text
//! first:  thread 7 switched 300 times, thread 8 200 times    500
//! second: thread 7 switched 310 times                        510, not 310
//! ```

use std::collections::HashMap;
use std::time::Duration;

/// What one process used so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    threads: HashMap<i32, Switches>,
    /// Of threads that ended.
    ended: Switches,
    used: Used,
}

/// One look at a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) cpu: Duration,
    pub(super) cpu_user: Duration,
    pub(super) cpu_system: Duration,
    /// By thread; empty where threads can't be read.
    pub(super) threads: Vec<(i32, Switches)>,
}

/// How often a thread, or several, gave its processor to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Switches {
    /// It had to wait for something.
    pub(super) voluntary: u64,
    /// It was made to.
    pub(super) involuntary: u64,
}

/// Sums that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) cpu: Duration,
    pub(super) cpu_user: Duration,
    pub(super) cpu_system: Duration,
    pub(super) switches: Switches,
}

impl Account {
    pub(super) fn handle_reading(&mut self, reading: Reading) {
        let seen: HashMap<_, _> = reading.threads.into_iter().collect();
        for (id, last) in &self.threads {
            // An id whose counts went back belongs to another thread by now.
            if seen.get(id).is_none_or(|now| now.voluntary < last.voluntary) {
                self.ended = self.ended.plus(*last);
            }
        }
        self.threads = seen;
        let switches = self.threads.values().fold(self.ended, |sum, thread| sum.plus(*thread));
        self.used = Used {
            cpu: self.used.cpu.max(reading.cpu),
            cpu_user: self.used.cpu_user.max(reading.cpu_user),
            cpu_system: self.used.cpu_system.max(reading.cpu_system),
            switches: self.used.switches.max(switches),
        };
    }

    pub(super) fn used(&self) -> Used {
        self.used
    }
}

impl Switches {
    fn plus(self, other: Self) -> Self {
        Self {
            voluntary: self.voluntary.saturating_add(other.voluntary),
            involuntary: self.involuntary.saturating_add(other.involuntary),
        }
    }

    fn max(self, other: Self) -> Self {
        Self {
            voluntary: self.voluntary.max(other.voluntary),
            involuntary: self.involuntary.max(other.involuntary),
        }
    }
}

impl Used {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            cpu_user: self.cpu_user.saturating_add(other.cpu_user),
            cpu_system: self.cpu_system.saturating_add(other.cpu_system),
            switches: self.switches.plus(other.switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cpu_us: u64, threads: &[(i32, u64, u64)]) -> Reading {
        let threads = threads.iter().map(|(id, voluntary, involuntary)| {
            (*id, Switches { voluntary: *voluntary, involuntary: *involuntary })
        });
        Reading {
            cpu: Duration::from_micros(cpu_us),
            cpu_user: Duration::from_micros(cpu_us / 10_000 * 10_000),
            cpu_system: Duration::ZERO,
            threads: threads.collect(),
        }
    }

    fn switches(account: &Account) -> (u64, u64) {
        let switches = account.used().switches;
        (switches.voluntary, switches.involuntary)
    }

    #[test]
    fn threads_are_added_up() {
        let mut account = Account::default();
        account.handle_reading(reading(499_579, &[(7, 10, 1), (8, 20, 2)]));
        assert_eq!(switches(&account), (30, 3));
        assert_eq!(account.used().cpu, Duration::from_micros(499_579));
        assert_eq!(account.used().cpu_user, Duration::from_millis(490));
    }

    #[test]
    fn what_ended_threads_had_stays() {
        let mut account = Account::default();
        account.handle_reading(reading(0, &[(7, 10, 1), (8, 20, 2)]));
        account.handle_reading(reading(0, &[(7, 12, 1)]));
        assert_eq!(switches(&account), (32, 3));
        account.handle_reading(reading(0, &[(7, 13, 4), (9, 5, 5)]));
        assert_eq!(switches(&account), (38, 11));
    }

    #[test]
    fn an_id_used_again_counts_as_another_thread() {
        let mut account = Account::default();
        account.handle_reading(reading(0, &[(8, 20, 2)]));
        account.handle_reading(reading(0, &[(8, 1, 0)]));
        assert_eq!(switches(&account), (21, 2));
    }

    #[test]
    fn nothing_ever_goes_back() {
        let mut account = Account::default();
        account.handle_reading(reading(300_000, &[(7, 10, 1)]));
        let before = account.used();
        account.handle_reading(reading(290_000, &[]));
        assert_eq!(account.used(), before);
    }

    #[test]
    fn processes_are_added_field_by_field() {
        let one = Used {
            cpu: Duration::from_millis(33),
            cpu_user: Duration::from_millis(20),
            cpu_system: Duration::from_millis(10),
            switches: Switches { voluntary: 3, involuntary: 4 },
        };
        let two = one.plus(one);
        assert_eq!(two.cpu, Duration::from_millis(66));
        assert_eq!(two.cpu_user, Duration::from_millis(40));
        assert_eq!(two.cpu_system, Duration::from_millis(20));
        assert_eq!(two.switches, Switches { voluntary: 6, involuntary: 8 });
    }
}

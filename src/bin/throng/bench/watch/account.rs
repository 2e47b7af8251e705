//! The account of one process: adds up what its threads used, so that the sum only ever grows.
//!
//! Threads are read one by one, in nanoseconds, because the process as a whole is only told in
//! ticks of 10 ms. A thread that ended is no longer there to be read: what it used stays in the
//! account, and what it used after it was last seen comes in through the ticks.
//!
//! ```text
//! first:  thread 7 has 300 ms, thread 8 has 200 ms, the process 500 ms    500 ms
//! second: thread 7 has 310 ms,                      the process 510 ms    510 ms, not 310
//! ```

use std::collections::HashMap;
use std::time::Duration;

/// What one process used so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    threads: HashMap<i32, ThreadReading>,
    /// Of threads that ended.
    ended: ThreadReading,
    used: Used,
}

/// One look at a process.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    pub(super) cpu_user: Duration,
    pub(super) cpu_system: Duration,
    /// Length of the ticks that the two above are told in.
    pub(super) tick: Duration,
    /// Empty where threads can't be read.
    pub(super) threads: Vec<(i32, ThreadReading)>,
}

/// One look at a thread.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ThreadReading {
    /// Time on a processor; zero where the kernel doesn't tell.
    pub(super) cpu: Duration,
    pub(super) voluntary_switches: u64,
    pub(super) involuntary_switches: u64,
}

/// Sums that only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) cpu: Duration,
    pub(super) cpu_user: Duration,
    pub(super) cpu_system: Duration,
    pub(super) voluntary_switches: u64,
    pub(super) involuntary_switches: u64,
}

impl Account {
    pub(super) fn handle_reading(&mut self, reading: Reading) {
        let seen: HashMap<_, _> = reading.threads.into_iter().collect();
        for (id, last) in &self.threads {
            // An id whose time went back belongs to another thread by now.
            if seen.get(id).is_none_or(|now| now.cpu < last.cpu) {
                self.ended = self.ended.plus(*last);
            }
        }
        self.threads = seen;
        let mut total = self.threads.values().fold(self.ended, |sum, thread| sum.plus(*thread));
        let told = reading.cpu_user.saturating_add(reading.cpu_system);
        // User and system time are each cut to whole ticks, so what the process tells is at most
        // two ticks short and never too much: what is beyond that was used by threads unseen.
        let unseen = told.saturating_sub(total.cpu);
        if unseen > reading.tick.saturating_mul(2) {
            self.ended.cpu = self.ended.cpu.saturating_add(unseen);
            total.cpu = told;
        }
        self.used = Used {
            cpu: self.used.cpu.max(total.cpu),
            cpu_user: self.used.cpu_user.max(reading.cpu_user),
            cpu_system: self.used.cpu_system.max(reading.cpu_system),
            voluntary_switches: self.used.voluntary_switches.max(total.voluntary_switches),
            involuntary_switches: self.used.involuntary_switches.max(total.involuntary_switches),
        };
    }

    pub(super) fn used(&self) -> Used {
        self.used
    }
}

impl ThreadReading {
    fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            voluntary_switches: self.voluntary_switches.saturating_add(other.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_add(other.involuntary_switches),
        }
    }
}

impl Used {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            cpu_user: self.cpu_user.saturating_add(other.cpu_user),
            cpu_system: self.cpu_system.saturating_add(other.cpu_system),
            voluntary_switches: self.voluntary_switches.saturating_add(other.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_add(other.involuntary_switches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn thread(id: i32, micros: u64, voluntary: u64, involuntary: u64) -> (i32, ThreadReading) {
        let reading = ThreadReading {
            cpu: us(micros),
            voluntary_switches: voluntary,
            involuntary_switches: involuntary,
        };
        (id, reading)
    }

    fn reading(user_ms: u64, system_ms: u64, threads: &[(i32, ThreadReading)]) -> Reading {
        Reading {
            cpu_user: us(user_ms * 1_000),
            cpu_system: us(system_ms * 1_000),
            tick: us(10_000),
            threads: threads.to_vec(),
        }
    }

    #[test]
    fn threads_are_added_up_to_the_microsecond() {
        let mut account = Account::default();
        account.handle_reading(reading(
            300,
            190,
            &[thread(7, 300_123, 10, 1), thread(8, 199_456, 20, 2)],
        ));
        let used = account.used();
        assert_eq!(used.cpu, us(499_579));
        assert_eq!((used.cpu_user, used.cpu_system), (us(300_000), us(190_000)));
        assert_eq!((used.voluntary_switches, used.involuntary_switches), (30, 3));
    }

    #[test]
    fn what_ended_threads_used_stays() {
        let mut account = Account::default();
        account.handle_reading(reading(
            490,
            0,
            &[thread(7, 300_000, 10, 1), thread(8, 200_000, 20, 2)],
        ));
        account.handle_reading(reading(500, 0, &[thread(7, 310_000, 12, 1)]));
        assert_eq!(account.used().cpu, us(510_000));
        assert_eq!(account.used().voluntary_switches, 32);
        assert_eq!(account.used().involuntary_switches, 3);
    }

    #[test]
    fn an_id_used_again_counts_as_another_thread() {
        let mut account = Account::default();
        account.handle_reading(reading(200, 0, &[thread(8, 200_000, 20, 2)]));
        account.handle_reading(reading(200, 0, &[thread(8, 5_000, 1, 0)]));
        assert_eq!(account.used().cpu, us(205_000));
        assert_eq!(account.used().voluntary_switches, 21);
    }

    #[test]
    fn time_of_threads_never_seen_comes_from_the_ticks() {
        let mut account = Account::default();
        // 7 s went to threads that ended before anybody looked.
        account.handle_reading(reading(9_000, 1_000, &[thread(7, 3_000_000, 0, 0)]));
        assert_eq!(account.used().cpu, us(10_000_000));
        // From there on it is exact again, although the ticks lag or lead by up to two.
        account.handle_reading(reading(9_010, 1_010, &[thread(7, 3_004_321, 0, 0)]));
        assert_eq!(account.used().cpu, us(10_004_321));
        // A thread came and went with 80 ms.
        account.handle_reading(reading(9_090, 1_010, &[thread(7, 3_010_000, 0, 0)]));
        assert_eq!(account.used().cpu, us(10_100_000));
    }

    #[test]
    fn without_threads_to_read_the_ticks_are_all() {
        let mut account = Account::default();
        account.handle_reading(reading(120, 80, &[]));
        assert_eq!(account.used().cpu, us(200_000));
        account.handle_reading(reading(150, 80, &[]));
        assert_eq!(account.used().cpu, us(230_000));
    }

    #[test]
    fn nothing_ever_goes_back() {
        let mut account = Account::default();
        account.handle_reading(reading(200, 100, &[thread(7, 300_000, 10, 1)]));
        let before = account.used();
        account.handle_reading(reading(190, 90, &[]));
        assert_eq!(account.used(), before);
    }
}

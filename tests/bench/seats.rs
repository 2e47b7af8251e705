//! Who may run beside whom: a machine with two cores carries a few runs at a time, and some want
//! it for themselves.
//!
//! ```text
//! seats: 8    a run of which counts are proof takes one    one that is held to times takes all
//! ```

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Seats that are taken in the order of asking, so that who wants all of them gets them.
pub(crate) struct Seats {
    queue: Mutex<Queue>,
    changed: Condvar,
}

struct Queue {
    free: usize,
    /// The number that the next one who asks draws.
    next: u64,
    /// Whose turn it is.
    called: u64,
}

/// Seats that are taken until this is dropped.
pub(crate) struct Taken {
    seats: &'static Seats,
    count: usize,
}

impl Seats {
    pub(crate) const fn new(count: usize) -> Self {
        let queue = Mutex::new(Queue { free: count, next: 0, called: 0 });
        Self { queue, changed: Condvar::new() }
    }

    /// Waits until so many are free, behind whoever asked before.
    pub(crate) fn take(&'static self, count: usize) -> Taken {
        let mut queue = self.lock();
        let number = queue.next;
        queue.next += 1;
        let waits = |queue: &mut Queue| queue.called != number || queue.free < count;
        let waited = self.changed.wait_while(queue, waits);
        queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.free -= count;
        queue.called += 1;
        self.changed.notify_all();
        Taken { seats: self, count }
    }

    /// A test that failed leaves its seats to the others.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.seats.lock().free += self.count;
        self.seats.changed.notify_all();
    }
}

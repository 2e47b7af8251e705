//! Answers that the loop keeps while another thread holds their name: an `Ack`, a `Next`, a
//! `Decision` can't leave the thread, a key can.

use std::any::Any;
use std::fmt;
use std::rc::Rc;

use super::Hub;
use crate::slots::{Key, Slots};

/// Names a value that is kept for another thread.
pub(crate) type ParkedKey = Key<ParkedMark>;

/// The mark of [`ParkedKey`].
#[derive(Debug)]
pub(crate) enum ParkedMark {}

/// What is kept for other threads.
pub(super) struct ParkedValues(Slots<Box<dyn Any>>);

impl Hub {
    /// Keeps a value; too many are dropped, and counted.
    pub(crate) fn park(&self, value: Box<dyn Any>) -> Option<ParkedKey> {
        let state = &mut *self.state.borrow_mut();
        if state.parked.0.len() >= state.config.remote_answers_max {
            state.counters.remote_answers_over_limit += 1;
            return None;
        }
        Some(state.parked.0.insert(value).cast())
    }

    /// Gives a value back, once.
    pub(crate) fn take_parked(self: &Rc<Self>, key: ParkedKey) -> Option<Box<dyn Any>> {
        self.state.borrow_mut().parked.0.remove(key.cast())
    }
}

impl Default for ParkedValues {
    fn default() -> Self {
        Self(Slots::with_capacity(0))
    }
}

impl fmt::Debug for ParkedValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

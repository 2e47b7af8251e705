//! What is asked of an adapter and answered later, and what waits to be done when it has acted.
//!
//! Nothing of the host's runs while an adapter does: an answer only queues what is to be run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use crate::socketio::Hub;

/// Something that somebody wants to know, owned by the adapter that was asked: it answers once,
/// at once or whenever it can.
///
/// Dropped without an answer it is answered with [`AdapterError::Abandoned`], so that nobody
/// waits for ever. It isn't `Send`: like the adapter it stays on the server's thread.
///
/// ```
/// use throng::adapter::{Adapter, AdapterError, BroadcastOptions, Local, Request, SocketSnapshot};
///
/// struct Secretive;
///
/// impl Adapter for Secretive {
///     fn fetch_sockets(
///         &mut self,
///         _: &mut Local<'_>,
///         _: &BroadcastOptions,
///         request: Request<Vec<SocketSnapshot>>,
///     ) {
///         request.answer(Err(AdapterError::Unsupported));
///     }
/// }
/// ```
#[must_use = "somebody waits for the answer"]
pub struct Request<T: 'static> {
    effects: Effects,
    complete: Option<Complete<T>>,
}

type Complete<T> = Box<dyn FnOnce(&Rc<Hub>, Result<T, AdapterError>)>;

/// Why an adapter has no answer.
///
/// ```
/// use throng::adapter::AdapterError;
///
/// let error = AdapterError::Timeout { answered: 1, expected: 2 };
/// assert_eq!(error.to_string(), "timeout reached: only 1 responses received out of 2");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdapterError {
    /// This adapter can't do that: it knows of no other server.
    Unsupported,
    /// So many servers have answered in time, of so many.
    Timeout {
        /// Servers that have answered.
        answered: usize,
        /// Servers that were asked.
        expected: usize,
    },
    /// The adapter was closed, or let go of the question.
    Abandoned,
    /// Whatever carries the adapter's messages failed.
    Failed(Rc<str>),
}

/// What is to be done when nothing is borrowed any more, in order.
pub(in crate::socketio) type Effect = Box<dyn FnOnce(&Rc<Hub>)>;

/// The queue of effects; a request holds it too, to answer from wherever it is.
#[derive(Clone, Default)]
pub(in crate::socketio) struct Effects(Rc<Queue>);

#[derive(Default)]
struct Queue {
    /// Each with its rank.
    waiting: RefCell<VecDeque<(u8, Effect)>>,
    /// How many room watchers what is done at this moment comes of, one of the other.
    rank: Cell<u8>,
}

impl<T> Request<T> {
    pub(in crate::socketio) fn new(
        effects: &Effects,
        complete: impl FnOnce(&Rc<Hub>, Result<T, AdapterError>) + 'static,
    ) -> Self {
        Self { effects: effects.clone(), complete: Some(Box::new(complete)) }
    }

    /// Answers; who asked hears of it when the adapter has returned.
    pub fn answer(mut self, answer: Result<T, AdapterError>) {
        self.complete(answer);
    }

    fn complete(&mut self, answer: Result<T, AdapterError>) {
        if let Some(complete) = self.complete.take() {
            self.effects.push(move |hub| complete(hub, answer));
        }
    }
}

impl<T> Drop for Request<T> {
    fn drop(&mut self) {
        self.complete(Err(AdapterError::Abandoned));
    }
}

impl Effects {
    pub(in crate::socketio) fn push(&self, effect: impl FnOnce(&Rc<Hub>) + 'static) {
        self.0.waiting.borrow_mut().push_back((self.rank(), Box::new(effect)));
    }

    /// Does what is next; `false` if nothing is.
    pub(in crate::socketio) fn run_next(&self, hub: &Rc<Hub>) -> bool {
        let next = self.0.waiting.borrow_mut().pop_front();
        let Some((rank, effect)) = next else { return false };
        // It comes of what queued it, whatever it is that has it done now.
        let before = self.0.rank.replace(rank);
        effect(hub);
        self.0.rank.set(before);
        true
    }

    pub(in crate::socketio) fn rank(&self) -> u8 {
        self.0.rank.get()
    }

    pub(in crate::socketio) fn set_rank(&self, rank: u8) {
        self.0.rank.set(rank);
    }
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request(..)")
    }
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported => f.write_str("this adapter does not support that"),
            Self::Timeout { answered, expected } => {
                write!(f, "timeout reached: only {answered} responses received out of {expected}")
            }
            Self::Abandoned => f.write_str("the adapter was closed"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for AdapterError {}

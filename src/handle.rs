//! The one thing of a server that other threads may hold: a bounded mailbox and a waker.

mod remote;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Waker;

pub use remote::{RemoteAck, RemoteDecision, RemoteNamespaceDecision, RemoteNext};

use crate::socketio::Io;

/// Runs closures inside the server's loop, from any thread.
///
/// Closures run in the order in which they were posted, at the beginning of the next turn; the
/// loop is woken once for all that were posted before it got there. At most 65,536 wait. A clone
/// posts into the same mailbox.
///
/// ```
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// std::thread::spawn(move || {
///     let _ = handle.post(|io| {
///         io.emit("from", &"another thread");
///     });
///     let _ = handle.close();
/// });
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    sender: Sender<Job>,
    waker: Waker,
    posts: Arc<Posts>,
}

/// The receiving end, in the server.
pub(crate) struct Mailbox {
    sender: Sender<Job>,
    receiver: Receiver<Job>,
    posts: Arc<Posts>,
}

/// What both ends know of the closures on their way.
#[derive(Debug, Default)]
struct Posts {
    /// How many wait. The bound is kept here, since a bounded channel makes room for all of them
    /// at once: a megabyte and a half for a mailbox that most servers never use.
    waiting: AtomicUsize,
    /// Set between the first post of a batch and its collection.
    posted: AtomicBool,
}

/// Why a closure was not taken.
///
/// ```
/// use throng::{PostError, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// drop(server);
/// assert_eq!(handle.post(|_| {}), Err(PostError::Closed));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PostError {
    /// The mailbox holds as many closures as it may; the loop has to run first.
    Full,
    /// The server is gone.
    Closed,
}

type Job = Box<dyn FnOnce(Io<'_>) + Send>;

impl Handle {
    /// Posts a closure; never blocks. Fails, and drops the closure, where too many wait or the
    /// server is gone. A closure that is taken runs unless the server ends before its next turn.
    pub fn post(&self, job: impl FnOnce(Io<'_>) + Send + 'static) -> Result<(), PostError> {
        if self.posts.waiting.fetch_add(1, Ordering::AcqRel) >= JOBS_MAX {
            self.posts.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(PostError::Full);
        }
        self.send(Box::new(job))
    }

    /// Posts what is bounded by something else.
    fn push(&self, job: Job) -> Result<(), PostError> {
        self.posts.waiting.fetch_add(1, Ordering::AcqRel);
        self.send(job)
    }

    fn send(&self, job: Job) -> Result<(), PostError> {
        if self.sender.send(job).is_err() {
            self.posts.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(PostError::Closed);
        }
        if !self.posts.posted.swap(true, Ordering::AcqRel) {
            self.waker.wake_by_ref();
        }
        Ok(())
    }

    /// Closes the server; see [`Io::close`].
    pub fn close(&self) -> Result<(), PostError> {
        self.post(|io| io.close())
    }
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver, posts: Arc::default() }
    }

    pub(crate) fn handle(&self, waker: Waker) -> Handle {
        Handle { sender: self.sender.clone(), waker, posts: Arc::clone(&self.posts) }
    }

    /// A new batch begins, of so many closures: whoever posts from here on wakes the loop again,
    /// and waits for its next turn.
    pub(crate) fn begin(&self) -> usize {
        if self.posts.posted.swap(false, Ordering::AcqRel) {
            self.posts.waiting.load(Ordering::Acquire)
        } else {
            0
        }
    }

    /// Whether a batch is to be collected.
    pub(crate) fn is_posted(&self) -> bool {
        self.posts.posted.load(Ordering::Acquire)
    }

    /// What is left of a batch belongs to the next.
    pub(crate) fn put_off(&self) {
        self.posts.posted.store(true, Ordering::Release);
    }

    pub(crate) fn next(&self) -> Option<Job> {
        let job = self.receiver.try_recv().ok()?;
        self.posts.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(job)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}

impl fmt::Display for PostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the server's mailbox is full",
            Self::Closed => "the server is gone",
        })
    }
}

impl std::error::Error for PostError {}

/// How many closures may wait.
const JOBS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mailbox_takes_so_many_and_as_many_again_once_they_are_taken_out() {
        let mailbox = Mailbox::new();
        let handle = mailbox.handle(Waker::noop().clone());
        for _ in 0..2 {
            for _ in 0..JOBS_MAX {
                assert_eq!(handle.post(|_| {}), Ok(()));
            }
            assert_eq!(handle.post(|_| {}), Err(PostError::Full));
            assert_eq!(mailbox.begin(), JOBS_MAX);
            assert_eq!(std::iter::from_fn(|| mailbox.next()).count(), JOBS_MAX);
        }
        drop(mailbox);
        assert_eq!(handle.post(|_| {}), Err(PostError::Closed));
    }
}

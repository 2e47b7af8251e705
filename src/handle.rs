//! The one thing of a server that other threads may hold: a bounded mailbox and a waker.

mod broadcast;
mod mailbox;
mod remote;
mod sync;

use std::fmt;
use std::task::Waker;

pub use broadcast::{EmitError, RemoteBroadcast};
pub use remote::{RemoteAck, RemoteDecision, RemoteNamespaceDecision, RemoteNext};

use crate::socketio::Io;
use mailbox::{Posted, Slot};

/// Runs closures inside the server's loop, from any thread, and emits into it.
///
/// Closures run in the order in which they were posted, at the beginning of the next turn; the
/// loop is woken once for all that were posted before it got there. At most 65,536 wait. A clone
/// posts into the same mailbox. What is emitted ([`Handle::emit`], [`Handle::to`]) is serialised
/// by the thread that emits, and takes its place among the closures.
///
/// ```
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// std::thread::spawn(move || {
///     let _ = handle.emit("from", "another thread");
///     let _ = handle.post(|io| println!("{} are here", io.sockets_len()));
///     let _ = handle.close();
/// });
/// server.run()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Handle {
    slot: Slot<Job>,
    waker: Waker,
}

/// The receiving end, in the server.
pub(crate) struct Mailbox(mailbox::Mailbox<Job>);

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
        let posted = self.slot.post(Box::new(job));
        self.wake_after(posted)
    }

    /// Posts what is bounded by something else.
    fn push(&self, job: Job) -> Result<(), PostError> {
        let posted = self.slot.push(job);
        self.wake_after(posted)
    }

    fn wake_after(&self, posted: Result<Posted, PostError>) -> Result<(), PostError> {
        if posted? == Posted::Wake {
            self.waker.wake_by_ref();
        }
        Ok(())
    }

    /// How many closures and emits wait, of all threads together: a producer may hold back before
    /// it is told that the mailbox is full.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::Server;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// let handle = server.handle();
    /// handle.post(|_| {}).unwrap();
    /// assert_eq!(handle.waiting(), 1);
    /// server.poll(Some(Duration::ZERO))?;
    /// assert_eq!(handle.waiting(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn waiting(&self) -> usize {
        self.slot.waiting()
    }

    /// Closes the server; see [`Io::close`].
    pub fn close(&self) -> Result<(), PostError> {
        self.post(|io| io.close())
    }
}

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self(mailbox::Mailbox::new(JOBS_MAX))
    }

    pub(crate) fn handle(&self, waker: Waker) -> Handle {
        Handle { slot: self.0.slot(), waker }
    }

    /// A new batch begins, of so many closures.
    pub(crate) fn begin(&self) -> usize {
        self.0.begin()
    }

    /// Whether a batch is to be collected.
    pub(crate) fn is_posted(&self) -> bool {
        self.0.is_posted()
    }

    /// What is left of a batch belongs to the next.
    pub(crate) fn put_off(&self) {
        self.0.put_off();
    }

    pub(crate) fn next(&self) -> Option<Job> {
        self.0.next()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({} waiting)", self.waiting())
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
            assert_eq!(handle.waiting(), JOBS_MAX);
            assert_eq!(mailbox.begin(), JOBS_MAX);
            assert_eq!(std::iter::from_fn(|| mailbox.next()).count(), JOBS_MAX);
        }
        for _ in 0..JOBS_MAX {
            assert_eq!(handle.post(|_| {}), Ok(()));
        }
        drop(mailbox);
        assert_eq!(handle.post(|_| {}), Err(PostError::Closed));
        assert_eq!(handle.waiting(), 0);
    }
}

//! The one thing of a server that other threads may hold: a bounded mailbox and a waker.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::Waker;

use crate::socketio::Io;

/// Runs closures inside the server's loop, from any thread.
///
/// Closures run in the order in which they were posted, at the beginning of the next turn; the
/// loop is woken once for all that were posted before it got there.
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
    sender: SyncSender<Job>,
    waker: Waker,
    /// Set between the first post of a batch and its collection.
    posted: Arc<AtomicBool>,
}

/// The receiving end, in the server.
pub(crate) struct Mailbox {
    sender: SyncSender<Job>,
    receiver: Receiver<Job>,
    posted: Arc<AtomicBool>,
}

/// Why a closure was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostError {
    /// The mailbox holds as many closures as it may; the loop has to run first.
    Full,
    /// The server is gone.
    Closed,
}

type Job = Box<dyn FnOnce(Io<'_>) + Send>;

impl Handle {
    /// Posts a closure; never blocks.
    pub fn post(&self, job: impl FnOnce(Io<'_>) + Send + 'static) -> Result<(), PostError> {
        self.sender.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => PostError::Full,
            TrySendError::Disconnected(_) => PostError::Closed,
        })?;
        if !self.posted.swap(true, Ordering::AcqRel) {
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
        let (sender, receiver) = sync_channel(JOBS_MAX);
        Self { sender, receiver, posted: Arc::new(AtomicBool::new(false)) }
    }

    pub(crate) fn handle(&self, waker: Waker) -> Handle {
        Handle { sender: self.sender.clone(), waker, posted: Arc::clone(&self.posted) }
    }

    /// A new batch begins: whoever posts from here on wakes the loop again.
    pub(crate) fn begin(&self) -> bool {
        self.posted.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn next(&self) -> Option<Job> {
        self.receiver.try_recv().ok()
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

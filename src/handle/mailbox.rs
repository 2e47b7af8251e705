//! The mailbox: a queue from many threads into one loop, which knows how much waits and when the
//! loop has to be woken.
//!
//! It knows neither closures nor servers, and wakes nobody itself: whoever posts is told to.
//! `tests/mailbox.rs` compiles this very file against loom's types and walks through every
//! interleaving of posters and loop. Two that post before the loop gets there:
//!
//! ```text
//! a: post -> wake      b: post -> no need      loop: begin -> 2, next, next
//! ```

use super::PostError;
use super::sync::{Arc, AtomicBool, AtomicUsize, Ordering, Receiver, Sender, channel};

/// The receiving end, in the loop.
pub(crate) struct Mailbox<T> {
    slot: Slot<T>,
    receiver: Receiver<T>,
}

/// The sending end, which any thread may hold.
pub(crate) struct Slot<T> {
    sender: Sender<T>,
    posts: Arc<Posts>,
}

/// What both ends know of what is on its way.
struct Posts {
    /// How many wait. The bound is kept here, since a bounded channel makes room for all of them
    /// at once: a megabyte and a half for a mailbox that most servers never use.
    waiting: AtomicUsize,
    waiting_max: usize,
    /// Set between the first post of a batch and its collection.
    posted: AtomicBool,
    /// The loop is gone, and with it what waited.
    closed: AtomicBool,
}

/// What is left to do for who has posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "whom nobody wakes finds it later than it could"]
pub(crate) enum Posted {
    /// It was the first of its batch: wake the loop.
    Wake,
    /// The loop has been woken and not been here since.
    Joined,
}

impl<T> Mailbox<T> {
    /// A mailbox in which so many may wait.
    pub(crate) fn new(waiting_max: usize) -> Self {
        let (sender, receiver) = channel();
        let posts = Posts {
            waiting: AtomicUsize::new(0),
            waiting_max,
            posted: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        };
        Self { slot: Slot { sender, posts: Arc::new(posts) }, receiver }
    }

    pub(crate) fn slot(&self) -> Slot<T> {
        self.slot.clone()
    }

    /// A new batch begins, of so many: whoever posts from here on wakes the loop again, and waits
    /// for its next turn.
    ///
    /// Who has swapped the flag before this did has counted and sent before that, so that it is
    /// counted here and found by [`Mailbox::next`]. Who is about to swap it wakes the loop.
    pub(crate) fn begin(&self) -> usize {
        let posts = &self.slot.posts;
        if posts.posted.swap(false, Ordering::AcqRel) {
            posts.waiting.load(Ordering::Acquire)
        } else {
            0
        }
    }

    /// The next of the batch; none where who was counted has not sent yet.
    pub(crate) fn next(&self) -> Option<T> {
        let item = self.receiver.try_recv().ok()?;
        self.slot.posts.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(item)
    }

    /// Whether a batch is to be collected: who sees this must not sleep.
    pub(crate) fn is_posted(&self) -> bool {
        self.slot.posts.posted.load(Ordering::Acquire)
    }

    /// What is left of a batch belongs to the next. Nobody wakes the loop for it.
    pub(crate) fn put_off(&self) {
        self.slot.posts.posted.store(true, Ordering::Release);
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        self.slot.posts.closed.store(true, Ordering::Release);
    }
}

impl<T> Slot<T> {
    /// Posts, where there is room.
    pub(crate) fn post(&self, item: T) -> Result<Posted, PostError> {
        let taken =
            self.posts.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                (waiting < self.posts.waiting_max).then_some(waiting + 1)
            });
        match taken {
            Ok(_) => self.send(item),
            // One that is gone takes none out any more.
            Err(_) if self.posts.closed.load(Ordering::Acquire) => Err(PostError::Closed),
            Err(_) => Err(PostError::Full),
        }
    }

    /// Posts what is bounded by something else.
    pub(crate) fn push(&self, item: T) -> Result<Posted, PostError> {
        self.posts.waiting.fetch_add(1, Ordering::AcqRel);
        self.send(item)
    }

    /// How many wait, at this moment or a moment ago.
    pub(crate) fn waiting(&self) -> usize {
        if self.posts.closed.load(Ordering::Acquire) {
            return 0;
        }
        self.posts.waiting.load(Ordering::Acquire)
    }

    fn send(&self, item: T) -> Result<Posted, PostError> {
        if self.sender.send(item).is_err() {
            self.posts.waiting.fetch_sub(1, Ordering::AcqRel);
            return Err(PostError::Closed);
        }
        let has_been_woken = self.posts.posted.swap(true, Ordering::AcqRel);
        Ok(if has_been_woken { Posted::Joined } else { Posted::Wake })
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), posts: Arc::clone(&self.posts) }
    }
}

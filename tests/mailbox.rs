//! The handle's mailbox under every interleaving: its own file, compiled against loom's types.
//!
//! Loom runs each model once for every order in which its threads' steps can be seen to happen,
//! as the memory model allows them. A wake-up that is lost is a loop that sleeps for ever, which
//! loom tells as a deadlock.
//!
//! ```text
//! poster a: post(1)    poster b: post(2)    loop: sleep, begin, next, ... until it has both
//! ```

#[path = "../src/handle/mailbox.rs"]
#[allow(dead_code, reason = "the models use what they are about")]
mod mailbox;

use std::collections::VecDeque;

use loom::model::Builder;
use loom::sync::{Arc, Notify};
use loom::thread;

use mailbox::{Mailbox, Posted, Slot};

/// What the mailbox answers with, beside it in the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PostError {
    Full,
    Closed,
}

/// What the mailbox is made of. Loom has no channel that can be closed: this one is a queue of
/// which each use is one step, ordered by an atomic of loom's.
mod sync {
    use std::sync::Mutex;
    use std::sync::mpsc::{SendError, TryRecvError};

    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::VecDeque;

    pub(crate) struct Sender<T>(Arc<Queue<T>>);

    pub(crate) struct Receiver<T>(Arc<Queue<T>>);

    struct Queue<T> {
        uses: AtomicUsize,
        /// None once it is closed. No other thread comes in between while it is locked.
        items: Mutex<Option<VecDeque<T>>>,
    }

    impl<T> Queue<T> {
        fn step<R>(&self, act: impl FnOnce(&mut Option<VecDeque<T>>) -> R) -> R {
            self.uses.fetch_add(1, Ordering::AcqRel);
            act(&mut self.items.lock().unwrap())
        }
    }

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let items = Mutex::new(Some(VecDeque::new()));
        let queue = Arc::new(Queue { uses: AtomicUsize::new(0), items });
        (Sender(Arc::clone(&queue)), Receiver(queue))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, item: T) -> Result<(), SendError<T>> {
            self.0.step(|items| match items {
                Some(items) => {
                    items.push_back(item);
                    Ok(())
                }
                None => Err(SendError(item)),
            })
        }
    }

    impl<T> Clone for Sender<T> {
        fn clone(&self) -> Self {
            Self(Arc::clone(&self.0))
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
            let item = self.0.step(|items| items.as_mut().and_then(VecDeque::pop_front));
            item.ok_or(TryRecvError::Empty)
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            let items = self.0.step(Option::take);
            drop(items);
        }
    }
}

/// One turn of the loop: what it finds in its mailbox.
fn turn<T>(mailbox: &Mailbox<T>, found: &mut Vec<T>) {
    for _ in 0..mailbox.begin() {
        let Some(item) = mailbox.next() else { break };
        found.push(item);
    }
}

/// Posts one after the other, and wakes the loop where it is told to; how often that was.
fn post_all<T>(slot: &Slot<T>, sleep: &Notify, items: impl IntoIterator<Item = T>) -> usize {
    let mut wakes = 0;
    for item in items {
        if slot.post(item) == Ok(Posted::Wake) {
            sleep.notify();
            wakes += 1;
        }
    }
    wakes
}

/// Runs a model under all interleavings with so many switches that no thread asked for.
fn explore(preemptions_max: Option<usize>, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = preemptions_max;
    builder.check(model);
}

#[test]
fn what_two_threads_post_is_all_found_and_no_wake_up_is_lost() {
    explore(Some(3), || {
        let mailbox = Mailbox::new(8);
        let sleep = Arc::new(Notify::new());
        let posters: Vec<_> = (1..=2)
            .map(|number| {
                let (slot, sleep) = (mailbox.slot(), Arc::clone(&sleep));
                thread::spawn(move || post_all(&slot, &sleep, [number]))
            })
            .collect();
        let mut found = Vec::new();
        let mut turns = 0;
        while found.len() < 2 {
            sleep.wait();
            turn(&mailbox, &mut found);
            turns += 1;
        }
        found.sort_unstable();
        assert_eq!(found, [1, 2]);
        let wakes: usize = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
        // Each turn begins one batch; who posts behind the last wakes for the next one.
        assert!(wakes <= turns + 1 && wakes <= 2, "{wakes} wake-ups for {turns} turns");
        assert_eq!(mailbox.slot().waiting(), 0);
    });
}

#[test]
fn each_thread_s_posts_are_found_in_its_order() {
    explore(Some(2), || {
        let mailbox = Mailbox::new(8);
        let sleep = Arc::new(Notify::new());
        let (slot, others) = (mailbox.slot(), mailbox.slot());
        let (woken, waking) = (Arc::clone(&sleep), Arc::clone(&sleep));
        let one = thread::spawn(move || post_all(&slot, &woken, [(1, 1), (1, 2)]));
        let other = thread::spawn(move || post_all(&others, &waking, [(2, 1), (2, 2)]));
        let mut found = Vec::new();
        while found.len() < 4 {
            sleep.wait();
            turn(&mailbox, &mut found);
        }
        one.join().unwrap();
        other.join().unwrap();
        for poster in 1..=2 {
            let of_one = found.iter().filter(|(from, _)| *from == poster);
            assert!(of_one.map(|(_, number)| *number).eq([1, 2]), "{found:?}");
        }
    });
}

#[test]
fn what_is_put_off_is_found_without_a_wake_up() {
    explore(Some(3), || {
        let mailbox = Mailbox::new(8);
        let sleep = Arc::new(Notify::new());
        let posters: Vec<_> = (1..=2)
            .map(|number| {
                let (slot, sleep) = (mailbox.slot(), Arc::clone(&sleep));
                thread::spawn(move || post_all(&slot, &sleep, [number]))
            })
            .collect();
        let mut found = Vec::new();
        while found.len() < 2 {
            if !mailbox.is_posted() {
                sleep.wait();
            }
            // A budget of one.
            let batch = mailbox.begin();
            if batch > 0 {
                found.extend(mailbox.next());
                if batch > 1 {
                    mailbox.put_off();
                }
            }
        }
        for poster in posters {
            poster.join().unwrap();
        }
        assert_eq!(mailbox.slot().waiting(), 0);
    });
}

#[test]
fn who_posts_before_the_loop_gets_there_wakes_it_once() {
    explore(None, || {
        let mailbox = Mailbox::new(8);
        let sleep = Arc::new(Notify::new());
        let posters: Vec<_> = (1..=2)
            .map(|number| {
                let (slot, sleep) = (mailbox.slot(), Arc::clone(&sleep));
                thread::spawn(move || post_all(&slot, &sleep, [number]))
            })
            .collect();
        let wakes: usize = posters.into_iter().map(|poster| poster.join().unwrap()).sum();
        assert_eq!(wakes, 1);
        let mut found = Vec::new();
        turn(&mailbox, &mut found);
        assert_eq!(found.len(), 2);
        assert_eq!(mailbox.begin(), 0);
    });
}

#[test]
fn no_more_wait_than_may_and_who_is_refused_is_told() {
    explore(None, || {
        let mailbox = Mailbox::new(1);
        let posters: Vec<_> = (1..=2)
            .map(|number| {
                let slot = mailbox.slot();
                thread::spawn(move || slot.post(number).map(drop))
            })
            .collect();
        let batch = mailbox.begin();
        assert!(batch <= 1);
        let mut found: Vec<_> = (0..batch).map_while(|_| mailbox.next()).collect();
        let told: Vec<_> = posters.into_iter().map(|poster| poster.join().unwrap()).collect();
        turn(&mailbox, &mut found);
        let taken = told.iter().filter(|told| told.is_ok()).count();
        assert!(taken >= 1 && told.iter().all(|told| !matches!(told, Err(PostError::Closed))));
        assert_eq!(found.len(), taken);
        assert_eq!(mailbox.slot().waiting(), 0);
        assert!(mailbox.slot().post(3).is_ok());
    });
}

#[test]
fn what_is_bounded_by_something_else_is_taken_however_full_it_is() {
    explore(None, || {
        let mailbox = Mailbox::new(1);
        let (slot, other) = (mailbox.slot(), mailbox.slot());
        let posting = thread::spawn(move || slot.post(1).is_ok());
        let pushing = thread::spawn(move || other.push(2).is_ok());
        let posted = posting.join().unwrap();
        assert!(pushing.join().unwrap());
        let mut found = Vec::new();
        turn(&mailbox, &mut found);
        assert_eq!(found.len(), 1 + usize::from(posted));
    });
}

#[test]
fn a_mailbox_that_goes_lets_go_of_what_it_holds_and_tells_the_others() {
    explore(Some(3), || {
        let mailbox = Mailbox::new(8);
        let item = Arc::new(());
        let posters: Vec<_> = (1..=2)
            .map(|_| {
                let (slot, item) = (mailbox.slot(), Arc::clone(&item));
                thread::spawn(move || slot.post(item).map(drop))
            })
            .collect();
        drop(mailbox);
        for poster in posters {
            let told = poster.join().unwrap();
            assert!(told.is_ok() || told == Err(PostError::Closed));
        }
        assert_eq!(Arc::strong_count(&item), 1);
    });
}

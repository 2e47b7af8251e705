//! What the mailbox is made of, in one place: its tests put loom's types here instead.

pub(super) use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
pub(super) use std::sync::mpsc::{Receiver, Sender, channel};

//! Slots with generations: a slab whose keys go stale when their entry is removed.
//!
//! A key is an index and a generation; the generation changes with every removal, so a key kept
//! for too long finds nothing instead of a stranger. Packed into 64 bits it is a mio `Token`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use slab::Slab;

/// A generational slab: `insert` gives a [`Key`], `remove` makes every copy of that key stale.
pub(crate) struct Slots<T> {
    entries: Slab<T>,
    generations: Vec<u32>,
}

impl<T> Slots<T> {
    /// Reserves room for `capacity` entries at once; untouched pages cost nothing.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { entries: Slab::with_capacity(capacity), generations: Vec::with_capacity(capacity) }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key that the next [`Slots::insert`] will give.
    pub(crate) fn vacant_key(&self) -> Key<T> {
        let index = self.entries.vacant_key();
        Key::new(index_u32(index), self.generations.get(index).copied().unwrap_or(0))
    }

    pub(crate) fn insert(&mut self, value: T) -> Key<T> {
        let index = self.entries.insert(value);
        if index == self.generations.len() {
            self.generations.push(0);
        }
        Key::new(index_u32(index), self.generations[index])
    }

    pub(crate) fn get(&self, key: Key<T>) -> Option<&T> {
        if self.is_current(key) { self.entries.get(key.index()) } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key<T>) -> Option<&mut T> {
        if self.is_current(key) { self.entries.get_mut(key.index()) } else { None }
    }

    pub(crate) fn contains(&self, key: Key<T>) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn remove(&mut self, key: Key<T>) -> Option<T> {
        if !self.is_current(key) {
            return None;
        }
        let value = self.entries.try_remove(key.index())?;
        let generation = &mut self.generations[key.index()];
        *generation = generation.wrapping_add(1);
        Some(value)
    }

    /// Every entry with its key, in the order of their indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key<T>, &T)> {
        self.entries
            .iter()
            .map(|(index, value)| (Key::new(index_u32(index), self.generations[index]), value))
    }

    /// Every key at this moment, in the order of the indices.
    pub(crate) fn keys(&self) -> Vec<Key<T>> {
        self.iter().map(|(key, _)| key).collect()
    }

    fn is_current(&self, key: Key<T>) -> bool {
        self.generations.get(key.index()) == Some(&key.generation)
    }
}

/// The address of an entry of [`Slots`]: an index, and the generation it had when inserted.
pub(crate) struct Key<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    pub(crate) const fn new(index: u32, generation: u32) -> Self {
        Self { index, generation, of: PhantomData }
    }

    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) const fn generation(self) -> u32 {
        self.generation
    }

    /// Both halves in 64 bits, the generation above the index.
    pub(crate) const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 32) | self.index as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves are cut out on purpose")]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self::new(bits as u32, (bits >> 32) as u32)
    }

    /// The same address as the key of a table that runs parallel to this one.
    pub(crate) const fn cast<U>(self) -> Key<U> {
        Key::new(self.index, self.generation)
    }
}

impl<T> fmt::Debug for Slots<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({} in use)", self.entries.len())
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> PartialEq for Key<T> {
    fn eq(&self, other: &Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl<T> Eq for Key<T> {}

impl<T> PartialOrd for Key<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Key<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.index, self.generation).cmp(&(other.index, other.generation))
    }
}

impl<T> Hash for Key<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_bits().hash(state);
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}v{}", self.index, self.generation)
    }
}

/// Names one TCP connection. The type parameter is a mark only: the floor owns the entry.
pub(crate) type ConnectionKey = Key<ConnectionMark>;
/// Names one Engine.IO session, and its Socket.IO client and outbox, which run parallel to it.
pub(crate) type SessionKey = Key<SessionMark>;

/// Names one source of the host's own that the reactor watches.
pub(crate) type SourceKey = Key<SourceMark>;

impl SourceKey {
    /// What sets it apart from connections, whose indices are far smaller.
    const BIT: u64 = 1 << 31;

    /// The token that it is registered under.
    pub(crate) const fn to_token(self) -> u64 {
        self.to_bits() | Self::BIT
    }

    /// The key that is registered under a token, unless that is something else's.
    pub(crate) const fn from_token(token: u64) -> Option<Self> {
        if token & Self::BIT == 0 { None } else { Some(Self::from_bits(token & !Self::BIT)) }
    }
}

/// The mark of [`ConnectionKey`].
#[derive(Debug)]
pub(crate) enum ConnectionMark {}
/// The mark of [`SessionKey`].
#[derive(Debug)]
pub(crate) enum SessionMark {}
/// The mark of [`SourceKey`].
#[derive(Debug)]
pub(crate) enum SourceMark {}

/// Slab indices stay far below 2^32: every table here is bounded by the number of connections.
#[expect(clippy::cast_possible_truncation, reason = "bounded by connections_max, a u32")]
fn index_u32(index: usize) -> u32 {
    debug_assert!(u32::try_from(index).is_ok());
    index as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_key_stays_stale_after_its_slot_is_reused() {
        let mut slots = Slots::with_capacity(0);
        let first = slots.insert("a");
        assert_eq!(slots.remove(first), Some("a"));
        assert_eq!(slots.vacant_key().index(), first.index());
        let second = slots.insert("b");
        assert_eq!(second.index(), first.index());
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"b"));
    }

    #[test]
    fn a_key_survives_the_way_through_its_bits() {
        let key: Key<()> = Key::new(7, u32::MAX);
        assert_eq!(Key::from_bits(key.to_bits()), key);
        assert_eq!(format!("{key:?}"), "7v4294967295");
    }
}

//! The table of sockets: one entry for each client in each namespace.
//!
//! An entry is small, since a server holds as many as it has clients: what only some sockets have
//! (data, pending acknowledgements, handlers of its own, a CONNECT payload) is boxed.

use std::any::Any;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::rc::Rc;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::ack::Acks;
use super::handler::Handlers;
use super::namespaces::NamespaceId;
use super::rooms::SocketKey;
use super::socket_id::SocketId;
use crate::slots::{SessionKey, Slots};

/// One client in one namespace.
#[derive(Debug)]
pub(crate) struct SocketEntry {
    pub(crate) id: SocketId,
    pub(crate) session: SessionKey,
    pub(crate) namespace: NamespaceId,
    pub(crate) state: SocketState,
    /// Where it stands among the members of its namespace.
    pub(crate) position: u32,
    /// The next socket of the same client.
    pub(crate) sibling: Option<SocketKey>,
    /// The payload of its CONNECT packet, raw.
    pub(crate) auth: Option<Rc<str>>,
    pub(crate) extras: Option<Box<Extras>>,
}

/// What most sockets do without.
#[derive(Debug, Default)]
pub(crate) struct Extras {
    /// The acknowledgements that it owes.
    pub(crate) acks: Acks,
    /// The host's data, one value of each type.
    pub(crate) data: Vec<Rc<dyn Any>>,
    /// Handlers that were declared on this very socket.
    pub(crate) handlers: Option<Box<Handlers>>,
}

impl SocketEntry {
    /// The handlers that were declared on this very socket.
    pub(crate) fn handlers(&self) -> Option<&Handlers> {
        self.extras.as_ref()?.handlers.as_deref()
    }
}

impl Extras {
    pub(crate) fn is_empty(&self) -> bool {
        self.acks.len() == 0 && self.data.is_empty() && self.handlers.is_none()
    }
}

/// How far a socket is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketState {
    /// Its middleware runs; it has not been told that it is in.
    Connecting,
    /// It is a member of its namespace.
    Connected,
    /// It leaves: its `disconnecting` handlers run, its rooms are still there.
    Disconnecting,
    /// It has left: its `disconnect` handlers run, its rooms are gone.
    Disconnected,
}

/// All sockets, by key and by the id that clients see.
#[derive(Debug)]
pub(crate) struct Sockets {
    entries: Slots<SocketEntry>,
    by_id: HashTable<SocketKey>,
    /// Those that share an id, the one that got it last behind the others; nearly always empty.
    twins: HashMap<SocketId, Vec<SocketKey>>,
    /// A fast one will do: all ids in the index are ours, and random but for a namespace. Peers can
    /// only look some up.
    hasher: DefaultHashBuilder,
}

impl Sockets {
    pub(crate) fn with_capacity(sockets: usize) -> Self {
        Self {
            entries: Slots::with_capacity(sockets),
            by_id: HashTable::with_capacity(sockets),
            twins: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    pub(crate) fn insert(&mut self, entry: SocketEntry) -> SocketKey {
        let hash = self.hasher.hash_one(&entry.id);
        let key = self.entries.insert(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_id.insert_unique(hash, key, |&key| {
            entries.get(key).map_or(0, |entry| hasher.hash_one(&entry.id))
        });
        key
    }

    pub(crate) fn remove(&mut self, key: SocketKey) -> Option<SocketEntry> {
        let entry = self.entries.remove(key)?;
        let heir = self.forget_twin(&entry.id, key);
        if self.unindex(&entry.id, key)
            && let Some(heir) = heir
        {
            self.index(&entry.id, heir);
        }
        Some(entry)
    }

    /// Gives a socket the id that another had. Where that one is still here, the id means this one
    /// from now on.
    pub(crate) fn set_id(&mut self, key: SocketKey, id: &SocketId) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let old = std::mem::replace(&mut entry.id, id.clone());
        self.forget_twin(&old, key);
        self.unindex(&old, key);
        self.index(id, key);
        self.claim_id(key);
    }

    /// Of those who bear a socket's id, it is the one that is meant from now on.
    pub(crate) fn claim_id(&mut self, key: SocketKey) {
        let Some(id) = self.id(key) else { return };
        let hash = self.hasher.hash_one(&id);
        let entries = &self.entries;
        let is_other = |&kept: &SocketKey| {
            kept != key && entries.get(kept).is_some_and(|entry| entry.id == id)
        };
        if let Ok(found) = self.by_id.find_entry(hash, is_other) {
            let (other, _) = found.remove();
            self.twins.entry(id).or_insert_with(|| vec![other]).push(key);
        }
    }

    /// All sockets with this id, if there are several.
    pub(crate) fn twins(&self, id: &SocketId) -> &[SocketKey] {
        if self.twins.is_empty() {
            return &[];
        }
        self.twins.get(id).map_or(&[], Vec::as_slice)
    }

    /// Takes a socket off the list of those who share its id; returns who got it last of the rest.
    fn forget_twin(&mut self, id: &SocketId, key: SocketKey) -> Option<SocketKey> {
        if self.twins.is_empty() {
            return None;
        }
        let twins = self.twins.get_mut(id)?;
        twins.retain(|&twin| twin != key);
        let heir = twins.last().copied();
        if twins.len() < 2 {
            self.twins.remove(id);
        }
        heir
    }

    fn index(&mut self, id: &SocketId, key: SocketKey) {
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_id.insert_unique(hasher.hash_one(id), key, |&kept| {
            entries.get(kept).map_or(0, |entry| hasher.hash_one(&entry.id))
        });
    }

    /// Whether the socket was the one that its id meant.
    fn unindex(&mut self, id: &SocketId, key: SocketKey) -> bool {
        let found = self.by_id.find_entry(self.hasher.hash_one(id), |&kept| kept == key);
        found.map(|found| found.remove()).is_ok()
    }

    /// The socket with this id, in whatever namespace.
    pub(crate) fn find(&self, id: &str) -> Option<SocketKey> {
        let id: SocketId = id.parse().ok()?;
        let hash = self.hasher.hash_one(&id);
        self.by_id
            .find(hash, |&key| self.entries.get(key).is_some_and(|entry| entry.id == id))
            .copied()
    }

    pub(crate) fn id(&self, key: SocketKey) -> Option<SocketId> {
        self.get(key).map(|entry| entry.id.clone())
    }

    pub(crate) fn get(&self, key: SocketKey) -> Option<&SocketEntry> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: SocketKey) -> Option<&mut SocketEntry> {
        self.entries.get_mut(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn keys(&self) -> Vec<SocketKey> {
        self.entries.keys()
    }
}

//! The namespaces of a server: their names, members, rooms and handlers.
//!
//! Ids carry a generation, since children of dynamic namespaces may go; an id that is kept for too
//! long finds a namespace without a name, where nobody is and nothing happens.

use std::collections::HashMap;
use std::rc::Rc;

use regex_lite::Regex;

use super::Io;
use super::dynamic::NamespaceDecision;
use super::effects::Seat;
use super::handler::{Handlers, ListenerId};
use super::handshake::Handshake;
use super::rooms::{Member, Rooms, SocketKey};
use super::server_side::Watchers;
use crate::slots::{Key, Slots};

/// Names a namespace among those of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceId(Key<NamespaceEntry>);

/// One namespace.
pub(crate) struct NamespaceEntry {
    pub(crate) name: Rc<str>,
    /// All connected sockets, side by side, for a broadcast to walk.
    pub(crate) members: Vec<Member>,
    pub(crate) rooms: Rooms,
    pub(crate) handlers: Handlers,
    pub(super) seat: Seat,
    pub(super) watchers: Watchers,
    /// The id of the next acknowledgement asked for.
    pub(crate) next_ack: u64,
    /// All sockets, those included that are not in yet or have their last words.
    pub(crate) sockets_len: usize,
    /// Whether an outgoing catch-all was ever declared, here or on one of its sockets.
    pub(crate) hears_outgoing: bool,
    kind: Kind,
    /// What it has from its parent, was to run once, and has.
    spent: Vec<ListenerId>,
    /// Counts all declarations, to tell namespaces in their order.
    declared: u64,
}

/// How a namespace came to be.
enum Kind {
    /// It was declared by its name.
    Named,
    /// It stands for names and has no sockets of its own.
    Parent { matcher: Matcher, children: Vec<NamespaceId> },
    /// It was made when its name was asked for.
    Child { parent: NamespaceId },
}

/// Which names a parent stands for.
#[derive(Clone)]
pub(crate) enum Matcher {
    Pattern(Rc<Regex>),
    AtOnce(Rc<AtOnce>),
    Deferred(Rc<Deferred>),
}

type AtOnce = dyn Fn(&str, &Handshake) -> bool;
type Deferred = dyn Fn(Io<'_>, &str, &Handshake, NamespaceDecision);

/// All namespaces; the first is `/`.
pub(crate) struct Namespaces {
    entries: Slots<NamespaceEntry>,
    by_name: HashMap<Rc<str>, NamespaceId>,
    /// In the order of declaration.
    parents: Vec<NamespaceId>,
    children_len: usize,
    declared: u64,
    /// What is found by a stale id.
    nowhere: NamespaceEntry,
}

impl NamespaceId {
    /// The namespace `/`, which every server has.
    pub(crate) const MAIN: Self = Self(Key::new(0, 0));
    /// No namespace: what socket views answer whose socket has gone.
    pub(crate) const NOWHERE: Self = Self(Key::new(u32::MAX, u32::MAX));
}

impl Namespaces {
    /// `/` has room for so many sockets; the others grow with theirs.
    pub(crate) fn with_capacity(sockets: usize) -> Self {
        let mut namespaces = Self {
            entries: Slots::with_capacity(1),
            by_name: HashMap::new(),
            parents: Vec::new(),
            children_len: 0,
            declared: 0,
            nowhere: NamespaceEntry::new(Rc::from("")),
        };
        let main = namespaces.insert(MAIN_NAME);
        namespaces.get_mut(main).members.reserve_exact(sockets);
        namespaces
    }

    pub(crate) fn find(&self, name: &str) -> Option<NamespaceId> {
        // Nearly every client asks for `/`, and a hash costs more than a look.
        if name == MAIN_NAME { Some(NamespaceId::MAIN) } else { self.by_name.get(name).copied() }
    }

    pub(crate) fn insert(&mut self, name: &str) -> NamespaceId {
        let name: Rc<str> = Rc::from(name);
        let id = self.add(NamespaceEntry::new(Rc::clone(&name)));
        self.by_name.insert(name, id);
        id
    }

    /// A parent is found by no name; the one it has is the reference's.
    pub(crate) fn insert_parent(&mut self, matcher: Matcher) -> NamespaceId {
        let name = format!("{PARENT_PREFIX}{}", self.parents.len());
        let mut entry = NamespaceEntry::new(name.into());
        entry.kind = Kind::Parent { matcher, children: Vec::new() };
        let id = self.add(entry);
        self.parents.push(id);
        id
    }

    /// A child has what handlers its parent has at this moment.
    pub(crate) fn insert_child(&mut self, parent: NamespaceId, name: &str) -> NamespaceId {
        let id = self.insert(name);
        let entry = self.get_mut(parent);
        if let Kind::Parent { children, .. } = &mut entry.kind {
            children.push(id);
        }
        let (handlers, watchers) = (entry.handlers.clone(), entry.watchers.clone());
        let hears_outgoing = entry.hears_outgoing;
        let child = self.get_mut(id);
        child.handlers = handlers;
        child.watchers = watchers;
        child.hears_outgoing = hears_outgoing;
        child.kind = Kind::Child { parent };
        self.children_len += 1;
        id
    }

    /// Whether a handler that a child has from its parent, to run once, has not run there before.
    pub(crate) fn spend(&mut self, id: NamespaceId, listener: ListenerId) -> bool {
        let Some(entry) = self.entries.get_mut(id.0) else { return false };
        let is_first = !entry.spent.contains(&listener);
        if is_first {
            entry.spent.push(listener);
        }
        is_first
    }

    /// Takes out a child without sockets.
    pub(crate) fn remove_if_empty_child(&mut self, id: NamespaceId) -> Option<NamespaceEntry> {
        let entry = self.entries.get(id.0).filter(|entry| entry.sockets_len == 0)?;
        let Kind::Child { parent } = entry.kind else { return None };
        if let Kind::Parent { children, .. } = &mut self.get_mut(parent).kind {
            children.retain(|&child| child != id);
        }
        let entry = self.entries.remove(id.0)?;
        self.by_name.remove(&entry.name);
        self.children_len -= 1;
        Some(entry)
    }

    /// Whether it is a child without sockets.
    pub(crate) fn is_empty_child(&self, id: NamespaceId) -> bool {
        let entry = self.get(id);
        entry.sockets_len == 0 && matches!(entry.kind, Kind::Child { .. })
    }

    /// All of them, parents included.
    pub(crate) fn ids(&self) -> Vec<NamespaceId> {
        self.entries.keys().into_iter().map(NamespaceId).collect()
    }

    pub(crate) fn contains(&self, id: NamespaceId) -> bool {
        self.entries.contains(id.0)
    }

    pub(crate) fn get(&self, id: NamespaceId) -> &NamespaceEntry {
        self.entries.get(id.0).unwrap_or(&self.nowhere)
    }

    pub(crate) fn get_mut(&mut self, id: NamespaceId) -> &mut NamespaceEntry {
        self.entries.get_mut(id.0).unwrap_or(&mut self.nowhere)
    }

    /// Those that clients may join, in the order in which they were declared or made.
    pub(crate) fn names(&self) -> Vec<Rc<str>> {
        let mut entries: Vec<_> = self.entries.iter().map(|(_, entry)| entry).collect();
        entries.retain(|entry| !matches!(entry.kind, Kind::Parent { .. }));
        entries.sort_unstable_by_key(|entry| entry.declared);
        entries.into_iter().map(|entry| Rc::clone(&entry.name)).collect()
    }

    pub(crate) fn has_parents(&self) -> bool {
        !self.parents.is_empty()
    }

    /// How many children all parents have.
    pub(crate) fn children_len(&self) -> usize {
        self.children_len
    }

    pub(crate) fn parent(&self, index: usize) -> Option<NamespaceId> {
        self.parents.get(index).copied()
    }

    pub(crate) fn matcher(&self, index: usize) -> Option<&Matcher> {
        match &self.get(self.parent(index)?).kind {
            Kind::Parent { matcher, .. } => Some(matcher),
            _ => None,
        }
    }

    /// The parent of this name, which only the host may use.
    pub(crate) fn parent_by_name(&self, name: &str) -> Option<NamespaceId> {
        let index: usize = name.strip_prefix(PARENT_PREFIX)?.parse().ok()?;
        self.parent(index).filter(|&parent| *self.get(parent).name == *name)
    }

    /// The first parent whose pattern fits; closures aren't asked.
    pub(crate) fn parent_by_pattern(&self, name: &str) -> Option<NamespaceId> {
        self.parents.iter().copied().find(|&parent| match &self.get(parent).kind {
            Kind::Parent { matcher: Matcher::Pattern(pattern), .. } => pattern.is_match(name),
            _ => false,
        })
    }

    fn add(&mut self, mut entry: NamespaceEntry) -> NamespaceId {
        self.declared += 1;
        entry.declared = self.declared;
        NamespaceId(self.entries.insert(entry))
    }
}

impl NamespaceEntry {
    fn new(name: Rc<str>) -> Self {
        Self {
            name,
            members: Vec::new(),
            rooms: Rooms::default(),
            handlers: Handlers::default(),
            seat: Seat::default(),
            watchers: Watchers::default(),
            next_ack: 0,
            sockets_len: 0,
            hears_outgoing: false,
            kind: Kind::Named,
            spent: Vec::new(),
            declared: 0,
        }
    }

    /// The namespaces that a parent stands for; `None` if it is none.
    pub(crate) fn children(&self) -> Option<&[NamespaceId]> {
        match &self.kind {
            Kind::Parent { children, .. } => Some(children),
            _ => None,
        }
    }

    /// Adds a member and returns where it stands.
    pub(crate) fn add(&mut self, member: Member) -> u32 {
        self.members.push(member);
        u32::try_from(self.members.len() - 1).unwrap_or(u32::MAX)
    }

    /// Takes out the member at `position`; the last one moves into the gap, and its key is
    /// returned so that its position can be noted.
    pub(crate) fn remove(&mut self, position: u32) -> Option<SocketKey> {
        let position = position as usize;
        if position >= self.members.len() {
            return None;
        }
        self.members.swap_remove(position);
        self.members.get(position).map(|moved| moved.socket)
    }
}

const MAIN_NAME: &str = "/";
/// Parents are called `/_0`, `/_1` and so on.
const PARENT_PREFIX: &str = "/_";

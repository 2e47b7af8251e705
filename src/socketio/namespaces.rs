//! The namespaces of a server: their names, members, rooms and handlers.

use std::collections::HashMap;
use std::rc::Rc;

use super::adapter::{Adapter, LocalAdapter};
use super::handler::Handlers;
use super::rooms::{Member, Rooms, SocketKey};

/// Names a namespace among those of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceId(u32);

/// One namespace.
pub(crate) struct NamespaceEntry {
    pub(crate) name: Rc<str>,
    /// All connected sockets, side by side, for a broadcast to walk.
    pub(crate) members: Vec<Member>,
    pub(crate) rooms: Rooms,
    pub(crate) handlers: Handlers,
    pub(crate) adapter: Box<dyn Adapter>,
    /// The id of the next acknowledgement asked for.
    pub(crate) next_ack: u64,
}

/// All namespaces; the first is `/`.
pub(crate) struct Namespaces {
    entries: Vec<NamespaceEntry>,
    by_name: HashMap<Rc<str>, NamespaceId>,
}

impl NamespaceId {
    /// The namespace `/`, which every server has.
    pub(crate) const MAIN: Self = Self(0);

    fn index(self) -> usize {
        self.0 as usize
    }
}

impl Namespaces {
    /// `/` has room for so many sockets; the others grow with theirs.
    pub(crate) fn with_capacity(sockets: usize) -> Self {
        let mut namespaces = Self { entries: Vec::new(), by_name: HashMap::new() };
        let main = namespaces.insert(MAIN_NAME);
        namespaces.get_mut(main).members.reserve_exact(sockets);
        namespaces
    }

    pub(crate) fn find(&self, name: &str) -> Option<NamespaceId> {
        // Nearly every client asks for `/`, and a hash costs more than a look.
        if name == MAIN_NAME { Some(NamespaceId::MAIN) } else { self.by_name.get(name).copied() }
    }

    pub(crate) fn find_or_insert(&mut self, name: &str) -> NamespaceId {
        self.find(name).unwrap_or_else(|| self.insert(name))
    }

    fn insert(&mut self, name: &str) -> NamespaceId {
        let id = NamespaceId(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        let name: Rc<str> = Rc::from(name);
        self.by_name.insert(Rc::clone(&name), id);
        self.entries.push(NamespaceEntry {
            name,
            members: Vec::new(),
            rooms: Rooms::default(),
            handlers: Handlers::default(),
            adapter: Box::new(LocalAdapter),
            next_ack: 0,
        });
        id
    }

    /// Ids are never reused and come from here alone.
    pub(crate) fn get(&self, id: NamespaceId) -> &NamespaceEntry {
        &self.entries[id.index()]
    }

    pub(crate) fn get_mut(&mut self, id: NamespaceId) -> &mut NamespaceEntry {
        &mut self.entries[id.index()]
    }

    /// In the order in which they were declared.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &NamespaceEntry> {
        self.entries.iter()
    }
}

impl NamespaceEntry {
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

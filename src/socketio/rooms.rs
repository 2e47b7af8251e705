//! Which sockets of one namespace are in which rooms of this server: local, concrete, dense.
//!
//! A room exists while somebody is in it. Members lie side by side, so a broadcast walks an array;
//! leaving takes the last member into the gap. The room that bears a socket's own id isn't kept
//! here: it has one member for life, and the namespace finds it by the id.

use std::collections::HashMap;
use std::rc::Rc;

use slab::Slab;

use crate::slots::{Key, SessionKey};

/// The key of a socket in the table of all sockets.
pub(crate) type SocketKey = Key<super::sockets::SocketEntry>;

/// A socket in a room, with the session its messages go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) socket: SocketKey,
    pub(crate) session: SessionKey,
}

/// The rooms of one namespace.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    by_name: HashMap<Rc<str>, usize>,
    entries: Slab<Room>,
    memberships: HashMap<SocketKey, Vec<Membership>>,
    joins: u64,
}

#[derive(Debug)]
struct Room {
    name: Rc<str>,
    members: Vec<Member>,
}

/// One room of one socket; a socket's memberships lie in the order of their rooms' indices, so
/// that leaving thousands of shared rooms doesn't search each list for each room.
#[derive(Clone, Copy, Debug)]
struct Membership {
    room: usize,
    position: usize,
    /// Counts all joins, to tell rooms in the order in which they were joined.
    joined: u64,
}

impl Rooms {
    /// Puts a member into a room, made if need be. Joining twice is joining once, and beyond
    /// `rooms_max` rooms nothing is joined: both answer `false`.
    pub(crate) fn join(&mut self, member: Member, name: &str, rooms_max: usize) -> bool {
        let memberships = self.memberships.entry(member.socket).or_default();
        let room = self.by_name.get(name).copied();
        let is_in = room.is_some_and(|room| find(memberships, room).is_ok());
        if is_in || memberships.len() >= rooms_max {
            return false;
        }
        let room = room.unwrap_or_else(|| {
            let name: Rc<str> = Rc::from(name);
            let room = self.entries.insert(Room { name: Rc::clone(&name), members: Vec::new() });
            self.by_name.insert(name, room);
            room
        });
        let members = &mut self.entries[room].members;
        self.joins += 1;
        let membership = Membership { room, position: members.len(), joined: self.joins };
        let (Ok(place) | Err(place)) = find(memberships, room);
        memberships.insert(place, membership);
        members.push(member);
        true
    }

    /// Takes a socket out of a room; the last one to leave takes the room away.
    pub(crate) fn leave(&mut self, socket: SocketKey, name: &str) -> bool {
        let Some(&room) = self.by_name.get(name) else { return false };
        let Some(memberships) = self.memberships.get_mut(&socket) else { return false };
        let Ok(place) = find(memberships, room) else { return false };
        let membership = memberships.remove(place);
        if memberships.is_empty() {
            self.memberships.remove(&socket);
        }
        self.remove_member(membership);
        true
    }

    /// Takes a socket out of every room.
    pub(crate) fn leave_all(&mut self, socket: SocketKey) {
        for membership in self.memberships.remove(&socket).unwrap_or_default() {
            self.remove_member(membership);
        }
    }

    /// Whether a socket is in a room.
    pub(crate) fn contains(&self, socket: SocketKey, name: &str) -> bool {
        let room = self.by_name.get(name);
        let memberships = self.memberships.get(&socket);
        room.zip(memberships).is_some_and(|(&room, kept)| find(kept, room).is_ok())
    }

    /// The rooms a socket is in, in the order it joined them, without its own.
    pub(crate) fn of(&self, socket: SocketKey) -> Vec<Rc<str>> {
        let memberships = self.memberships.get(&socket).map_or(&[][..], Vec::as_slice);
        let mut memberships = memberships.to_vec();
        memberships.sort_unstable_by_key(|kept| kept.joined);
        let rooms = memberships.iter().filter_map(|kept| self.entries.get(kept.room));
        rooms.map(|room| Rc::clone(&room.name)).collect()
    }

    /// The members of a room; nobody where there is none of that name.
    pub(crate) fn members(&self, name: &str) -> &[Member] {
        let room = self.by_name.get(name).and_then(|&room| self.entries.get(room));
        room.map_or(&[], |room| &room.members)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn remove_member(&mut self, gone: Membership) {
        let Some(room) = self.entries.get_mut(gone.room) else { return };
        room.members.swap_remove(gone.position);
        if room.members.is_empty() {
            let room = self.entries.remove(gone.room);
            self.by_name.remove(&room.name);
        } else if let Some(moved) = room.members.get(gone.position)
            && let Some(memberships) = self.memberships.get_mut(&moved.socket)
            && let Ok(place) = find(memberships, gone.room)
        {
            memberships[place].position = gone.position;
        }
    }
}

/// Where the membership of a room is, or belongs.
fn find(memberships: &[Membership], room: usize) -> Result<usize, usize> {
    memberships.binary_search_by_key(&room, |kept| kept.room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use std::collections::{BTreeMap, BTreeSet};

    fn member(index: u32) -> Member {
        Member { socket: Key::new(index, 0), session: Key::new(index, 0) }
    }

    #[test]
    fn agrees_with_sets_under_random_use() {
        for seed in 0..300 {
            let mut random = SeededEntropy::new(seed);
            let mut rooms = Rooms::default();
            let mut model: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
            for _ in 0..200 {
                let socket = u32::try_from(random.next() % 8).unwrap();
                let name = format!("room-{}", random.next() % 5);
                match random.next() % 5 {
                    0..=2 => {
                        let joined = rooms.join(member(socket), &name, 100);
                        assert_eq!(joined, model.entry(name).or_default().insert(socket));
                    }
                    3 => {
                        let left = rooms.leave(member(socket).socket, &name);
                        assert_eq!(left, model.entry(name).or_default().remove(&socket));
                    }
                    _ => {
                        rooms.leave_all(member(socket).socket);
                        for members in model.values_mut() {
                            members.remove(&socket);
                        }
                    }
                }
                for (name, expected) in &model {
                    let members: BTreeSet<u32> = rooms
                        .members(name)
                        .iter()
                        .map(|member| u32::try_from(member.socket.index()).unwrap())
                        .collect();
                    assert_eq!(&members, expected, "seed {seed}");
                }
                assert_eq!(rooms.len(), model.values().filter(|m| !m.is_empty()).count());
            }
        }
    }

    #[test]
    fn rooms_are_told_in_the_order_they_were_joined() {
        let mut rooms = Rooms::default();
        for name in ["z", "a", "m", "b"] {
            assert!(rooms.join(member(2), name, 10));
            assert!(rooms.join(member(1), name, 10));
        }
        assert!(rooms.leave(member(2).socket, "a"));
        assert!(rooms.join(member(2), "a", 10));
        assert_eq!(rooms.of(member(2).socket), ["z", "m", "b", "a"].map(Rc::from));
    }

    #[test]
    fn a_socket_is_in_no_more_rooms_than_allowed() {
        let mut rooms = Rooms::default();
        assert!(rooms.join(member(1), "a", 1));
        assert!(!rooms.join(member(1), "b", 1));
        assert!(rooms.leave(member(1).socket, "a"));
        assert!(rooms.join(member(1), "b", 1));
        assert_eq!(rooms.of(member(1).socket), [Rc::from("b")]);
    }
}

//! Socket.IO's view of the sessions: one client each, by session index.

use std::rc::Rc;

use super::handshake::Opening;
use super::incoming::Waiting;
use super::rooms::SocketKey;
use crate::deadlines::DeadlineId;
use crate::slots::SessionKey;

/// The clients of all sessions.
#[derive(Debug)]
pub(crate) struct Clients {
    entries: Vec<Option<Client>>,
}

/// What Socket.IO knows of one session.
#[derive(Debug)]
pub(crate) struct Client {
    session: SessionKey,
    /// Its first socket; each names the next.
    pub(crate) first_socket: Option<SocketKey>,
    /// How many sockets it has, and how many more it has asked for and is to hear of.
    pub(crate) sockets: u32,
    /// The tick in which the server last took one of its sockets out of a namespace; 0 is none.
    pub(crate) left_in_tick: u32,
    /// A packet of which only the first messages have come.
    pub(crate) waiting: Option<Box<Waiting>>,
    /// When the client must have joined a namespace; gone once it has.
    pub(crate) connect_deadline: Option<DeadlineId>,
    pub(crate) opening: Option<Rc<Opening>>,
}

impl Clients {
    pub(crate) fn with_capacity(clients: usize) -> Self {
        Self { entries: Vec::with_capacity(clients) }
    }

    pub(crate) fn insert(&mut self, session: SessionKey, opening: Option<Rc<Opening>>) {
        if self.entries.len() <= session.index() {
            self.entries.resize_with(session.index() + 1, || None);
        }
        self.entries[session.index()] = Some(Client {
            session,
            first_socket: None,
            sockets: 0,
            left_in_tick: 0,
            waiting: None,
            connect_deadline: None,
            opening,
        });
    }

    pub(crate) fn get(&self, session: SessionKey) -> Option<&Client> {
        self.entries.get(session.index())?.as_ref().filter(|client| client.session == session)
    }

    pub(crate) fn get_mut(&mut self, session: SessionKey) -> Option<&mut Client> {
        self.entries.get_mut(session.index())?.as_mut().filter(|client| client.session == session)
    }

    pub(crate) fn remove(&mut self, session: SessionKey) -> Option<Client> {
        self.get(session)?;
        self.entries.get_mut(session.index())?.take()
    }
}

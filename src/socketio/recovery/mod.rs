//! Connection state recovery: what a client is told when it comes, what is kept when it leaves, and
//! how it gets that back.
//!
//! ```text
//! < 40{"sid":"S","pid":"P"}   < 42["chat","hi","Q7_Nb4W"]       ... the connection breaks ...
//! > 40{"pid":"P","offset":"Q7_Nb4W"}
//! < 42["chat","missed","Q7_NcA0"]   < 40{"sid":"S","pid":"P"}
//! ```
//!
//! Where recovery is off none of this is entered, and a socket costs nothing more.

mod adapter;
mod offset;
mod store;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

pub use adapter::RecoveringAdapter;
pub use store::RecoveryStore;

use super::adapter::{BroadcastOptions, Emitted, EncodedEvent, OutgoingEvent, Request};
use super::rooms::{Member, SocketKey};
use super::socket::Socket;
use super::socket_id::SocketId;
use super::{Hub, State};
use crate::engineio::{DisconnectReason, Sid};
use crate::outbox::Lane;
use crate::slots::SessionKey;

/// What is kept of a client that has left, so that it may recover.
///
/// ```
/// use throng::adapter::SavedSession;
///
/// // As an adapter may store it.
/// let json = r#"{"sid":"AAAAAAAAAAAAAAAAAAAA","pid":"secret","rooms":["lobby"],"data":null}"#;
/// let session: SavedSession = serde_json::from_str(json)?;
/// assert_eq!(&*session.pid, "secret");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SavedSession {
    /// The id that its socket had, and gets again.
    pub sid: SocketId,
    /// The secret by which it comes back.
    pub pid: Rc<str>,
    /// Its rooms, the one that bears its own id first.
    pub rooms: Vec<Rc<str>>,
    /// The data that its namespace shares, as JSON text.
    pub data: Option<Rc<str>>,
}

/// A session that was found, and what its client missed.
///
/// ```
/// use throng::adapter::{RestoredSession, SavedSession};
///
/// fn with_nothing_missed(session: SavedSession) -> RestoredSession {
///     RestoredSession { session, missed: Vec::new() }
/// }
/// # let _ = with_nothing_missed;
/// ```
#[derive(Clone, Debug)]
pub struct RestoredSession {
    /// The session as it was saved.
    pub session: SavedSession,
    /// The events behind the client's offset that are for it, offsets included, in order.
    pub missed: Vec<EncodedEvent>,
}

/// Who a socket is, beside its public id.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    /// The private id, which its client alone knows.
    pid: Sid,
    recovered: bool,
}

/// What a client that is let in is told: its id, and the private one if it may recover.
pub(super) struct Welcome {
    id: SocketId,
    pid: Option<Sid>,
}

impl Welcome {
    /// `{"sid":"..","pid":".."}` in pieces, since every client is told so once: they are written
    /// where they are sent from.
    pub(super) fn json(&self) -> [&[u8]; 5] {
        let [name, pid]: [&[u8]; 2] = match &self.pid {
            Some(pid) => [b"\",\"pid\":\"", pid.as_bytes()],
            None => [&[]; 2],
        };
        [b"{\"sid\":\"", self.id.as_bytes(), name, pid, b"\"}"]
    }
}

/// The private ids of all sockets; empty where recovery is off.
#[derive(Default)]
pub(super) struct Identities(HashMap<SocketKey, Identity>);

/// What a client that comes back says of itself in its CONNECT payload.
#[derive(Deserialize)]
struct Claim<'a> {
    #[serde(borrow)]
    pid: Cow<'a, str>,
    #[serde(borrow)]
    offset: Cow<'a, str>,
}

impl Socket<'_> {
    /// Whether its client had been here before, and got back its id, its rooms, its shared data and
    /// what it missed.
    pub fn recovered(self) -> bool {
        let state = self.hub.state.borrow();
        state.identities.0.get(&self.key).is_some_and(|identity| identity.recovered)
    }

    /// The secret by which its client may recover; `None` where recovery is off. It is nobody
    /// else's to know.
    pub fn private_id(self) -> Option<String> {
        let state = self.hub.state.borrow();
        state.identities.0.get(&self.key).map(|identity| identity.pid.as_str().to_owned())
    }
}

impl Hub {
    /// Gives a new socket its identity: at once, or when the adapter has found what it claims to
    /// have been. Then its way into the namespace goes on.
    pub(super) fn identify(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        payload: Option<&str>,
    ) {
        let claim = payload.and_then(|payload| serde_json::from_str::<Claim<'_>>(payload).ok());
        let namespace = self.state.borrow().sockets.get(key).map(|entry| entry.namespace);
        let Some((claim, namespace)) = claim.zip(namespace) else {
            self.state.borrow_mut().identify_anew(key);
            return self.begin_course(session, key);
        };
        if !self.state.borrow_mut().may_restore(session) {
            return self.finish_restore(session, key, None);
        }
        let request = Request::new(&self.effects, move |hub, found| {
            hub.finish_restore(session, key, found.ok().flatten());
        });
        self.with_adapter(namespace, |adapter, local| {
            adapter.restore_session(local, &claim.pid, &claim.offset, request);
        });
    }

    fn finish_restore(
        self: &Rc<Self>,
        session: SessionKey,
        key: SocketKey,
        found: Option<RestoredSession>,
    ) {
        // Its client may have gone meanwhile, and the socket be there only to be seen.
        if self.state.borrow().session_of_connecting(key).is_none() {
            return;
        }
        // More than may wait for it would only have it closed, again and again.
        let found = found.filter(|found| self.state.borrow().may_wait(session, found));
        let pid = found.as_ref().and_then(|found| Sid::parse(&found.session.pid));
        let Some((pid, found)) = pid.zip(found) else {
            {
                let state = &mut *self.state.borrow_mut();
                state.counters.recoveries_failed += 1;
                state.identify_anew(key);
            }
            return self.begin_course(session, key);
        };
        self.state.borrow_mut().take_up(session, key, pid, &found);
        self.run_effects();
        if let Some(data) = &found.session.data {
            self.restore_shared_data(key, data);
        }
        if self.skips_middlewares() {
            self.let_in(session, key);
        } else {
            self.begin_course(session, key);
        }
    }

    fn skips_middlewares(&self) -> bool {
        let state = self.state.borrow();
        state.config.recovery.as_ref().is_some_and(|recovery| recovery.skip_middlewares)
    }

    /// Keeps what a socket that leaves for this reason may come back to.
    pub(super) fn persist(self: &Rc<Self>, key: SocketKey, reason: DisconnectReason) {
        if !self.recovers || !is_recoverable(reason) {
            return;
        }
        let socket = Socket::new(self, key);
        let Some(pid) = socket.private_id() else { return };
        let data = self.shared_data_json(key);
        let (sid, namespace) = (socket.id(), socket.namespace().id);
        let rooms = std::iter::once(Rc::from(sid.as_str())).chain(socket.rooms()).collect();
        let session = SavedSession { sid, pid: pid.into(), rooms, data };
        self.state.borrow_mut().counters.sessions_persisted += 1;
        self.with_adapter(namespace, |adapter, local| adapter.persist_session(local, session));
    }

    /// Sends an event to one socket through the adapter, which may keep it.
    pub(super) fn emit_recoverably(
        self: &Rc<Self>,
        key: SocketKey,
        event: OutgoingEvent,
        volatile: bool,
    ) -> Emitted {
        let address = {
            let state = self.state.borrow();
            state.sockets.get(key).map(|entry| (entry.namespace, entry.id.clone()))
        };
        let Some((namespace, id)) = address else { return Emitted::default() };
        let mut options = BroadcastOptions::default();
        options.add_rooms(&id);
        options.volatile = volatile;
        self.with_adapter(namespace, |adapter, local| adapter.broadcast(local, event, &options))
    }
}

impl State {
    fn identify_anew(&mut self, key: SocketKey) {
        let pid = Sid::generate(&mut *self.entropy);
        self.identities.0.insert(key, Identity { pid, recovered: false });
    }

    /// A session that was found stays found: a client that came back to it over and over would
    /// have everybody wait.
    fn may_restore(&mut self, session: SessionKey) -> bool {
        let restores = self.restores.entry(session).or_default();
        *restores += 1;
        *restores <= RESTORES_PER_CLIENT_MAX
    }

    fn may_wait(&self, session: SessionKey, found: &RestoredSession) -> bool {
        let missed = found.missed.iter().map(|event| event.bytes() + EVENT_COST_BYTES);
        self.outboxes.cost(session).saturating_add(missed.sum()) <= self.hard_bytes_max
    }

    /// Makes a new socket what another was, and sends its client what it missed.
    fn take_up(&mut self, session: SessionKey, key: SocketKey, pid: Sid, found: &RestoredSession) {
        self.counters.sessions_recovered += 1;
        self.sockets.set_id(key, &found.session.sid);
        self.identities.0.insert(key, Identity { pid, recovered: true });
        for room in &found.session.rooms {
            self.join_room(Member { socket: key, session }, room);
        }
        for event in &found.missed {
            self.outboxes.push(session, &event.message, Lane::Soon);
        }
        self.counters.deliveries += found.missed.len() as u64;
    }

    pub(super) fn welcome_of(&self, key: SocketKey, id: &SocketId) -> Welcome {
        let pid = self.identities.0.get(&key).map(|identity| identity.pid);
        Welcome { id: id.clone(), pid }
    }

    pub(super) fn forget_identity(&mut self, key: SocketKey) {
        self.identities.0.remove(&key);
    }
}

/// Who left for one of these reasons didn't mean to (the reference's list).
fn is_recoverable(reason: DisconnectReason) -> bool {
    !matches!(
        reason,
        DisconnectReason::ClientNamespaceDisconnect
            | DisconnectReason::ServerNamespaceDisconnect
            | DisconnectReason::ParseError
    )
}

impl fmt::Debug for SavedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedSession")
            .field("sid", &self.sid)
            .field("rooms", &self.rooms)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identities({})", self.0.len())
    }
}

/// As many namespaces as one client may come back to over one connection; the others are new.
const RESTORES_PER_CLIENT_MAX: u32 = 16;
/// What a message counts for beside its bytes where limits on what waits are judged.
const EVENT_COST_BYTES: usize = 128;

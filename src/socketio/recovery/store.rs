//! What a server on its own keeps so that clients may recover: the last events, and the sessions
//! of those who have left. Both in order of time, bounded by time, count and bytes.
//!
//! Each namespace has a share of its own, where its clients look. What is let go of when there is
//! too much is the oldest of all shares: the limits hold for all of them together.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::RecoveringAdapter;
use super::offset::Offset;
use crate::config::RecoveryConfig;
use crate::socketio::adapter::{BroadcastOptions, EncodedEvent, RestoredSession, SavedSession};
use crate::socketio::socket_id::SocketId;

/// What the adapters of several namespaces keep together, so that the limits of
/// [`RecoveryConfig`] hold for all of them: a handle, whose clones are the same store.
///
/// A server with [`SocketConfig::recovery`](crate::config::SocketConfig::recovery) has one. With
/// adapters of the host's own it is made like this:
///
/// ```
/// use throng::Server;
/// use throng::adapter::RecoveryStore;
/// use throng::config::{Config, RecoveryConfig};
///
/// let mut config = Config::default();
/// config.socket.recovery = Some(RecoveryConfig::default());
/// let store = RecoveryStore::new(RecoveryConfig::default());
/// let server = Server::builder()
///     .config(config)
///     .adapter(move |_namespace| Box::new(store.adapter()))
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct RecoveryStore(Rc<RefCell<Stock>>);

/// Names the share of one namespace; never used again when that has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ShareId(u64);

/// The shares of a store, and what all of them hold.
pub(super) struct Stock {
    config: RecoveryConfig,
    shares: HashMap<ShareId, Share>,
    /// Whose each event is, in the order in which they were kept; stale where a share has gone.
    event_order: VecDeque<ShareId>,
    events: usize,
    events_bytes: usize,
    /// Sessions in the order in which they were kept; an entry is stale when its serial is.
    session_order: VecDeque<(ShareId, Rc<str>, u64)>,
    sessions: usize,
    sessions_bytes: usize,
    /// Counts shares and sessions, to tell each from all before.
    serial: u64,
}

/// What is kept of one namespace.
#[derive(Default)]
struct Share {
    events: VecDeque<Stored>,
    last: Offset,
    sessions: HashMap<Rc<str>, Kept>,
}

struct Stored {
    offset: Offset,
    at: Duration,
    event: EncodedEvent,
    audience: Audience,
}

/// Whom a stored event was for.
enum Audience {
    Everybody,
    /// Most events are for one socket; it shall not cost a list.
    One(SocketId),
    Meant(Box<BroadcastOptions>),
}

struct Kept {
    session: SavedSession,
    at: Duration,
    serial: u64,
}

impl RecoveryStore {
    /// A store that keeps nothing yet.
    pub fn new(config: RecoveryConfig) -> Self {
        Self(Rc::new(RefCell::new(Stock {
            config,
            shares: HashMap::new(),
            event_order: VecDeque::new(),
            events: 0,
            events_bytes: 0,
            session_order: VecDeque::new(),
            sessions: 0,
            sessions_bytes: 0,
            serial: 0,
        })))
    }

    /// An adapter for one more namespace. What it has kept goes with it.
    pub fn adapter(&self) -> RecoveringAdapter {
        let share = self.with(|stock| {
            stock.serial += 1;
            let id = ShareId(stock.serial);
            stock.shares.insert(id, Share::default());
            id
        });
        RecoveringAdapter::on(self.clone(), share)
    }

    pub(super) fn with<R>(&self, act: impl FnOnce(&mut Stock) -> R) -> R {
        act(&mut self.0.borrow_mut())
    }
}

impl Stock {
    /// The place of the next event of a namespace.
    pub(super) fn next_offset(&mut self, id: ShareId, wall: Duration) -> Offset {
        let Some(share) = self.shares.get_mut(&id) else { return Offset::default() };
        share.last = share.last.next(wall);
        share.last
    }

    /// Keeps an event at the last place of a namespace; tells how many others had to go for it.
    pub(super) fn store(
        &mut self,
        id: ShareId,
        now: Duration,
        event: EncodedEvent,
        options: &BroadcastOptions,
    ) -> usize {
        let Some(share) = self.shares.get_mut(&id) else { return 0 };
        let audience = Audience::of(options);
        let stored = Stored { offset: share.last, at: now, event, audience };
        self.events += 1;
        self.events_bytes += stored.bytes();
        share.events.push_back(stored);
        self.event_order.push_back(id);
        let mut evicted = 0;
        while self.events > self.config.events_max
            || self.events_bytes > self.config.events_bytes_max
        {
            self.forget_oldest_event();
            evicted += 1;
        }
        evicted
    }

    fn forget_oldest_event(&mut self) {
        while let Some(id) = self.event_order.pop_front() {
            let share = self.shares.get_mut(&id);
            if let Some(stored) = share.and_then(|share| share.events.pop_front()) {
                self.events -= 1;
                self.events_bytes -= stored.bytes();
                return;
            }
        }
    }

    /// Keeps a session; tells how many others had to go for it.
    pub(super) fn keep(&mut self, id: ShareId, now: Duration, session: SavedSession) -> usize {
        let pid = Rc::clone(&session.pid);
        self.forget_session(id, &pid);
        let Some(share) = self.shares.get_mut(&id) else { return 0 };
        self.serial += 1;
        self.sessions += 1;
        self.sessions_bytes += bytes_of(&session);
        self.session_order.push_back((id, Rc::clone(&pid), self.serial));
        share.sessions.insert(pid, Kept { session, at: now, serial: self.serial });
        let mut evicted = 0;
        while self.sessions > self.config.sessions_max
            || self.sessions_bytes > self.config.sessions_bytes_max
        {
            let Some((id, pid, serial)) = self.session_order.pop_front() else { break };
            if self.is_current(id, &pid, serial) {
                self.forget_session(id, &pid);
                evicted += 1;
            }
        }
        self.forget_stale();
        evicted
    }

    fn forget_session(&mut self, id: ShareId, pid: &str) {
        let share = self.shares.get_mut(&id);
        if let Some(kept) = share.and_then(|share| share.sessions.remove(pid)) {
            self.sessions -= 1;
            self.sessions_bytes -= bytes_of(&kept.session);
        }
    }

    /// Clients that come and go, and namespaces that do, must not make the orders grow.
    fn forget_stale(&mut self) {
        while let Some((id, pid, serial)) = self.session_order.front()
            && !self.is_current(*id, pid, *serial)
        {
            self.session_order.pop_front();
        }
        let shares = &self.shares;
        if self.session_order.len() > 2 * self.sessions + 64 {
            self.session_order.retain(|(id, pid, serial)| {
                let kept = shares.get(id).and_then(|share| share.sessions.get(pid));
                kept.is_some_and(|kept| kept.serial == *serial)
            });
        }
        if self.event_order.len() > 2 * self.events + 64 {
            self.event_order.retain(|id| shares.contains_key(id));
        }
    }

    fn is_current(&self, id: ShareId, pid: &str, serial: u64) -> bool {
        let kept = self.shares.get(&id).and_then(|share| share.sessions.get(pid));
        kept.is_some_and(|kept| kept.serial == serial)
    }

    pub(super) fn restore(
        &mut self,
        id: ShareId,
        now: Duration,
        pid: &str,
        offset: &str,
    ) -> Option<RestoredSession> {
        if self.is_over(self.shares.get(&id)?.sessions.get(pid)?.at, now) {
            self.forget_session(id, pid);
            return None;
        }
        let share = self.shares.get(&id)?;
        let offset = Offset::parse(offset)?;
        let found = share.events.binary_search_by_key(&offset, |stored| stored.offset).ok()?;
        let session = share.sessions.get(pid)?.session.clone();
        let behind = share.events.range(found + 1..);
        let missed = behind.filter(|stored| stored.audience.has(&session));
        let missed = missed.map(|stored| stored.event.clone()).collect();
        Some(RestoredSession { session, missed })
    }

    /// Lets go of all that is too old, of whichever namespace.
    pub(super) fn sweep(&mut self, now: Duration) {
        while let Some(id) = self.event_order.front() {
            match self.shares.get(id).and_then(|share| share.events.front()) {
                Some(stored) if !self.is_over(stored.at, now) => break,
                Some(_) => self.forget_oldest_event(),
                None => drop(self.event_order.pop_front()),
            }
        }
        while let Some((id, pid, serial)) = self.session_order.front().cloned() {
            if self.is_current(id, &pid, serial) {
                let kept = self.shares.get(&id).and_then(|share| share.sessions.get(&pid));
                if !kept.is_some_and(|kept| self.is_over(kept.at, now)) {
                    break;
                }
                self.forget_session(id, &pid);
            }
            self.session_order.pop_front();
        }
    }

    pub(super) fn is_empty(&self, id: ShareId) -> bool {
        let share = self.shares.get(&id);
        share.is_none_or(|share| share.events.is_empty() && share.sessions.is_empty())
    }

    /// The namespace has gone, or has another adapter.
    pub(super) fn remove(&mut self, id: ShareId) {
        let Some(share) = self.shares.remove(&id) else { return };
        self.events -= share.events.len();
        self.events_bytes -= share.events.iter().map(Stored::bytes).sum::<usize>();
        let sessions = share.sessions.values();
        self.sessions -= sessions.len();
        self.sessions_bytes -= sessions.map(|kept| bytes_of(&kept.session)).sum::<usize>();
        self.forget_stale();
    }

    fn is_over(&self, at: Duration, now: Duration) -> bool {
        now.saturating_sub(at) > self.config.max_disconnection_duration
    }
}

impl Audience {
    fn of(options: &BroadcastOptions) -> Self {
        let mut except = options.except();
        match (options.rooms(), except.next()) {
            ([], None) => Self::Everybody,
            ([room], None) => match room.parse() {
                Ok(id) => Self::One(id),
                Err(_) => Self::Meant(Box::new(options.clone())),
            },
            _ => Self::Meant(Box::new(options.clone())),
        }
    }

    fn has(&self, session: &SavedSession) -> bool {
        match self {
            Self::Everybody => true,
            // It may be the id of another whose room this one has joined.
            Self::One(id) => {
                *id == session.sid || session.rooms.iter().any(|room| **room == *id.as_str())
            }
            Self::Meant(options) => options.concerns(&session.rooms),
        }
    }
}

impl Stored {
    fn bytes(&self) -> usize {
        let names: usize = match &self.audience {
            Audience::Meant(options) => {
                let rooms = options.rooms().iter().map(|room| room.len());
                rooms.chain(options.except().map(str::len)).map(|bytes| bytes + NAME_BYTES).sum()
            }
            _ => 0,
        };
        self.event.kept_bytes() + names + EVENT_BYTES
    }
}

fn bytes_of(session: &SavedSession) -> usize {
    let rooms: usize = session.rooms.iter().map(|room| room.len() + NAME_BYTES).sum();
    rooms + session.data.as_ref().map_or(0, |data| data.len()) + SESSION_BYTES
}

impl fmt::Debug for RecoveryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|stock| {
            f.debug_struct("RecoveryStore")
                .field("events", &stock.events)
                .field("sessions", &stock.sessions)
                .finish_non_exhaustive()
        })
    }
}

/// What keeping an event, a session and the name of a room costs beside its bytes.
const EVENT_BYTES: usize = 256;
const SESSION_BYTES: usize = 256;
const NAME_BYTES: usize = 32;

//! What a server on its own keeps so that clients may recover: the last events, and the sessions
//! of those who have left. Both in order of time, bounded by time, count and bytes.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use super::offset::Offset;
use crate::config::RecoveryConfig;
use crate::socketio::adapter::{
    Adapter, BroadcastOptions, Emitted, EncodedEvent, Local, OutgoingEvent, Request,
    RestoredSession, SavedSession,
};
use crate::socketio::socket_id::SocketId;

/// The adapter of a server on its own whose clients may recover; what a server has by itself if
/// [`SocketConfig::recovery`](crate::config::SocketConfig::recovery) is set and no adapter given.
///
/// It is swept every 60 s, as in the reference: until then what is too old may still be there, but
/// no session that is too old is restored. A restore leaves the session where it is.
///
/// ```
/// use throng::Server;
/// use throng::adapter::RecoveringAdapter;
/// use throng::config::{Config, RecoveryConfig};
///
/// let mut config = Config::default();
/// config.socket.recovery = Some(RecoveryConfig::default());
/// let server = Server::builder()
///     .config(config)
///     .adapter(|_namespace| Box::new(RecoveringAdapter::new(RecoveryConfig::default())))
///     .bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct RecoveringAdapter {
    config: RecoveryConfig,
    events: VecDeque<Stored>,
    events_bytes: usize,
    last: Offset,
    sessions: HashMap<Rc<str>, Kept>,
    /// Sessions in the order in which they were kept; an entry is stale when its serial is.
    order: VecDeque<(Rc<str>, u64)>,
    sessions_bytes: usize,
    serial: u64,
    sweep_at: Option<Duration>,
}

#[derive(Debug)]
struct Stored {
    offset: Offset,
    at: Duration,
    event: EncodedEvent,
    audience: Audience,
}

/// Whom a stored event was for.
#[derive(Debug)]
enum Audience {
    Everybody,
    /// Most events are for one socket; it shall not cost a list.
    One(SocketId),
    Meant(Box<BroadcastOptions>),
}

#[derive(Debug)]
struct Kept {
    session: SavedSession,
    at: Duration,
    serial: u64,
}

impl RecoveringAdapter {
    /// An adapter that keeps nothing yet.
    pub fn new(config: RecoveryConfig) -> Self {
        Self {
            config,
            events: VecDeque::new(),
            events_bytes: 0,
            last: Offset::default(),
            sessions: HashMap::new(),
            order: VecDeque::new(),
            sessions_bytes: 0,
            serial: 0,
            sweep_at: None,
        }
    }

    fn store(&mut self, now: Duration, event: EncodedEvent, options: &BroadcastOptions) -> usize {
        let stored = Stored { offset: self.last, at: now, event, audience: Audience::of(options) };
        self.events_bytes += stored.bytes();
        self.events.push_back(stored);
        self.schedule_sweep(now);
        let mut evicted = 0;
        while self.events.len() > self.config.events_max
            || self.events_bytes > self.config.events_bytes_max
        {
            self.forget_event();
            evicted += 1;
        }
        evicted
    }

    fn forget_event(&mut self) {
        if let Some(stored) = self.events.pop_front() {
            self.events_bytes -= stored.bytes();
        }
    }

    fn keep(&mut self, now: Duration, session: SavedSession) -> usize {
        self.forget_session(&Rc::clone(&session.pid));
        self.serial += 1;
        self.sessions_bytes += bytes_of(&session);
        self.order.push_back((Rc::clone(&session.pid), self.serial));
        let pid = Rc::clone(&session.pid);
        self.sessions.insert(pid, Kept { session, at: now, serial: self.serial });
        self.schedule_sweep(now);
        let mut evicted = 0;
        while self.sessions.len() > self.config.sessions_max
            || self.sessions_bytes > self.config.sessions_bytes_max
        {
            let Some((pid, serial)) = self.order.pop_front() else { break };
            if self.is_current(&pid, serial) {
                self.forget_session(&pid);
                evicted += 1;
            }
        }
        self.forget_stale();
        evicted
    }

    fn forget_session(&mut self, pid: &str) {
        if let Some(kept) = self.sessions.remove(pid) {
            self.sessions_bytes -= bytes_of(&kept.session);
        }
    }

    /// Clients that come and go again and again must not make the order grow.
    fn forget_stale(&mut self) {
        while let Some((pid, serial)) = self.order.front()
            && !self.is_current(pid, *serial)
        {
            self.order.pop_front();
        }
        if self.order.len() > 2 * self.sessions.len() + 64 {
            let sessions = &self.sessions;
            self.order.retain(|(pid, serial)| {
                sessions.get(pid).is_some_and(|kept| kept.serial == *serial)
            });
        }
    }

    fn is_current(&self, pid: &str, serial: u64) -> bool {
        self.sessions.get(pid).is_some_and(|kept| kept.serial == serial)
    }

    fn restore(&mut self, now: Duration, pid: &str, offset: &str) -> Option<RestoredSession> {
        let kept = self.sessions.get(pid)?;
        if self.is_over(kept.at, now) {
            self.forget_session(pid);
            return None;
        }
        let offset = Offset::parse(offset)?;
        let found = self.events.binary_search_by_key(&offset, |stored| stored.offset).ok()?;
        let session = kept.session.clone();
        let behind = self.events.range(found + 1..);
        let missed = behind.filter(|stored| stored.audience.has(&session));
        let missed = missed.map(|stored| stored.event.clone()).collect();
        Some(RestoredSession { session, missed })
    }

    fn schedule_sweep(&mut self, now: Duration) {
        self.sweep_at.get_or_insert(now.saturating_add(SWEEP_INTERVAL));
    }

    fn sweep(&mut self, now: Duration) {
        while self.events.front().is_some_and(|stored| self.is_over(stored.at, now)) {
            self.forget_event();
        }
        while let Some((pid, serial)) = self.order.front().cloned() {
            if self.is_current(&pid, serial) {
                if !self.sessions.get(&pid).is_some_and(|kept| self.is_over(kept.at, now)) {
                    break;
                }
                self.forget_session(&pid);
            }
            self.order.pop_front();
        }
        self.sweep_at = None;
        if !self.events.is_empty() || !self.sessions.is_empty() {
            self.schedule_sweep(now);
        }
    }

    fn is_over(&self, at: Duration, now: Duration) -> bool {
        now.saturating_sub(at) > self.config.max_disconnection_duration
    }
}

impl Adapter for RecoveringAdapter {
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        mut event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        if event.wants_ack() || options.volatile {
            return local.broadcast(event, options);
        }
        let now = local.now();
        self.last = self.last.next(now.wall);
        event.append(&self.last.to_text());
        let event = event.finish();
        let emitted = local.deliver(&event, options);
        let evicted = self.store(now.monotonic, event, options);
        local.state.counters.recovery_events_evicted += evicted as u64;
        emitted
    }

    fn persist_session(&mut self, local: &mut Local<'_>, session: SavedSession) {
        let evicted = self.keep(local.now().monotonic, session);
        local.state.counters.recovery_sessions_evicted += evicted as u64;
    }

    fn restore_session(
        &mut self,
        local: &mut Local<'_>,
        pid: &str,
        offset: &str,
        request: Request<Option<RestoredSession>>,
    ) {
        request.answer(Ok(self.restore(local.now().monotonic, pid, offset)));
    }

    fn deadline(&self) -> Option<Duration> {
        self.sweep_at
    }

    fn handle_deadline(&mut self, local: &mut Local<'_>) {
        self.sweep(local.now().monotonic);
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
        let names = match &self.audience {
            Audience::Meant(options) => {
                options.rooms().iter().map(|room| room.len()).sum::<usize>()
                    + options.except().map(str::len).sum::<usize>()
            }
            _ => 0,
        };
        self.event.bytes() + names + EVENT_BYTES
    }
}

fn bytes_of(session: &SavedSession) -> usize {
    let rooms: usize = session.rooms.iter().map(|room| room.len()).sum();
    rooms + session.data.as_ref().map_or(0, |data| data.len()) + SESSION_BYTES
}

/// As often as the reference looks.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// What keeping an event costs beside its bytes.
const EVENT_BYTES: usize = 256;
const SESSION_BYTES: usize = 256;

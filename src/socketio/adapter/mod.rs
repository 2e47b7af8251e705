//! The policy around the rooms of a namespace: where a broadcast goes, who is asked, what is kept.
//!
//! On one server that is [`LocalAdapter`], which does each thing at once and here. A cluster's
//! adapter surrounds the same [`Local`] operations: it passes them on to other servers, delivers
//! when its broker has, appends an offset, and answers questions when the others have.
//!
//! An adapter does no input or output. It is called with what happened and with the moment it is;
//! what it has to send it leaves with whatever its maker shares with it (a queue, a channel), and
//! what comes in for it the host hands to
//! [`Namespace::adapter_event`](crate::Namespace::adapter_event).

mod event;
mod local;
mod options;
mod request;
mod select;
mod snapshot;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

pub use event::{EncodedEvent, OutgoingEvent};
pub use local::{Local, QuestionId};
pub use options::{BroadcastOptions, Emitted};
pub use request::{AdapterError, Request};
pub use snapshot::SocketSnapshot;

pub use super::answers::Answers;
pub use super::recovery::{RecoveringAdapter, RecoveryStore, RestoredSession, SavedSession};
pub use super::room_events::RoomEvent;

pub(super) use request::Effects;
pub(super) use select::{Selected, lane_for, send};

use super::payload::{Args, OwnedArgs};

/// What a namespace asks of its adapter; each method's default does it on this server alone.
///
/// There is one adapter for each namespace. None of its methods may block, and none runs code of
/// the host's: handlers and callbacks that come of it run when it has returned. The reference's
/// interface of the same name is its model (Socket.IO documentation, "Adapter").
///
/// An adapter that panics is lost: its namespace goes on with a [`LocalAdapter`].
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
/// use throng::adapter::{Adapter, BroadcastOptions, Local, OutgoingEvent};
/// use throng::{Emitted, Server};
///
/// /// Tells another process of every broadcast, by whatever carries these lines.
/// struct Telling(Rc<RefCell<Vec<String>>>);
///
/// impl Adapter for Telling {
///     fn broadcast(
///         &mut self,
///         local: &mut Local<'_>,
///         event: OutgoingEvent,
///         options: &BroadcastOptions,
///     ) -> Emitted {
///         if let Some((name, args)) = event.read() {
///             self.0.borrow_mut().push(format!("{} {name} {}", local.namespace(), args.json()));
///         }
///         local.broadcast(event, options)
///     }
/// }
///
/// let lines = Rc::new(RefCell::new(Vec::new()));
/// let shared = Rc::clone(&lines);
/// let server = Server::builder()
///     .adapter(move |_namespace| Box::new(Telling(Rc::clone(&shared))))
///     .bind("127.0.0.1:0")?;
/// server.emit("news", &"hello");
/// assert_eq!(*lines.borrow(), ["/ news \"hello\""]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[allow(unused_variables, reason = "the names say what is passed")]
pub trait Adapter {
    /// The namespace has been made, and this is its adapter from now on.
    fn init(&mut self, local: &mut Local<'_>) {}

    /// The namespace ends, or the server closes. Requests that are still open are let go of.
    fn close(&mut self, local: &mut Local<'_>) {}

    /// Sends an event to the sockets that are meant, here and elsewhere.
    ///
    /// Where it only delivers later, it answers with [`Emitted::deferred`] set.
    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        local.broadcast(event, options)
    }

    /// Sends an event and sees to it that all who are meant are asked for an acknowledgement.
    ///
    /// It asks the sockets of this server by [`Local::ask`], adds what others were asked and have
    /// answered by [`Local::expect`] and [`Local::answer`], and says by [`Local::all_asked`] that
    /// nobody more is going to be asked. When they have all answered, or at the time-out, who asked
    /// hears of it.
    fn broadcast_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) {
        local.ask(event, options, question);
        local.all_asked(question);
    }

    /// Answers with the sockets that are meant.
    fn fetch_sockets(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        request: Request<Vec<SocketSnapshot>>,
    ) {
        local.fetch_sockets(options, request);
    }

    /// Puts the sockets that are meant into rooms.
    fn sockets_join(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        rooms: &[Rc<str>],
    ) {
        local.sockets_join(options, rooms);
    }

    /// Takes the sockets that are meant out of rooms.
    fn sockets_leave(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        rooms: &[Rc<str>],
    ) {
        local.sockets_leave(options, rooms);
    }

    /// Disconnects the sockets that are meant; with `close`, their clients' connections too.
    fn disconnect_sockets(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        close: bool,
    ) {
        local.disconnect_sockets(options, close);
    }

    /// Tells the other servers of an event between servers; this one doesn't hear of it.
    fn server_side_emit(&mut self, local: &mut Local<'_>, event: &str, args: Args<'_>) {
        local.count_unsupported();
    }

    /// As [`Adapter::server_side_emit`], and answers with what the others did: of each the first
    /// argument.
    fn server_side_emit_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: &str,
        args: Args<'_>,
        request: Request<Answers<OwnedArgs>>,
    ) {
        local.count_unsupported();
        request.answer(Err(AdapterError::Unsupported));
    }

    /// Keeps the session of a client that has left and may come back; only with
    /// [`SocketConfig::recovery`](crate::config::SocketConfig::recovery).
    fn persist_session(&mut self, local: &mut Local<'_>, session: SavedSession) {}

    /// Answers with the session that a client claims to have had, and what it has missed since;
    /// `None` where it isn't known, or the offset isn't. Until then the client waits to be let in.
    fn restore_session(
        &mut self,
        local: &mut Local<'_>,
        pid: &str,
        offset: &str,
        request: Request<Option<RestoredSession>>,
    ) {
        request.answer(Ok(None));
    }

    /// Takes note of an answer to what it asked this server for on behalf of another, by the tag
    /// it gave: see [`Local::ask_for`], [`Local::request`], [`Local::server_side_event`].
    fn handle_answer(&mut self, local: &mut Local<'_>, tag: u64, answer: Answer) {}

    /// Whether [`Adapter::handle_room_event`] wants to be called.
    fn watches_rooms(&self) -> bool {
        false
    }

    /// Takes note of a room of this server that came to be, changed or ended, when it has.
    fn handle_room_event(&mut self, local: &mut Local<'_>, event: RoomEvent<'_>) {}

    /// Takes in what came for it; see
    /// [`Namespace::adapter_event`](crate::Namespace::adapter_event).
    fn handle_event(&mut self, local: &mut Local<'_>, bytes: &[u8]) {}

    /// When [`Adapter::handle_deadline`] is to be called, on the clock of
    /// [`Now::monotonic`](crate::Now::monotonic); asked after every other call.
    fn deadline(&self) -> Option<Duration> {
        None
    }

    /// The deadline has passed.
    fn handle_deadline(&mut self, local: &mut Local<'_>) {}
}

/// What another server asked for through this one's adapter, answered.
///
/// ```
/// use throng::adapter::Answer;
///
/// fn bytes(answer: &Answer) -> usize {
///     match answer {
///         Answer::Client(args) | Answer::Server(args) => args.as_args().json().len(),
///         _ => 0,
///     }
/// }
/// assert_eq!(bytes(&Answer::Left), 0);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// A client has acknowledged; its first argument.
    Client(OwnedArgs),
    /// A client that was asked has left instead.
    Left,
    /// The sockets that were asked for.
    Sockets(Vec<SocketSnapshot>),
    /// A handler of an event between servers has acknowledged; its first argument.
    Server(OwnedArgs),
}

/// The adapter of a server on its own: everything is done here and at once.
///
/// ```
/// use throng::Server;
/// use throng::adapter::LocalAdapter;
///
/// // What a server does by itself.
/// let server =
///     Server::builder().adapter(|_namespace| Box::new(LocalAdapter)).bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalAdapter;

impl Adapter for LocalAdapter {}

/// Makes the adapter of a namespace, by its name.
#[derive(Clone)]
pub(crate) struct AdapterMaker(Rc<MakeAdapter>);

type MakeAdapter = dyn Fn(&str) -> Box<dyn Adapter>;

impl AdapterMaker {
    pub(crate) fn new(make: impl Fn(&str) -> Box<dyn Adapter> + 'static) -> Self {
        Self(Rc::new(make))
    }

    pub(super) fn make(&self, namespace: &str) -> Box<dyn Adapter> {
        (self.0)(namespace)
    }
}

impl fmt::Debug for AdapterMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AdapterMaker(..)")
    }
}

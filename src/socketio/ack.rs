//! Acknowledgements, both ways.
//!
//! [`Ack`] answers an event of a client: `42007["add",1,2]` is answered `437[3]`. [`Acks`] holds
//! what the server asked of one client and still awaits; it knows nothing of sockets.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::{Rc, Weak};

use super::adapter::QuestionId;
use super::packet::AckId;
use super::parked::ParkedKey;
use super::payload::{Args, EncodeError, IntoArgs};
use super::socket::Socket;
use super::{Hub, State};
use crate::deadlines::DeadlineId;
use crate::message::Message;
use crate::outbox::Lane;
use crate::slots::SessionKey;

/// The acknowledgement that came with an event (Socket.IO protocol v5, "Acknowledgement"): call
/// [`Ack::send`] once, now or later.
///
/// Dropped without a call, nothing is sent and the client goes on waiting (or runs into its own
/// timeout). It owns what it needs, so it may be kept beyond the handler; it is sent even after
/// the socket has left its namespace, as long as the connection lives.
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_raw("add", |_, args, ack| {
///     if let (Ok((a, b)), Some(ack)) = (args.parse::<(i64, i64)>(), ack) {
///         ack.send(&(a + b));
///     }
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Ack {
    hub: Weak<Hub>,
    session: SessionKey,
    namespace: Rc<str>,
    id: AckId,
    /// Shared by the handlers of one event, if there are several: the first call sends.
    sent: Option<Rc<Cell<bool>>>,
}

impl Ack {
    pub(super) fn new(hub: &Rc<Hub>, session: SessionKey, namespace: Rc<str>, id: AckId) -> Self {
        Self { hub: Rc::downgrade(hub), session, namespace, id, sent: None }
    }

    /// The same acknowledgement for a further handler of the event.
    pub(super) fn share(&mut self) -> Self {
        Self {
            hub: Weak::clone(&self.hub),
            session: self.session,
            namespace: Rc::clone(&self.namespace),
            id: self.id,
            sent: Some(Rc::clone(self.sent.get_or_insert_default())),
        }
    }

    /// Leaves it with the server, for another thread to name it.
    pub(crate) fn park(self) -> Option<ParkedKey> {
        self.hub.upgrade()?.park(Box::new(self))
    }

    /// Sends the answer; where several handlers hold it, the first call sends and the others do
    /// nothing. A value that can't be serialised is counted and sends nothing.
    pub fn send(self, args: impl IntoArgs) {
        let Some(hub) = self.hub.upgrade() else { return };
        if self.sent.is_some_and(|sent| sent.replace(true)) {
            return;
        }
        let encoded = hub.format.encode_ack(&self.namespace, self.id, args);
        let session = self.session;
        match hub.state.try_borrow_mut() {
            Ok(mut state) => state.send_answer(session, encoded),
            // An adapter has the state at this moment; see `Hub::is_lent`.
            Err(_) => {
                hub.effects.push(move |hub| hub.state.borrow_mut().send_answer(session, encoded));
            }
        }
    }
}

impl State {
    fn send_answer(&mut self, session: SessionKey, encoded: Result<Rc<Message>, EncodeError>) {
        match encoded {
            Ok(message) => drop(self.outboxes.push(session, &message, Lane::Soon)),
            Err(_) => self.counters.encode_errors += 1,
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ack({})", self.id)
    }
}

/// Why an acknowledgement that the server asked for did not come.
///
/// ```
/// use std::time::Duration;
/// use throng::{AckError, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").on_connect(|socket| {
///     let patient = socket.timeout(Duration::from_secs(5));
///     patient.emit_with_ack::<bool>("ready?", (), |socket, answer| match answer {
///         Err(AckError::Timeout) => socket.disconnect_client(),
///         ready => println!("{} is ready: {ready:?}", socket.id()),
///     });
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AckError {
    /// The client took longer than the time it was given.
    Timeout,
    /// The socket left before it answered.
    Disconnected,
    /// The socket had left before, too many of its events await their acknowledgement already
    /// ([`SocketConfig::acks_per_socket_max`](crate::config::SocketConfig::acks_per_socket_max)),
    /// the arguments could not be serialised, or the event was volatile and the transport busy:
    /// the event was not sent.
    NotSent,
    /// The client answered with arguments of another shape than the callback takes.
    Malformed,
}

impl fmt::Display for AckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "operation has timed out",
            Self::Disconnected => "the socket has been disconnected",
            Self::NotSent => "the event was not sent",
            Self::Malformed => "the acknowledgement has another shape",
        })
    }
}

impl std::error::Error for AckError {}

/// What is called with the answer, once.
pub(crate) type AckCallback = Box<dyn FnOnce(Socket<'_>, Result<Args<'_>, AckError>)>;

/// Who hears of an answer.
pub(crate) enum Answerer {
    /// This closure, once.
    Callback(AckCallback),
    /// A question that was put to several.
    Question(QuestionId),
}

/// The acknowledgements that one socket still owes.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    /// By id: a peer answers in whatever order it likes.
    pending: BTreeMap<AckId, Pending>,
}

pub(crate) struct Pending {
    pub(crate) deadline: Option<DeadlineId>,
    pub(crate) answerer: Answerer,
}

impl Acks {
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn insert(&mut self, id: AckId, deadline: Option<DeadlineId>, answerer: Answerer) {
        self.pending.insert(id, Pending { deadline, answerer });
    }

    /// Forgets what is owed to a question that is over.
    pub(crate) fn remove_question(&mut self, id: AckId, question: QuestionId) {
        let owed = self.pending.get(&id).map(|pending| &pending.answerer);
        if matches!(owed, Some(Answerer::Question(kept)) if *kept == question) {
            self.pending.remove(&id);
        }
    }

    /// An answer nobody awaits, or that came before, is `None`.
    pub(crate) fn take(&mut self, id: AckId) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// The first to be asked first.
    pub(crate) fn take_all(&mut self) -> Vec<Pending> {
        std::mem::take(&mut self.pending).into_values().collect()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pending({:?})", self.deadline)
    }
}

//! Answers that other threads give: the loop keeps the answer itself, the thread holds its name.
//!
//! Each is decided once. Dropped undecided it is what its local form is when dropped: an
//! acknowledgement that is never sent, a decision that refuses.

use std::any::Any;
use std::fmt;

use serde::ser::Error as _;
use serde::{Serialize, Serializer};

use super::{Handle, PostError};
use crate::admission::Decision;
use crate::socketio::payload::SendableArgs;
use crate::socketio::{Ack, NamespaceDecision, Next, ParkedKey, Refusal};

/// An [`Ack`] for another thread; see [`Handle::remote_ack`].
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// server.of("/").on_raw("factor", move |_, args, ack| {
///     if let (Ok(number), Some(ack)) = (args.parse::<u64>(), ack) {
///         let ack = handle.remote_ack(ack);
///         std::thread::spawn(move || ack.send(factors(number)));
///     }
/// });
/// # fn factors(number: u64) -> Vec<u64> { vec![number] }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped it is never sent"]
pub struct RemoteAck(Parked);

/// A [`Next`] for another thread; see [`Handle::remote_next`].
///
/// An example stands at [`Namespace::middleware_deferred`](crate::Namespace::middleware_deferred).
#[must_use = "dropped without a decision it refuses"]
pub struct RemoteNext(Parked);

/// A [`NamespaceDecision`] for another thread; see [`Handle::remote_namespace_decision`].
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// server.of_deferred(move |_, name, _, decision| {
///     let (name, decision) = (name.to_owned(), handle.remote_namespace_decision(decision));
///     std::thread::spawn(move || match name.strip_prefix("/tenant-") {
///         Some(tenant) if is_known(tenant) => decision.allow(),
///         _ => decision.refuse(),
///     });
/// });
/// # fn is_known(tenant: &str) -> bool { tenant == "a" }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped without a decision it refuses"]
pub struct RemoteNamespaceDecision(Parked);

/// A [`Decision`] for another thread; see [`Handle::remote_decision`].
///
/// ```
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// let handle = server.handle();
/// server.allow_request(move |_, request, decision| {
///     let key = request.header("x-key").map(String::from);
///     let decision = handle.remote_decision(decision);
///     std::thread::spawn(move || match key.as_deref() {
///         Some("secret") => decision.header("X-Checked", "yes").allow(),
///         _ => decision.refuse("no key"),
///     });
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped without a decision it refuses"]
pub struct RemoteDecision {
    parked: Parked,
    headers: Vec<(String, String)>,
}

/// The name of what the loop keeps, until that is taken.
struct Parked {
    handle: Handle,
    key: Option<ParkedKey>,
}

/// Answers of the server that this is a handle of. Where
/// [`SocketConfig::remote_answers_max`](crate::config::SocketConfig::remote_answers_max) are on
/// other threads already, a further one is dropped and counted: what the thread then decides has
/// no effect.
impl Handle {
    /// Lets another thread send an acknowledgement.
    pub fn remote_ack(&self, ack: Ack) -> RemoteAck {
        RemoteAck(self.parked(ack.park()))
    }

    /// Lets another thread decide about a client that wants to come in.
    pub fn remote_next(&self, next: Next) -> RemoteNext {
        RemoteNext(self.parked(next.park()))
    }

    /// Lets another thread decide about the name of a dynamic namespace.
    pub fn remote_namespace_decision(
        &self,
        decision: NamespaceDecision,
    ) -> RemoteNamespaceDecision {
        RemoteNamespaceDecision(self.parked(decision.park()))
    }

    /// Lets another thread decide about a handshake.
    pub fn remote_decision(&self, decision: Decision) -> RemoteDecision {
        RemoteDecision { parked: self.parked(decision.park()), headers: Vec::new() }
    }

    fn parked(&self, key: Option<ParkedKey>) -> Parked {
        Parked { handle: self.clone(), key }
    }
}

impl RemoteAck {
    /// Sends one value, which this thread serialises. Fails where the server is gone; a value that
    /// can't be serialised is counted and sends nothing, as with [`Ack::send`].
    pub fn send<T: Serialize>(self, value: T) -> Result<(), PostError> {
        let args = SendableArgs::new(&value);
        self.send_with(move |ack| match args {
            Ok(args) => ack.send(args.into_owned()),
            Err(_) => ack.send(&Unserialisable),
        })
    }

    /// Sends whatever the loop then sends: several arguments, none, or later.
    ///
    /// ```
    /// # fn example(ack: throng::RemoteAck) -> Result<(), throng::PostError> {
    /// ack.send_with(|ack| ack.send(("two", &2)))
    /// # }
    /// ```
    pub fn send_with(self, send: impl FnOnce(Ack) + Send + 'static) -> Result<(), PostError> {
        self.0.take(send)
    }
}

impl RemoteNext {
    /// As [`Next::allow`]. Fails where the server is gone.
    pub fn allow(self) -> Result<(), PostError> {
        self.0.take(Next::allow)
    }

    /// As [`Next::refuse`]. Fails where the server is gone.
    pub fn refuse(self, refusal: Refusal) -> Result<(), PostError> {
        self.0.take(|next: Next| next.refuse(refusal))
    }
}

impl RemoteNamespaceDecision {
    /// As [`NamespaceDecision::allow`]. Fails where the server is gone.
    pub fn allow(self) -> Result<(), PostError> {
        self.0.take(NamespaceDecision::allow)
    }

    /// As [`NamespaceDecision::refuse`]. Fails where the server is gone.
    pub fn refuse(self) -> Result<(), PostError> {
        self.0.take(NamespaceDecision::refuse)
    }
}

impl RemoteDecision {
    /// As [`Decision::header`].
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As [`Decision::allow`]. Fails where the server is gone.
    pub fn allow(self) -> Result<(), PostError> {
        let headers = self.headers;
        self.parked.take(move |mut decision: Decision| {
            for (name, value) in headers {
                decision = decision.header(&name, &value);
            }
            decision.allow();
        })
    }

    /// As [`Decision::refuse`]. Fails where the server is gone.
    pub fn refuse(self, message: &str) -> Result<(), PostError> {
        let message = message.to_owned();
        self.parked.take(move |decision: Decision| decision.refuse(&message))
    }
}

/// Stands for a value that has failed to be serialised: it fails again where that is counted.
struct Unserialisable;

impl Serialize for Unserialisable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("the value could not be serialised"))
    }
}

impl Parked {
    /// Has the loop take out what it keeps and do this with it. The bound on what is kept bounds
    /// what is posted here, so the mailbox takes it however full it is.
    fn take<T: 'static>(mut self, act: impl FnOnce(T) + Send + 'static) -> Result<(), PostError> {
        let Some(key) = self.key.take() else { return Ok(()) };
        self.handle.push(Box::new(move |io| {
            if let Some(Ok(value)) = io.take_parked(key).map(<Box<dyn Any>>::downcast::<T>) {
                act(*value);
            }
        }))
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // Where the server is gone, so is what it kept.
            let _ = self.handle.push(Box::new(move |io| drop(io.take_parked(key))));
        }
    }
}

impl fmt::Debug for RemoteAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteAck({:?})", self.0.key)
    }
}

impl fmt::Debug for RemoteNext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteNext({:?})", self.0.key)
    }
}

impl fmt::Debug for RemoteNamespaceDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteNamespaceDecision({:?})", self.0.key)
    }
}

impl fmt::Debug for RemoteDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteDecision({:?})", self.parked.key)
    }
}

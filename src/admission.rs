//! The host's say in who may open a session, before anything is kept for it.

use std::fmt;
use std::rc::{Rc, Weak};

use serde::Serialize;

use crate::engineio::Rejection;
use crate::http::Request;
use crate::slots::ConnectionKey;
use crate::socketio::{Command, Hub, Io, ParkedKey};

/// A closure of the host's that decides about handshakes.
pub(crate) type Admission = Rc<dyn Fn(Io<'_>, &Request, Decision)>;

/// The decision about one handshake, now or later, once; see
/// [`Server::allow_request`](crate::Server::allow_request).
///
/// Dropped without a decision it refuses. If the client goes away meanwhile the decision is thrown
/// away.
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// server.allow_request(|io, _, decision| {
///     // Who waits a second means it.
///     io.after(Duration::from_secs(1), |_| decision.header("X-Patience", "yes").allow());
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Decision {
    hub: Weak<Hub>,
    connection: ConnectionKey,
    headers: Vec<(String, String)>,
    decided: bool,
}

/// Why a request to Engine.IO was refused; see
/// [`Server::on_connection_error`](crate::Server::on_connection_error).
///
/// Serialised it is what the reference hands to `connection_error`, without the request.
///
/// ```
/// use throng::{Rejection, Server};
///
/// let mut server = Server::builder().bind("127.0.0.1:0")?;
/// server.on_connection_error(|request, error| match &error.context {
///     Rejection::TransportUnknown { .. } => eprintln!("which one? {}", request.query()),
///     Rejection::SessionUnknown { sid } => eprintln!("{sid}: gone, or on another server"),
///     _ => eprintln!("{}: {error}", request.path()),
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The code of the reference, 0 to 5, as in the body of the answer.
    pub code: u8,
    /// The message that belongs to the code.
    pub message: String,
    /// What exactly was wrong; with code 4, why the host refused.
    pub context: Rejection,
}

/// A closure of the host's that hears of refused requests.
pub(crate) type ErrorHandler = Rc<dyn Fn(&Request, &ConnectionError)>;

impl Decision {
    pub(crate) fn new(hub: &Rc<Hub>, connection: ConnectionKey) -> Self {
        Self { hub: Rc::downgrade(hub), connection, headers: Vec::new(), decided: false }
    }

    /// Adds a header to the answer of a polling handshake.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Opens the session.
    pub fn allow(mut self) {
        let headers = std::mem::take(&mut self.headers);
        self.decide(Command::Admit(self.connection, headers));
    }

    /// Refuses with 403 and a message (`{"code":4,"message":".."}`).
    pub fn refuse(mut self, message: &str) {
        self.decide(Command::Refuse(self.connection, Some(message.to_owned())));
    }

    /// Leaves it with the server, for another thread to name it.
    pub(crate) fn park(self) -> Option<ParkedKey> {
        self.hub.upgrade()?.park(Box::new(self))
    }

    fn decide(&mut self, command: Command) {
        if !std::mem::replace(&mut self.decided, true)
            && let Some(hub) = self.hub.upgrade()
        {
            hub.command(command);
        }
    }
}

impl ConnectionError {
    pub(crate) fn new(rejection: &Rejection) -> Self {
        Self {
            code: rejection.code(),
            message: rejection.code_message().to_owned(),
            context: rejection.clone(),
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (code {})", self.context.message(), self.code)
    }
}

impl std::error::Error for ConnectionError {}

impl Drop for Decision {
    fn drop(&mut self) {
        self.decide(Command::Refuse(self.connection, None));
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decision(decided: {})", self.decided)
    }
}

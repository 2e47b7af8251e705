//! The host's say in who may open a session, before anything is kept for it.

use std::fmt;
use std::rc::{Rc, Weak};

use crate::http::Request;
use crate::slots::ConnectionKey;
use crate::socketio::{Command, Hub, Io};

/// A closure of the host's that decides about handshakes.
pub(crate) type Admission = Rc<dyn Fn(Io<'_>, &Request, Decision)>;

/// The decision about one handshake, now or later, once; see
/// [`Server::allow_request`](crate::Server::allow_request).
///
/// Dropped without a decision it refuses. If the client goes away meanwhile the decision is thrown
/// away.
pub struct Decision {
    hub: Weak<Hub>,
    connection: ConnectionKey,
    headers: Vec<(String, String)>,
    decided: bool,
}

/// What was decided.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// The session opens; its handshake is answered with these headers besides.
    Allow(Vec<(String, String)>),
    /// 403, with the message.
    Refuse(Option<String>),
}

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
        self.decide(Verdict::Allow(headers));
    }

    /// Refuses with 403 and a message (`{"code":4,"message":".."}`).
    pub fn refuse(mut self, message: &str) {
        self.decide(Verdict::Refuse(Some(message.to_owned())));
    }

    fn decide(&mut self, verdict: Verdict) {
        if !std::mem::replace(&mut self.decided, true)
            && let Some(hub) = self.hub.upgrade()
        {
            let command = match verdict {
                Verdict::Allow(headers) => Command::Admit(self.connection, headers),
                Verdict::Refuse(message) => Command::Refuse(self.connection, message),
            };
            hub.state.borrow_mut().commands.push_back(command);
        }
    }
}

impl Drop for Decision {
    fn drop(&mut self) {
        self.decide(Verdict::Refuse(None));
    }
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decision(decided: {})", self.decided)
    }
}

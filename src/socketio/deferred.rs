//! Connect middlewares in their order, of which some answer at once and others later.
//!
//! The list that a client has to pass is the one of the moment it came. While it waits its socket
//! is known to itself alone: it may be sent events, which go out before its CONNECT reply, but is
//! no member and joins no room; its connect timeout runs on.

use std::fmt;
use std::rc::{Rc, Weak};

use super::handler::{List, Middleware, Refusal};
use super::nesting::Aftermath;
use super::parked::ParkedKey;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::sockets::{SocketEntry, SocketState};
use super::{Hub, State};
use crate::slots::SessionKey;

/// The decision about one client, now or later, once; see
/// [`Namespace::middleware_deferred`](crate::Namespace::middleware_deferred).
///
/// Dropped without a decision it refuses. If the client goes away meanwhile the decision is thrown
/// away. Another thread decides through
/// [`Handle::remote_next`](crate::Handle::remote_next).
///
/// ```
/// use std::time::Duration;
/// use throng::{Refusal, Server};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of("/").middleware_deferred(|socket, next| {
///     let known = socket.handshake().query("token").is_some();
///     socket.server().after(Duration::from_millis(10), move |_| match known {
///         true => next.allow(),
///         false => next.refuse(Refusal::new("unauthorized")),
///     });
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped without a decision it refuses"]
pub struct Next {
    hub: Weak<Hub>,
    /// Gone once the decision is made.
    course: Option<Course>,
}

/// Which client has got how far.
pub(crate) struct Course {
    socket: SocketKey,
    middlewares: List<Middleware>,
    passed: usize,
}

/// Where a walk through the middlewares ended.
enum Reached {
    /// All have let the client pass.
    End,
    Refusal(Refusal),
    /// One will answer later.
    Deferred,
    /// A middleware has closed the session, or panicked.
    Nobody,
}

impl Next {
    /// Lets the client pass on: to the next middleware, or in. What follows runs before this
    /// returns or, inside other handlers, when those are done.
    pub fn allow(mut self) {
        self.decide(Ok(()));
    }

    /// Refuses the client, which gets a `CONNECT_ERROR`.
    pub fn refuse(mut self, refusal: Refusal) {
        self.decide(Err(refusal));
    }

    /// Leaves it with the server, for another thread to name it.
    pub(crate) fn park(self) -> Option<ParkedKey> {
        self.hub.upgrade()?.park(Box::new(self))
    }

    fn decide(&mut self, verdict: Result<(), Refusal>) {
        if let Some(course) = self.course.take()
            && let Some(hub) = self.hub.upgrade()
        {
            hub.postpone(Aftermath::Decided(course, verdict));
        }
    }
}

impl Hub {
    /// Begins the course of a client through the middlewares of its namespace.
    pub(super) fn begin_course(self: &Rc<Self>, session: SessionKey, socket: SocketKey) {
        let middlewares = {
            let state = self.state.borrow();
            let Some(entry) = state.sockets.get(socket) else { return };
            state.namespaces.get(entry.namespace).handlers.middlewares.clone()
        };
        self.take_course(session, Course { socket, middlewares, passed: 0 });
    }

    /// A deferred middleware has decided.
    pub(super) fn handle_decision(self: &Rc<Self>, course: Course, verdict: Result<(), Refusal>) {
        let Some(session) = self.state.borrow().session_of_connecting(course.socket) else {
            return self.drop_course(course);
        };
        match verdict {
            Ok(()) => self.take_course(session, course),
            Err(refusal) => {
                self.refuse_socket(session, course.socket, &refusal);
                self.let_go(session, [course.middlewares]);
            }
        }
    }

    /// Goes on to the end, or as far as the next middleware that answers later.
    fn take_course(self: &Rc<Self>, session: SessionKey, course: Course) {
        let reached = self.walk(session, &course);
        self.let_go(session, [course.middlewares]);
        match reached {
            Reached::End => self.let_in(session, course.socket),
            Reached::Refusal(refusal) => self.refuse_socket(session, course.socket, &refusal),
            Reached::Deferred | Reached::Nobody => {}
        }
    }

    fn walk(self: &Rc<Self>, session: SessionKey, course: &Course) -> Reached {
        let Course { socket, middlewares, passed } = course;
        for (index, middleware) in middlewares.iter().enumerate().skip(*passed) {
            if self.state.borrow().session_of_connecting(*socket).is_none() {
                return Reached::Nobody;
            }
            match middleware {
                Middleware::AtOnce(decide) => {
                    let mut verdict = Ok(());
                    self.run(session, || verdict = decide(Socket::new(self, *socket)));
                    if let Err(refusal) = verdict {
                        return Reached::Refusal(refusal);
                    }
                }
                Middleware::Deferred(decide) => {
                    let middlewares = middlewares.clone();
                    let course = Course { socket: *socket, middlewares, passed: index + 1 };
                    let next = Next { hub: Rc::downgrade(self), course: Some(course) };
                    self.run(session, || decide(Socket::new(self, *socket), next));
                    return Reached::Deferred;
                }
            }
        }
        Reached::End
    }

    /// The client has gone; the list may hold the last of handlers that were taken back.
    fn drop_course(self: &Rc<Self>, course: Course) {
        if course.middlewares.is_last() {
            self.run_unbound(|| drop(course));
        }
    }
}

impl State {
    pub(super) fn session_of_connecting(&self, key: SocketKey) -> Option<SessionKey> {
        self.connecting(key).map(|entry| entry.session)
    }

    /// A socket on its way in.
    pub(super) fn connecting(&self, key: SocketKey) -> Option<&SocketEntry> {
        self.sockets.get(key).filter(|entry| entry.state == SocketState::Connecting)
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        self.decide(Err(Refusal::new(UNDECIDED)));
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next(decided: {})", self.course.is_none())
    }
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Course({:?}, {} passed)", self.socket, self.passed)
    }
}

/// What a client hears whom nobody decided about.
const UNDECIDED: &str = "refused";

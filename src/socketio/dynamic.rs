//! Dynamic namespaces: parents, which stand for names by a pattern or a decision, and the children
//! that are made when a client asks for such a name.
//!
//! Parents are asked in the order in which they were declared and the first that allows has the
//! child, which gets all handlers that its parent has at this moment.
//!
//! ```text
//! > 40/room-7,        of_pattern("^/room-[0-9]+$")        < 40/room-7,{"sid":"..."}
//! > 40/lounge,        < 44/lounge,{"message":"Invalid namespace"}
//! ```

use std::fmt;
use std::rc::{Rc, Weak};

use regex_lite::Regex;

use super::handshake::Handshake;
use super::namespaces::{Matcher, NamespaceEntry, NamespaceId};
use super::nesting::Aftermath;
use super::parked::ParkedKey;
use super::{Hub, Io, Namespace, State};
use crate::outbox::Lane;
use crate::slots::SessionKey;

/// Hears of namespaces that come into being.
pub(crate) type NamespaceHandler = Rc<dyn Fn(Namespace<'_>)>;

/// A client's wish to join a namespace that isn't there yet, on its way from parent to parent.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    session: SessionKey,
    name: Rc<str>,
    auth: Option<Rc<str>>,
    /// How many parents have been asked.
    asked: usize,
}

/// The decision about one client's wish for a namespace, now or later, once; see
/// [`Io::of_deferred`](crate::Io::of_deferred).
///
/// Dropped without a decision it refuses. Another thread decides through
/// [`Handle::remote_namespace_decision`](crate::Handle::remote_namespace_decision).
///
/// ```
/// use std::time::Duration;
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.of_deferred(|io, name, _, decision| {
///     let known = name.starts_with("/tenant-");
///     io.after(Duration::from_millis(10), move |_| match known {
///         true => decision.allow(),
///         false => decision.refuse(),
///     });
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropped without a decision it refuses"]
pub struct NamespaceDecision {
    hub: Weak<Hub>,
    /// Gone once the decision is made.
    wish: Option<Wish>,
}

/// Why a text is no pattern: see [`Io::of_pattern`](crate::Io::of_pattern).
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// assert!(server.of_pattern("^/room-(").is_err());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PatternError(regex_lite::Error);

impl NamespaceDecision {
    /// The namespace is made, if it isn't there by now, and the client goes through its
    /// middlewares.
    pub fn allow(mut self) {
        self.decide(true);
    }

    /// The next parent is asked; after the last one the client is refused with "Invalid
    /// namespace".
    pub fn refuse(mut self) {
        self.decide(false);
    }

    /// Leaves it with the server, for another thread to name it.
    pub(crate) fn park(self) -> Option<ParkedKey> {
        self.hub.upgrade()?.park(Box::new(self))
    }

    fn decide(&mut self, allowed: bool) {
        if let Some(wish) = self.wish.take()
            && let Some(hub) = self.hub.upgrade()
        {
            hub.postpone(Aftermath::Wished(wish, allowed));
        }
    }
}

impl Hub {
    /// The namespace of this name, made if need be: as the child of the first pattern that fits,
    /// or on its own.
    pub(super) fn find_or_insert_namespace(self: &Rc<Self>, name: &str) -> NamespaceId {
        let id = {
            let state = &mut *self.state.borrow_mut();
            let found = state.namespaces.find(name);
            if let Some(id) = found.or_else(|| state.namespaces.parent_by_name(name)) {
                return id;
            }
            match state.namespaces.parent_by_pattern(name) {
                Some(parent) => state.namespaces.insert_child(parent, name),
                None => state.namespaces.insert(name),
            }
        };
        self.install_adapter(id);
        self.tell_new_namespace(id);
        id
    }

    pub(super) fn declare_parent(&self, matcher: Matcher) -> NamespaceId {
        self.state.borrow_mut().namespaces.insert_parent(matcher)
    }

    /// A client asks for a namespace that isn't there.
    pub(super) fn wish_for_namespace(
        self: &Rc<Self>,
        session: SessionKey,
        name: &str,
        auth: Option<Rc<str>>,
    ) {
        let refused = {
            let state = &mut *self.state.borrow_mut();
            let is_long = name.len() > state.config.namespace_name_bytes_max;
            let has_parents = state.namespaces.has_parents();
            if has_parents && is_long {
                state.counters.namespaces_over_limit += 1;
            }
            !has_parents || is_long
        };
        if refused {
            return self.refuse_namespace(session, name);
        }
        self.ask_parents(Wish { session, name: Rc::from(name), auth, asked: 0 });
    }

    /// A parent that answers later has decided.
    pub(super) fn handle_wish(self: &Rc<Self>, wish: Wish, allowed: bool) {
        let is_there = {
            let state = &mut *self.state.borrow_mut();
            let client = state.clients.get_mut(wish.session);
            client.map(|client| client.sockets -= 1).is_some()
        };
        match (is_there, allowed) {
            (false, _) => {}
            (true, true) => self.grant(&wish, wish.asked - 1),
            (true, false) => self.ask_parents(wish),
        }
    }

    fn ask_parents(self: &Rc<Self>, mut wish: Wish) {
        loop {
            let (matcher, handshake) = {
                let state = self.state.borrow();
                let Some(client) = state.clients.get(wish.session) else { return };
                let handshake = Handshake::new(client.opening.clone(), wish.auth.clone());
                match state.namespaces.matcher(wish.asked) {
                    Some(matcher) => (matcher.clone(), handshake),
                    None => break,
                }
            };
            wish.asked += 1;
            let mut allowed = false;
            match matcher {
                Matcher::Pattern(pattern) => allowed = pattern.is_match(&wish.name),
                Matcher::AtOnce(decide) => {
                    self.run(wish.session, || allowed = decide(&wish.name, &handshake));
                }
                Matcher::Deferred(decide) => {
                    if let Some(client) = self.state.borrow_mut().clients.get_mut(wish.session) {
                        client.sockets += 1;
                    }
                    let name = Rc::clone(&wish.name);
                    let session = wish.session;
                    let decision = NamespaceDecision { hub: Rc::downgrade(self), wish: Some(wish) };
                    self.run(session, || decide(Io::new(self), &name, &handshake, decision));
                    return;
                }
            }
            if allowed {
                return self.grant(&wish, wish.asked - 1);
            }
        }
        self.refuse_namespace(wish.session, &wish.name);
    }

    /// The child is there, or is made, unless there are as many as there may be.
    fn grant(self: &Rc<Self>, wish: &Wish, parent: usize) {
        let (id, is_new) = {
            let state = &mut *self.state.borrow_mut();
            match state.namespaces.find(&wish.name) {
                Some(id) => (Some(id), false),
                None => (state.make_child(parent, &wish.name), true),
            }
        };
        let Some(id) = id else { return self.refuse_namespace(wish.session, &wish.name) };
        if is_new {
            self.install_adapter(id);
            self.tell_new_namespace(id);
        }
        self.join_namespace(wish.session, id, wish.auth.clone());
        self.clean_up_namespace(wish.session, id);
    }

    fn refuse_namespace(&self, session: SessionKey, name: &str) {
        let message = self.format.encode_connect_error(name, "Invalid namespace", None);
        let state = &mut *self.state.borrow_mut();
        state.counters.namespaces_unknown += 1;
        state.outboxes.push(session, &message, Lane::Soon);
    }

    /// Forgets a child that has no socket any more, if it is to go then.
    pub(super) fn clean_up_namespace(self: &Rc<Self>, session: SessionKey, id: NamespaceId) {
        let is_over = {
            let state = self.state.borrow();
            let cleans_up = state.config.cleanup_empty_child_namespaces;
            cleans_up && state.namespaces.is_empty_child(id)
        };
        if !is_over {
            return;
        }
        self.close_adapter(id);
        let (removed, is_there) = {
            let namespaces = &mut self.state.borrow_mut().namespaces;
            (namespaces.remove_if_empty_child(id), namespaces.contains(id))
        };
        if is_there {
            // Somebody has come while its adapter closed.
            self.install_adapter(id);
        }
        // Its handlers may be the last of their kind: dropping them may run the host's code.
        if let Some(removed) = removed {
            self.run(session, || drop::<NamespaceEntry>(removed));
        }
    }

    pub(super) fn tell_new_namespace(self: &Rc<Self>, id: NamespaceId) {
        let handlers = {
            let state = &mut *self.state.borrow_mut();
            if state.new_namespace.len() > 0 && self.is_too_deep() {
                state.aftermath.push_back(Aftermath::NewNamespace(id));
                return;
            }
            state.new_namespace.clone()
        };
        for handler in handlers.iter() {
            self.run_unbound(|| handler(Namespace::new(self, id)));
        }
        if handlers.is_last() {
            self.run_unbound(|| drop(handlers));
        }
    }
}

impl State {
    fn make_child(&mut self, parent: usize, name: &str) -> Option<NamespaceId> {
        if self.namespaces.children_len() >= self.config.namespaces_max {
            self.counters.namespaces_over_limit += 1;
            return None;
        }
        let parent = self.namespaces.parent(parent)?;
        Some(self.namespaces.insert_child(parent, name))
    }
}

/// Compiles a pattern.
pub(super) fn pattern(pattern: &str) -> Result<Matcher, PatternError> {
    Regex::new(pattern).map(|regex| Matcher::Pattern(Rc::new(regex))).map_err(PatternError)
}

impl Drop for NamespaceDecision {
    fn drop(&mut self) {
        self.decide(false);
    }
}

impl fmt::Debug for NamespaceDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamespaceDecision(decided: {})", self.wish.is_none())
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for PatternError {}

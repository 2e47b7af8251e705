//! Handlers as they are stored: erased closures, cloned out before they are called.
//!
//! A list is replaced when it grows and never changed in place, so a handler may declare further
//! handlers while its own list is being walked.

use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use serde::Serialize;

use super::ack::Ack;
use super::payload::Args;
use super::socket::Socket;
use crate::engineio::DisconnectReason;

pub(crate) type EventHandler = Rc<dyn Fn(Socket<'_>, Args<'_>, Option<Ack>)>;
pub(crate) type ConnectHandler = Rc<dyn Fn(Socket<'_>)>;
pub(crate) type Middleware = Rc<dyn Fn(Socket<'_>) -> Result<(), Refusal>>;
pub(crate) type DisconnectHandler = Rc<dyn Fn(Socket<'_>, DisconnectReason)>;

/// The handlers of one namespace.
#[derive(Default)]
pub(crate) struct Handlers {
    pub(crate) middlewares: List<Middleware>,
    pub(crate) connect: List<ConnectHandler>,
    pub(crate) events: HashMap<Box<str>, List<EventHandler>>,
    pub(crate) disconnecting: List<DisconnectHandler>,
    pub(crate) disconnect: List<DisconnectHandler>,
}

/// A shared list; cloning it is cloning one pointer.
pub(crate) struct List<T>(Option<Rc<[T]>>);

impl<T: Clone> List<T> {
    pub(crate) fn push(&mut self, handler: T) {
        self.0 = Some(self.iter().cloned().chain([handler]).collect());
    }
}

impl<T> List<T> {
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.as_deref().unwrap_or(&[]).iter()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

/// Why a middleware refuses a client: the message, and data if the client may know more.
///
/// The client gets it as `connect_error`, a packet `44{"message":"..","data":..}` (Socket.IO
/// protocol v5, "Connection to a namespace").
///
/// ```
/// use throng::Refusal;
///
/// let refusal = Refusal::new("unauthorized").data(&serde_json::json!({ "code": "E_TOKEN" }));
/// assert_eq!(refusal.message(), "unauthorized");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    message: String,
    data: Option<String>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), data: None }
    }

    /// Adds what the client finds as the error's `data`; what can't be serialised is left out.
    #[must_use]
    pub fn data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::to_string(data).ok();
        self
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn data_json(&self) -> Option<&str> {
        self.data.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Runs the host's code; `None` if it panicked.
///
/// No cell is borrowed while it runs, so what it leaves behind is a whole server: the caller
/// counts the panic and closes the session it was for, and the others don't notice.
pub(crate) fn guard<T>(run: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(run)).ok()
}

//! Raw WebSocket endpoints beside Engine.IO, on the same WebSocket code.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::message::{BINARY_FRAME, TEXT_FRAME, push_frame};
use crate::send_queue::Chunk;
use crate::slots::ConnectionKey;
use crate::socketio::{Command, Hub};

/// The raw endpoints of a server.
#[derive(Default)]
pub(crate) struct Endpoints {
    entries: RefCell<Vec<Entry>>,
}

struct Entry {
    path: Box<str>,
    message_bytes_max: usize,
    handler: Handler,
}

type Handler = Rc<dyn Fn(WebSocket<'_>, WebSocketEvent<'_>)>;

/// Names an endpoint among those of its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EndpointId(u16);

/// One raw WebSocket (RFC 6455), as a handler sees it: `Copy`, valid while the call lasts.
///
/// See [`Server::websocket`](crate::Server::websocket).
///
/// ```
/// use throng::{Server, WebSocketEvent};
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.websocket("/clock", 125, |socket, event| match event {
///     WebSocketEvent::Open => socket.send_text("tick"),
///     _ => socket.close(Some(1000), "that was all"),
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct WebSocket<'a> {
    hub: &'a Rc<Hub>,
    connection: ConnectionKey,
}

/// What happened on a raw WebSocket. Messages are whole (RFC 6455, section 5.4), text is UTF-8;
/// pings are answered without being told.
///
/// ```
/// use throng::WebSocketEvent;
///
/// fn bytes(event: WebSocketEvent<'_>) -> usize {
///     match event {
///         WebSocketEvent::Text(text) => text.len(),
///         WebSocketEvent::Binary(bytes) => bytes.len(),
///         _ => 0,
///     }
/// }
/// assert_eq!(bytes(WebSocketEvent::Text("four")), 4);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketEvent<'a> {
    /// It has opened.
    Open,
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// It has ended.
    Close,
}

impl WebSocket<'_> {
    /// Queues a text message. While more than 1 MiB, or more than 4,096 messages, wait for a peer,
    /// nothing is read from it, so an echo can't grow without bound.
    pub fn send_text(self, text: &str) {
        self.send(TEXT_FRAME, text.as_bytes());
    }

    /// Queues a binary message.
    pub fn send_binary(self, bytes: &[u8]) {
        self.send(BINARY_FRAME, bytes);
    }

    /// Closes it with a code (`None` sends an empty close frame) and a reason (RFC 6455, section
    /// 7.1), after what was queued before.
    pub fn close(self, code: Option<u16>, reason: &str) {
        let command = Command::CloseWebSocket(self.connection, code, reason.to_owned());
        self.hub.state.borrow_mut().commands.push_back(command);
    }

    fn send(self, first_byte: u8, payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 10);
        push_frame(&mut frame, first_byte, payload);
        let command = Command::Send(self.connection, Chunk::from(frame));
        self.hub.state.borrow_mut().commands.push_back(command);
    }
}

impl Endpoints {
    pub(crate) fn add(
        &self,
        path: &str,
        message_bytes_max: usize,
        handler: impl Fn(WebSocket<'_>, WebSocketEvent<'_>) + 'static,
    ) {
        let handler = Rc::new(handler);
        self.entries.borrow_mut().push(Entry { path: path.into(), message_bytes_max, handler });
    }

    /// The endpoint for a path, with the largest message it takes; `*` takes any path.
    pub(crate) fn find(&self, path: &str) -> Option<(EndpointId, usize)> {
        let entries = self.entries.borrow();
        let index = entries.iter().position(|entry| &*entry.path == "*" || &*entry.path == path)?;
        Some((EndpointId(u16::try_from(index).ok()?), entries[index].message_bytes_max))
    }

    pub(crate) fn handle(
        &self,
        hub: &Rc<Hub>,
        endpoint: EndpointId,
        connection: ConnectionKey,
        event: WebSocketEvent<'_>,
    ) {
        let handler = {
            let entries = self.entries.borrow();
            let Some(entry) = entries.get(usize::from(endpoint.0)) else { return };
            Rc::clone(&entry.handler)
        };
        let socket = WebSocket { hub, connection };
        if !hub.run_unbound(|| handler(socket, event)) {
            socket.close(Some(INTERNAL_ERROR), "");
        }
    }
}

impl fmt::Debug for WebSocket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebSocket({:?})", self.connection)
    }
}

/// The close code for "the server ran into something unexpected" (RFC 6455, 7.4.1).
const INTERNAL_ERROR: u16 = 1011;

//! How a test's client connects, and how that may end.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::TestSocket;
use super::link::Opening;
use super::speech::Speech;
use crate::engineio::{Protocol, Transport};
use crate::socketio::Parser;

/// What a client connects with; [`TestServer::connect_with`](super::TestServer::connect_with)
/// takes one.
///
/// Without more it is a WebSocket session of its own without payload.
///
/// ```
/// use throng::testing::{Connect, TestServer};
/// use throng::{Refusal, Transport};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/admin").middleware(|socket| {
///         let handshake = socket.handshake();
///         let is_known = handshake.query("token").as_deref() == Some("secret")
///             && handshake.header("user-agent") == Some("test");
///         if is_known { Ok(()) } else { Err(Refusal::new("who are you?")) }
///     });
/// });
/// let connect = Connect::to("/admin")
///     .transport(Transport::Polling)
///     .query("token", "secret")
///     .header("User-Agent", "test");
/// let admin = test.connect_with(connect).unwrap();
/// assert!(test.is_connected(admin));
/// ```
#[derive(Clone, Debug)]
#[must_use = "nobody connects before it is handed to a server"]
pub struct Connect {
    pub(super) namespace: String,
    pub(super) auth: Option<String>,
    pub(super) shared: Option<TestSocket>,
    pub(super) speech: Speech,
    pub(super) protocol: Protocol,
    query: Vec<(String, String)>,
    headers: String,
    transport: Transport,
    address: Option<SocketAddr>,
}

impl Connect {
    /// To a namespace.
    pub fn to(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            auth: None,
            shared: None,
            speech: Speech::default(),
            protocol: Protocol::V4,
            query: Vec::new(),
            headers: "Host: localhost\r\n".to_owned(),
            transport: Transport::WebSocket,
            address: None,
        }
    }

    /// With a payload of the CONNECT packet, an object.
    ///
    /// # Panics
    /// If it can't be serialised.
    pub fn auth(mut self, auth: &impl Serialize) -> Self {
        match serde_json::to_string(auth) {
            Ok(auth) => self.auth = Some(auth),
            Err(error) => panic!("the payload can't be serialised: {error}"),
        }
        self
    }

    /// With a parser of its own, as a client of Socket.IO has that is given one: the server's, or
    /// else neither understands the other. JSON without it.
    ///
    /// ```
    /// use throng::testing::{Connect, TestServer};
    /// use throng::{MsgpackParser, Server};
    ///
    /// let builder = Server::builder().parser(MsgpackParser);
    /// let mut test = TestServer::build(builder, 1, |server| {
    ///     server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    /// });
    /// let alice = test.connect_with(Connect::to("/").parser(MsgpackParser)).unwrap();
    /// assert_eq!(test.emit_with_ack(alice, "add", (1, 2)), Ok(3));
    /// ```
    pub fn parser(mut self, parser: impl Parser) -> Self {
        self.speech = Speech::new(parser);
        self
    }

    /// In this revision of Engine.IO: a client of [`Protocol::V3`] is one of Socket.IO 2, which is
    /// in `/` by coming, sends the pings, and has no payload to connect with, but may write a query
    /// behind the name of its namespace (`/chat?token=x`). The latest revision without it.
    ///
    /// Over a WebSocket, such a session takes 2 ms to open, which pass.
    ///
    /// ```
    /// use throng::testing::{Connect, TestServer, event};
    /// use throng::{Protocol, Server};
    ///
    /// let builder = Server::builder().allow_eio3(true);
    /// let mut test = TestServer::build(builder, 1, |server| {
    ///     server.of("/chat").on_connect(|socket| {
    ///         let auth = socket.handshake().auth_json().to_owned();
    ///         socket.emit("welcome", &auth);
    ///     });
    /// });
    /// let alice = Connect::to("/chat?token=x").protocol(Protocol::V3);
    /// let alice = test.connect_with(alice).unwrap();
    /// assert_eq!(test.received(alice), [event("welcome", r#"{"token":"x"}"#)]);
    /// ```
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// With one more parameter of the query.
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With one more header, on every request of the session.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers = format!("{}{name}: {value}\r\n", self.headers);
        self
    }

    /// Over this transport. A session that polls stays there until
    /// [`TestServer::upgrade`](super::TestServer::upgrade).
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// From this address.
    pub fn address(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Over the connection of another socket, as `socket.io-client` does for a second namespace;
    /// query, headers, transport, address, parser and protocol are the other's.
    pub fn over(mut self, socket: TestSocket) -> Self {
        self.shared = Some(socket);
        self
    }

    /// The session for it, at Engine.IO's path.
    pub(super) fn opening(&self, path: &str) -> Opening {
        let revision = match self.protocol {
            Protocol::V3 => "EIO=3",
            Protocol::V4 => "EIO=4",
        };
        let mut query = form_urlencoded::Serializer::new(revision.to_owned());
        query.extend_pairs(&self.query);
        Opening {
            target: format!("{path}?{}", query.finish()),
            headers: self.headers.clone(),
            protocol: self.protocol,
            transport: self.transport,
            address: self.address,
        }
    }
}

/// Why a client is not in its namespace.
///
/// ```
/// use throng::Refusal;
/// use throng::testing::{ConnectError, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/vip").middleware(|_| Err(Refusal::new("full").data(&[1, 2])));
/// });
/// let error = test.connect("/vip").unwrap_err();
/// assert_eq!(error.message(), Some("full"));
/// assert_eq!(error.data(), Some([1, 2]));
/// let error = test.connect("/nowhere").unwrap_err();
/// assert_eq!(error.message(), Some("Invalid namespace"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectError {
    /// The namespace is unknown, or its middleware refused: the client's `connect_error`.
    Refused {
        /// The error's message.
        message: String,
        /// The error's data, as JSON.
        data: Option<String>,
    },
    /// The handshake was answered with an error of HTTP.
    Rejected {
        /// The status, `403`.
        status: u16,
        /// The body, `{"code":4,"message":"Forbidden"}`.
        body: String,
    },
    /// The connection has ended before.
    Closed,
    /// Nothing has been decided so far: [`TestServer::outcome`](super::TestServer::outcome) tells
    /// later.
    Pending(TestSocket),
}

impl ConnectError {
    /// The message of a refusal.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The data of a refusal, parsed; `None` where there is none or it is of another shape.
    pub fn data<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            Self::Refused { data, .. } => serde_json::from_str(data.as_deref()?).ok(),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { message, data: None } => write!(f, "refused: {message}"),
            Self::Refused { message, data: Some(data) } => write!(f, "refused: {message} {data}"),
            Self::Rejected { status, body } => write!(f, "rejected with {status}: {body}"),
            Self::Closed => f.write_str("the connection has ended"),
            Self::Pending(_) => f.write_str("nothing has been decided so far"),
        }
    }
}

impl std::error::Error for ConnectError {}

/// Where a socket stands, seen from its client.
///
/// ```
/// use throng::testing::{State, TestServer};
///
/// let mut test = TestServer::new(|server| {
///     server.of("/").on("bye", |socket, (): ()| socket.disconnect());
/// });
/// let alice = test.connect("/").unwrap();
/// assert_eq!(test.state(alice), State::Connected);
/// test.emit(alice, "bye", ());
/// assert_eq!(test.state(alice), State::Dismissed);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It has asked for its namespace, or is about to.
    Connecting,
    /// It is in its namespace.
    Connected,
    /// It was not let in.
    Failed(ConnectError),
    /// It left its namespace itself.
    Left,
    /// The server took it out of its namespace ("io server disconnect").
    Dismissed,
    /// The connection has ended, with this code in the WebSocket's close frame if it had one
    /// ("transport close").
    Closed {
        /// `1009` for a message that is too large.
        code: Option<u16>,
    },
}

//! Parsers: how packets become messages of Engine.IO and back, for all clients of a server.
//!
//! The two that come with the library never go this way, since they write straight into the frame
//! that is sent and read where a message lies; here is what a parser of the host's own sees.
//! Whoever it is for, an event of `/admin` that wants ack 7 is:
//!
//! ```text
//! kind Event, namespace "/admin", id 7, data ["chat","hi"]
//! ```

mod builtin;
pub(crate) mod custom;

use std::any::Any;
use std::fmt;

use super::packet::PacketKind;
use super::payload::{Args, OwnedArgs};

pub use builtin::{JsonParser, MsgpackParser};

/// How packets are written and read: a format of the host's own, that its clients must know too.
///
/// A server has one parser for all its clients; what it must remember of one of them, it keeps in
/// the [`Partial`] it is handed. [`JsonParser`] and [`MsgpackParser`] are parsers as well, to be
/// wrapped by others.
///
/// An error, or a panic, of [`decode`](Self::decode) closes the connection that sent the message
/// and is counted with decode errors; one of [`encode`](Self::encode) is counted with encode
/// errors, and nothing is sent but where the client waits for an answer to its CONNECT: it gets an
/// empty text message.
///
/// A parser has no business with the server that calls it. One that calls back into it all the same
/// does no harm: it may do anything, to a depth of four calls within each other, beyond which
/// nothing is written. Where it writes for an adapter that acts
/// ([`Local::event`](crate::adapter::Local::event),
/// [`OutgoingEvent::append`](crate::adapter::OutgoingEvent::append)), whatever it asks of a view is
/// a panic, which is caught like any other; answers that it owns (an [`Ack`](crate::Ack), a
/// [`Next`](crate::Next)) take effect when the adapter has returned.
///
/// This one is JSON without Socket.IO's short forms, and knows no bytes:
///
/// ```
/// use throng::{
///     EncodedPacket, IncomingPacket, OutgoingPacket, OwnedArgs, PacketKind, Parser, ParserError,
///     ParserLimits, Partial, RawMessage, Server,
/// };
///
/// struct Plain;
///
/// impl Parser for Plain {
///     fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
///         let OutgoingPacket { kind, namespace, id, data, .. } = packet;
///         let text = serde_json::to_string(&(kind.number(), namespace, id, data.as_seq()))?;
///         Ok(EncodedPacket::text(text))
///     }
///
///     fn decode(
///         &self,
///         message: RawMessage<'_>,
///         _: &mut Partial,
///         _: &ParserLimits,
///     ) -> Result<Option<IncomingPacket>, ParserError> {
///         let RawMessage::Text(text) = message else { return Err("binary".into()) };
///         let (kind, namespace, id, data): (u8, String, Option<u64>, OwnedArgs) =
///             serde_json::from_str(text)?;
///         let kind = PacketKind::from_number(kind).ok_or("unknown type")?;
///         Ok(Some(IncomingPacket::new(kind, namespace, id, data)))
///     }
/// }
///
/// let server = Server::builder().parser(Plain).bind("127.0.0.1:0")?;
/// server.emit("chat", &"hi"); // [2,"/",null,["chat","hi"]]
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Parser: Any + Send {
    /// Writes one packet.
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError>;

    /// Reads one message, and gives the packet that it completes.
    ///
    /// `Ok(None)` says that more messages of this packet must come; what came is kept in `partial`
    /// then. It is the host's business to keep what it reads within `limits`; beyond those for one
    /// packet the server closes the connection itself.
    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        limits: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError>;
}

/// Why a packet could not be written or read: any error, or a text by `"..".into()`.
pub type ParserError = Box<dyn std::error::Error + Send + Sync>;

/// A packet on its way to a client; see [`Parser`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct OutgoingPacket<'a> {
    /// What it is for.
    pub kind: PacketKind,
    /// The namespace, `/` for the main one.
    pub namespace: &'a str,
    /// Which ack an event wants, or which one an ack is.
    pub id: Option<u64>,
    /// An event's name and its arguments; an ack's arguments; the one object that a connect or a
    /// connect error carries; nothing for a disconnect.
    pub data: Args<'a>,
}

/// A packet that came from a client; see [`Parser`].
///
/// ```
/// use throng::{IncomingPacket, OwnedArgs, PacketKind};
///
/// let data = OwnedArgs::new(("chat", "hi"))?;
/// let packet = IncomingPacket::new(PacketKind::Event, "/", None, data);
/// assert_eq!(packet.data.as_args().len(), 2);
/// # Ok::<(), throng::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IncomingPacket {
    /// What it is for; a client that sends a connect error is closed.
    pub kind: PacketKind,
    /// The namespace, `/` for the main one.
    pub namespace: String,
    /// Which ack an event wants, or which one an ack is.
    pub id: Option<u64>,
    /// An event's name and its arguments; an ack's arguments; the object that a connect carries, if
    /// there is one. An event whose name is neither a string nor a number means nothing.
    pub data: OwnedArgs,
}

impl IncomingPacket {
    /// Puts a packet together.
    pub fn new(
        kind: PacketKind,
        namespace: impl Into<String>,
        id: Option<u64>,
        data: OwnedArgs,
    ) -> Self {
        Self { kind, namespace: namespace.into(), id, data }
    }
}

/// One message as Engine.IO brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawMessage<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// The messages of Engine.IO that are one packet: one text or one binary, and further binary ones
/// behind it. Nothing comes between them on the wire.
///
/// ```
/// use throng::{EncodedPacket, RawMessage};
///
/// let packet = EncodedPacket::text("upload 1").attachment(vec![1, 2, 3]);
/// assert_eq!(packet.messages().count(), 2);
/// assert_eq!(packet.messages().next(), Some(RawMessage::Text("upload 1")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedPacket {
    pub(super) first: FirstMessage,
    pub(super) attachments: Vec<Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FirstMessage {
    Text(String),
    Binary(Vec<u8>),
}

impl EncodedPacket {
    /// One text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self { first: FirstMessage::Text(text.into()), attachments: Vec::new() }
    }

    /// One binary message.
    pub fn binary(bytes: impl Into<Vec<u8>>) -> Self {
        Self { first: FirstMessage::Binary(bytes.into()), attachments: Vec::new() }
    }

    /// Adds a binary message at the end.
    #[must_use]
    pub fn attachment(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.attachments.push(bytes.into());
        self
    }

    /// All messages in order.
    pub fn messages(&self) -> impl Iterator<Item = RawMessage<'_>> {
        let first = match &self.first {
            FirstMessage::Text(text) => RawMessage::Text(text),
            FirstMessage::Binary(bytes) => RawMessage::Binary(bytes),
        };
        let attachments = self.attachments.iter().map(|bytes| RawMessage::Binary(bytes));
        std::iter::once(first).chain(attachments)
    }
}

/// What a parser keeps of one client between the messages of a packet; nothing between packets.
///
/// ```
/// use throng::Partial;
///
/// let mut partial = Partial::default();
/// partial.keep((2_usize, vec![b"first".to_vec()]));
/// let (expected, parts) = partial.take::<(usize, Vec<Vec<u8>>)>().unwrap_or_default();
/// assert_eq!((expected, parts.len()), (2, 1));
/// assert!(partial.is_empty());
/// ```
#[derive(Default)]
pub struct Partial(Option<Box<dyn Any>>);

impl Partial {
    /// Keeps a state for the next message, in place of the one before.
    pub fn keep<T: 'static>(&mut self, state: T) {
        self.0 = Some(Box::new(state));
    }

    /// Takes the state that was kept; `None` if there is none of this type.
    pub fn take<T: 'static>(&mut self) -> Option<T> {
        match self.0.take()?.downcast() {
            Ok(state) => Some(*state),
            Err(other) => {
                self.0 = Some(other);
                None
            }
        }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial").field("is_empty", &self.is_empty()).finish()
    }
}

/// What a peer may make a parser read.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ParserLimits {
    /// The most bytes in one message: none that is larger ever comes.
    pub payload_bytes_max: usize,
    /// The most messages behind the first of one packet.
    pub attachments_max: usize,
}

impl ParserLimits {
    pub(super) fn new(payload_bytes_max: usize, attachments_max: usize) -> Self {
        Self { payload_bytes_max, attachments_max }
    }

    /// Of a peer that is trusted.
    pub(crate) fn unbounded() -> Self {
        Self::new(usize::MAX, usize::MAX)
    }

    /// The most bytes in all messages of one packet.
    pub(super) fn packet_bytes_max(&self) -> usize {
        self.payload_bytes_max.saturating_mul(self.attachments_max.saturating_add(1))
    }
}

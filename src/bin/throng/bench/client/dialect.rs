//! What all clients of a run say alike, made once; it knows what sets one protocol apart from
//! another, not what carries it.
//!
//! ```text
//! Engine.IO 4   > 40/chat,   < 40/chat,{"sid":..}      < 2   > 3
//! Engine.IO 3   > 40/chat,   < 40   < 40/chat,         > 2   < 3
//! ```

use super::frame::push_frame;
use super::{BINARY, Ending};
use crate::bench::plan::{Plan, Protocol};

#[derive(Debug)]
pub(crate) struct Dialect {
    pub(crate) protocol: Protocol,
    /// Host and port, as the `Host` header has it.
    pub(crate) host: String,
    /// Path and the beginning of the query, as in `/socket.io/?EIO=4`.
    pub(crate) target: String,
    /// As in `/chat,`; empty for the namespace `/`.
    pub(crate) namespace: String,
}

impl Dialect {
    pub(crate) fn new(plan: &Plan, host: &str) -> Self {
        let target = match plan.protocol {
            Protocol::SocketIo => format!("{}?EIO=4", plan.path),
            Protocol::SocketIoV2 => format!("{}?EIO=3", plan.path),
            Protocol::Websocket => plan.path.clone(),
        };
        let namespace = match plan.namespace.as_str() {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        };
        let protocol = plan.protocol;
        Self { protocol, host: host.to_owned(), target, namespace }
    }

    /// Whether the older Engine.IO is spoken, in which clients ping.
    pub(super) fn is_v2(&self) -> bool {
        self.protocol == Protocol::SocketIoV2
    }

    /// The packet that asks to be let into the namespace, where that has to be asked for.
    pub(super) fn connect(&self) -> Option<String> {
        let is_let_in = self.is_v2() && self.namespace.is_empty();
        (!is_let_in).then(|| format!("0{}", self.namespace))
    }

    /// Whether what follows `40` says that a client is let into its namespace: with Engine.IO 3,
    /// each is let into `/` first.
    pub(super) fn lets_in(&self, connect: &[u8]) -> bool {
        !self.is_v2() || connect.starts_with(self.namespace.as_bytes())
    }

    /// The attachment in a binary message; with Engine.IO 3, its type goes before it.
    pub(super) fn attachment<'a>(&self, message: &'a [u8]) -> Result<&'a [u8], Ending> {
        if !self.is_v2() {
            return Ok(message);
        }
        message.strip_prefix(&[MESSAGE_TYPE]).ok_or(Ending::BadPacket)
    }

    /// Appends an attachment as one masked frame.
    pub(super) fn push_attachment(&self, out: &mut Vec<u8>, mask: [u8; 4], attachment: &[u8]) {
        if self.is_v2() {
            push_frame(out, BINARY, mask, &[&[MESSAGE_TYPE], attachment].concat());
        } else {
            push_frame(out, BINARY, mask, attachment);
        }
    }
}

/// Of a binary message in Engine.IO 3: a number, not a digit.
pub(super) const MESSAGE_TYPE: u8 = 4;

//! A WebSocket whose frames are made and looked at by hand.

use super::{Running, Wire, json_string, upgrade_head};

/// A WebSocket on its wire.
pub(crate) struct WebSocket {
    pub(crate) wire: Wire,
    /// The head of the 101.
    pub(crate) head: String,
    /// The session's id, where the handshake told one.
    pub(crate) sid: String,
}

/// One frame from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// `0x81` for a whole text message.
    pub(crate) first_byte: u8,
    pub(crate) payload: Vec<u8>,
}

impl WebSocket {
    /// Opens a session on a WebSocket.
    pub(crate) fn open(server: &Running) -> Self {
        let mut socket = Self::upgrade(server, "/socket.io/?EIO=4&transport=websocket");
        let open = socket.text();
        assert!(open.starts_with("0{\"sid\":\""), "{open:?}");
        json_string(&open, "sid").clone_into(&mut socket.sid);
        socket
    }

    /// Opens a session on a WebSocket and joins `/`.
    pub(crate) fn joined(server: &Running) -> Self {
        let mut socket = Self::open(server);
        socket.join("/");
        socket
    }

    /// Opens a WebSocket on a target; nothing is read behind the 101.
    pub(crate) fn upgrade(server: &Running, target: &str) -> Self {
        let mut wire = Wire::connect(server);
        wire.send(upgrade_head(target, ""));
        Self::upgraded(wire)
    }

    /// Reads the 101 on a wire.
    pub(crate) fn upgraded(mut wire: Wire) -> Self {
        let response = wire.response();
        assert_eq!(response.status, 101, "{response:?}");
        assert_eq!(response.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        Self { wire, head: response.head, sid: String::new() }
    }

    /// Joins a namespace; gives the id of the socket.
    pub(crate) fn join(&mut self, namespace: &str) -> String {
        let prefix = if namespace == "/" { "40".to_owned() } else { format!("40{namespace},") };
        self.send(&prefix);
        let reply = self.text();
        let payload = reply.strip_prefix(&prefix).unwrap_or_else(|| panic!("{reply:?}"));
        json_string(payload, "sid").to_owned()
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.send_frame(0x81, text.as_bytes());
    }

    pub(crate) fn send_binary(&mut self, bytes: &[u8]) {
        self.send_frame(0x82, bytes);
    }

    pub(crate) fn send_frame(&mut self, first_byte: u8, payload: &[u8]) {
        self.wire.send(masked_frame(first_byte, payload));
    }

    pub(crate) fn frame(&mut self) -> Frame {
        let head = self.wire.read_exactly(2);
        assert_eq!(head[1] & 0x80, 0, "a server doesn't mask");
        let bytes = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.wire.read_exactly(2).try_into().unwrap())),
            127 => u64::from_be_bytes(self.wire.read_exactly(8).try_into().unwrap()),
            bytes => u64::from(bytes),
        };
        let payload = self.wire.read_exactly(usize::try_from(bytes).unwrap());
        Frame { first_byte: head[0], payload }
    }

    /// The next frame, a whole text message.
    pub(crate) fn text(&mut self) -> String {
        let frame = self.frame();
        assert_eq!(frame.first_byte, 0x81, "{frame:?}");
        String::from_utf8(frame.payload).unwrap()
    }

    /// The next frame, a whole binary message.
    pub(crate) fn binary(&mut self) -> Vec<u8> {
        let frame = self.frame();
        assert_eq!(frame.first_byte, 0x82, "{frame:?}");
        frame.payload
    }

    /// The next frames are these texts.
    pub(crate) fn expect(&mut self, texts: &[&str]) {
        for text in texts {
            assert_eq!(self.text(), *text);
        }
    }

    /// The next frame closes, with this code or an empty payload; the answer to it is sent and the
    /// connection ends.
    pub(crate) fn expect_close(&mut self, code: Option<u16>) {
        let frame = self.frame();
        assert_eq!(frame.first_byte, 0x88, "{frame:?}");
        let found = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        assert_eq!(found, code, "{frame:?}");
        self.wire.send_anyway(masked_frame(0x88, &frame.payload));
        self.wire.expect_end();
    }
}

/// A frame as clients send it, masked.
pub(crate) fn masked_frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first_byte];
    match payload.len() {
        bytes @ 0..126 => frame.push(0x80 | u8::try_from(bytes).unwrap()),
        bytes @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend_from_slice(&u16::try_from(bytes).unwrap().to_be_bytes());
        }
        bytes => {
            frame.push(0xff);
            frame.extend_from_slice(&u64::try_from(bytes).unwrap().to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

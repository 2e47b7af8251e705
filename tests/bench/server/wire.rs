//! HTTP requests and WebSocket frames, no further than a load generator needs them.
//!
//! ```text
//! 81 05 hello        81 85 <mask> .....
//! ```

use tungstenite::handshake::derive_accept_key;

/// A request whose body is complete.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) is_post: bool,
    pub(super) target: String,
    pub(super) websocket_key: Option<String>,
    /// Whether the body is no text.
    pub(super) is_octets: bool,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// Takes one request off the front of `input`, if it is complete.
    pub(super) fn take(input: &mut Vec<u8>) -> Option<Self> {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        let parsed = request.parse(input).expect("the generator speaks HTTP");
        let httparse::Status::Complete(head) = parsed else { return None };
        let field = |name: &str| {
            let found = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
            found.map(|field| String::from_utf8(field.value.to_vec()).unwrap())
        };
        let length = field("content-length").map_or(0, |text| text.parse::<usize>().unwrap());
        let body = input.get(head..head + length)?.to_vec();
        let taken = Self {
            is_post: request.method == Some("POST"),
            target: request.path.unwrap().to_owned(),
            websocket_key: field("sec-websocket-key"),
            is_octets: field("content-type").as_deref() == Some("application/octet-stream"),
            body,
        };
        input.drain(..head + length);
        Some(taken)
    }

    /// The value of a parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// A response with a body, on a connection that stays.
pub(super) fn response(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The answer to the handshake of a WebSocket.
pub(super) fn switching(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    )
    .into_bytes()
}

/// A frame as a client sent it, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// Takes one frame off the front of `input`, if it is complete.
    pub(super) fn take(input: &mut Vec<u8>) -> Option<Self> {
        let (first, second) = (*input.first()?, *input.get(1)?);
        assert!(first & 0x80 != 0, "the generator sends whole messages");
        assert!(second & 0x80 != 0, "frames of clients are masked");
        let (length, mask_at) = match second & 0x7f {
            126 => (usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().unwrap())), 4),
            127 => (usize::from_be_bytes(input.get(2..10)?.try_into().unwrap()), 10),
            short => (usize::from(short), 2),
        };
        let mask: [u8; 4] = input.get(mask_at..mask_at + 4)?.try_into().unwrap();
        let masked = input.get(mask_at + 4..mask_at + 4 + length)?;
        let payload = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
        let frame = Self { opcode: first & 0x0f, payload: payload.collect() };
        input.drain(..mask_at + 4 + length);
        Some(frame)
    }
}

/// A frame as a server sends it; `first` is its first byte.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let length = payload.len();
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 126) {
        bytes.push(short);
    } else if let Ok(medium) = u16::try_from(length) {
        bytes.push(126);
        bytes.extend_from_slice(&medium.to_be_bytes());
    } else {
        bytes.push(127);
        bytes.extend_from_slice(&length.to_be_bytes());
    }
    bytes.extend_from_slice(payload);
    bytes
}

pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xa;
pub(super) const FINAL: u8 = 0x80;

//! The client's end of one connection: HTTP answers and WebSocket frames out of bytes, and the
//! other way round.
//!
//! It trusts the server, which is the one under test here: what it can't read is a panic.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=websocket HTTP/1.1    < HTTP/1.1 101 Switching Protocols
//! > 81 82 00 00 00 00 34 30                               < 81 02 34 30
//! ```

use super::net::MemoryNet;

/// A connection, and what was read from it and not looked at so far.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) connection: usize,
    buffer: Vec<u8>,
}

/// The answer to a request of [`TestServer::request`](super::TestServer::request).
///
/// ```
/// use throng::http::Response;
/// use throng::testing::TestServer;
///
/// let mut test = TestServer::new(|server| {
///     server.http().get("/healthz", |_, _| Response::ok().text("ok"));
/// });
/// let answer = test.get("/healthz");
/// assert_eq!((answer.status, answer.text()), (200, "ok"));
/// assert_eq!(answer.header("content-length"), Some("2"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// `200`, `404`.
    pub status: u16,
    /// The header fields in their order, names as they came.
    pub headers: Vec<(String, String)>,
    /// The body; none for a status that has none.
    pub body: Vec<u8>,
}

/// One frame of a WebSocket.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) first_byte: u8,
    pub(super) payload: Vec<u8>,
}

impl Answer {
    /// The value of the first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is none.
    pub fn text(&self) -> &str {
        match std::str::from_utf8(&self.body) {
            Ok(text) => text,
            Err(error) => panic!("the body is no text: {error}"),
        }
    }
}

impl Wire {
    pub(super) fn new(connection: usize) -> Self {
        Self { connection, buffer: Vec::new() }
    }

    /// Reads what there is.
    pub(super) fn read(&mut self, net: &mut MemoryNet) {
        self.buffer.append(&mut net.received(self.connection));
    }

    /// Whether the server has ended it and everything before the end was looked at.
    pub(super) fn is_over(&self, net: &MemoryNet) -> bool {
        self.buffer.is_empty() && net.is_ended(self.connection)
    }

    /// The next whole answer; that to a `HEAD` has no body.
    pub(super) fn answer(&mut self, is_to_head: bool, net: &MemoryNet) -> Option<Answer> {
        let end = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&self.buffer[..end]);
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let Some(status) = status else { panic!("no answer of HTTP: {head:?}") };
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned()));
        let mut answer = Answer { status, headers: headers.collect(), body: Vec::new() };
        let has_body = !is_to_head && status >= 200 && status != 204 && status != 304;
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        let length: usize = match length {
            _ if !has_body => 0,
            Some(length) => length,
            None if net.is_ended(self.connection) => self.buffer.len() - end,
            None => return None,
        };
        if self.buffer.len() < end + length {
            return None;
        }
        self.buffer.drain(..end);
        answer.body = self.buffer.drain(..length).collect();
        Some(answer)
    }

    /// The next whole frame.
    pub(super) fn frame(&mut self) -> Option<Frame> {
        let (&first_byte, &second_byte) = (self.buffer.first()?, self.buffer.get(1)?);
        assert!(second_byte & 0x80 == 0, "a server doesn't mask");
        let (head, length) = match second_byte {
            126 => (4, be_number(self.buffer.get(2..4)?)),
            127 => (10, be_number(self.buffer.get(2..10)?)),
            length => (2, usize::from(length)),
        };
        let payload = self.buffer.get(head..head + length)?.to_vec();
        self.buffer.drain(..head + length);
        Some(Frame { first_byte, payload })
    }

    pub(super) fn send_frame(&self, net: &mut MemoryNet, first_byte: u8, payload: &[u8]) {
        net.send(self.connection, frame(first_byte, payload));
    }
}

/// A frame as a client sends it; a mask of zeroes leaves the payload as it is.
fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first_byte];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length.to_be_bytes()[size_of::<usize>() - 1]),
        length @ 126..65_536 => {
            frame.push(0xfe);
            frame.extend_from_slice(&length.to_be_bytes()[size_of::<usize>() - 2..]);
        }
        length => {
            frame.push(0xff);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn be_number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, &byte| number << 8 | usize::from(byte))
}

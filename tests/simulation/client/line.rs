//! An HTTP connection of a client: one request at a time, kept alive.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling HTTP/1.1
//! < HTTP/1.1 200 OK
//! ```

use super::packet::Body;
use crate::pipe::End;
use crate::world::{Wire, World};

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) wire: Wire,
    input: Vec<u8>,
}

/// An answer, whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The body is no text.
    pub(crate) is_binary: bool,
    /// Another request may follow on the connection.
    pub(crate) is_kept: bool,
}

impl Line {
    pub(crate) fn open(world: &mut World) -> Self {
        Self { wire: world.connect(), input: Vec::new() }
    }

    pub(crate) fn get(&self, world: &mut World, target: &str) {
        let close = if world.random.once_in(12) { "Connection: close\r\n" } else { "" };
        let head = format!("GET {target} HTTP/1.1\r\nHost: sim\r\n{close}\r\n");
        world.send(self.wire, head.as_bytes());
    }

    pub(crate) fn post(&self, world: &mut World, target: &str, body: &Body) {
        let mut request = format!("POST {target} HTTP/1.1\r\nHost: sim\r\n").into_bytes();
        if body.is_binary {
            request.extend_from_slice(b"Content-Type: application/octet-stream\r\n");
        }
        let body = body.bytes.as_slice();
        if world.random.once_in(5) {
            request.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            let middle = world.random.below(body.len());
            for chunk in [&body[..middle], &body[middle..]] {
                if !chunk.is_empty() {
                    request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                    request.extend_from_slice(chunk);
                    request.extend_from_slice(b"\r\n");
                }
            }
            request.extend_from_slice(b"0\r\n\r\n");
        } else {
            request.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            request.extend_from_slice(body);
        }
        world.send(self.wire, &request);
    }

    /// The answer, once all of it is there, and whether more can come.
    pub(crate) fn receive(&mut self, world: &mut World) -> (Option<Answer>, End) {
        let (bytes, end) = world.receive(self.wire);
        self.input.extend_from_slice(&bytes);
        (self.take_answer(), end)
    }

    fn take_answer(&mut self) -> Option<Answer> {
        let head_bytes = find(&self.input, b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.input[..head_bytes].to_vec()).ok()?.to_ascii_lowercase();
        let field = |name: &str| {
            let line = head.lines().find(|line| line.starts_with(name))?;
            line.split_once(": ").map(|(_, value)| value.to_owned())
        };
        let body_bytes = field("content-length").map_or(0, |value| value.parse().unwrap());
        let body = self.input.get(head_bytes..head_bytes + body_bytes)?.to_vec();
        self.input.drain(..head_bytes + body_bytes);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let is_kept = field("connection").as_deref() != Some("close");
        let is_binary = field("content-type").as_deref() == Some("application/octet-stream");
        Some(Answer { status, body, is_binary, is_kept })
    }
}

/// Where `needle` begins.
pub(crate) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

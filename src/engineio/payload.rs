//! The body of a polling POST, and how far it has been read.
//!
//! A body of 1 MB can hold 300,000 packets, more than one turn should dispatch: the cursor stays
//! here, so that the rest can wait for the next turn. What is wrong with a body is found where it
//! is: the packets before count.
//!
//! ```text
//! EIO 4             42["a"] 1e 3 1e bAQID
//! EIO 3, text       7:42["a"]1:28:b4AQID
//! EIO 3, bytes      00 07 ff 42["a"]  01 04 ff 04 01 02 03
//! ```

mod v3;

use super::Engine;
use super::jsonp;
use super::packet::RawPacket;
use super::transport::Protocol;
use crate::http::Request;
use crate::message::SEPARATOR;
use crate::slots::SessionKey;

/// A polling body that is handed out packet by packet.
#[derive(Debug)]
pub(crate) struct Payload {
    body: Body,
    /// Where the next packet begins; one beyond the end once all have been read.
    at: usize,
}

#[derive(Debug)]
enum Body {
    /// Packets with a separator between them.
    Separated(String),
    /// Packets, each behind its length in UTF-16 code units (EIO 3).
    Counted(String),
    /// Packets of text and of bytes, each behind its length in bytes (EIO 3).
    Bytes(Vec<u8>),
    /// No packet, which is no mistake either.
    Empty,
}

impl Engine {
    /// The packets in the body of a POST.
    pub(crate) fn payload(&self, session: SessionKey, request: &mut Request) -> Payload {
        let protocol = self.protocol(session).unwrap_or(Protocol::V4);
        let body = request.take_body();
        if jsonp::callback(request).is_some() {
            return match jsonp::payload(&body) {
                Some(body) => Payload::of_text(body, protocol),
                None => Payload { body: Body::Empty, at: 1 },
            };
        }
        if protocol == Protocol::V3 && is_octet_stream(request) {
            return Payload { body: Body::Bytes(body), at: 0 };
        }
        Payload::new(body, protocol)
    }
}

impl Payload {
    /// Takes a whole body of text. Bytes that aren't UTF-8 become U+FFFD, as JavaScript reads them.
    pub(crate) fn new(body: Vec<u8>, protocol: Protocol) -> Self {
        let body = match String::from_utf8(body) {
            Ok(body) => body,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Self::of_text(body, protocol)
    }

    fn of_text(body: String, protocol: Protocol) -> Self {
        let body = match protocol {
            Protocol::V3 => Body::Counted(body),
            Protocol::V4 => Body::Separated(body),
        };
        Self { body, at: 0 }
    }

    /// The next packet, or `None` after the last. An empty body of text is one empty packet, or
    /// one that can't be read.
    pub(crate) fn next_packet(&mut self) -> Option<RawPacket<'_>> {
        let step = match &self.body {
            Body::Separated(body) => next_separated(body, self.at),
            Body::Counted(body) => v3::next_counted(body, self.at),
            Body::Bytes(body) => v3::next_in_bytes(body, self.at),
            Body::Empty => None,
        };
        let (packet, next) = step.unzip();
        // What can't be read has no end either: nothing follows.
        self.at = next.unwrap_or(usize::MAX);
        packet
    }

    /// Whether every packet has been handed out.
    pub(crate) fn is_done(&self) -> bool {
        match &self.body {
            Body::Separated(body) => self.at > body.len(),
            Body::Counted(body) => self.at >= body.len(),
            Body::Bytes(body) => self.at >= body.len(),
            Body::Empty => true,
        }
    }
}

/// Whether a POST carries bytes, which only clients of EIO 3 send.
pub(crate) fn is_octet_stream(request: &Request) -> bool {
    request.header("content-type") == Some("application/octet-stream")
}

/// A packet, and where the next one begins.
type Step<'p> = (RawPacket<'p>, usize);

fn next_separated(body: &str, at: usize) -> Option<Step<'_>> {
    let rest = body.get(at..)?;
    let end = rest.find(char::from(SEPARATOR)).unwrap_or(rest.len());
    let packet = rest.get(..end).map(RawPacket::Text)?;
    Some((packet, at.saturating_add(end).saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(body: &[u8]) -> Vec<String> {
        let mut payload = Payload::new(body.to_vec(), Protocol::V4);
        let mut out = Vec::new();
        while let Some(RawPacket::Text(text)) = payload.next_packet() {
            out.push(text.to_owned());
        }
        assert!(payload.is_done());
        out
    }

    #[test]
    fn splits_at_every_separator() {
        assert_eq!(packets(b"4a\x1e4b"), ["4a", "4b"]);
        assert_eq!(packets(b"4a\x1e"), ["4a", ""]);
        assert_eq!(packets(b"\x1e\x1e"), ["", "", ""]);
        assert_eq!(packets(b""), [""]);
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        assert_eq!(packets(b"4\xff\x1e4\xc3\xa9"), ["4\u{fffd}", "4\u{e9}"]);
    }

    #[test]
    fn is_done_only_after_the_last_packet() {
        let mut payload = Payload::new(b"3\x1e3".to_vec(), Protocol::V4);
        payload.next_packet();
        assert!(!payload.is_done());
        payload.next_packet();
        assert!(payload.is_done());
        assert_eq!(payload.next_packet(), None);
    }
}

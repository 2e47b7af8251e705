//! The body of a polling POST, and how far it has been read.
//!
//! A body of 1 MB can hold 300,000 packets, more than one turn should dispatch: the cursor stays
//! here, so that the rest can wait for the next turn.
//!
//! ```text
//! 42["a"] 1e 3 1e bAQID
//! ```

use super::packet::RawPacket;
use crate::message::SEPARATOR;

/// A polling body that is handed out packet by packet.
#[derive(Debug)]
pub(crate) struct Payload {
    body: String,
    /// Where the next packet begins; one beyond the end once all have been read.
    at: usize,
}

impl Payload {
    /// Takes a whole body. Bytes that aren't UTF-8 become U+FFFD, as JavaScript reads them.
    pub(crate) fn new(body: Vec<u8>) -> Self {
        let body = match String::from_utf8(body) {
            Ok(body) => body,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Self { body, at: 0 }
    }

    /// The next packet, or `None` after the last. An empty body is one empty packet.
    pub(crate) fn next_packet(&mut self) -> Option<RawPacket<'_>> {
        let rest = self.body.get(self.at..)?;
        let end = rest.find(char::from(SEPARATOR)).unwrap_or(rest.len());
        self.at = self.at.saturating_add(end).saturating_add(1);
        rest.get(..end).map(RawPacket::Text)
    }

    /// Whether every packet has been handed out.
    pub(crate) fn is_done(&self) -> bool {
        self.at > self.body.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(body: &[u8]) -> Vec<String> {
        let mut payload = Payload::new(body.to_vec());
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
        let mut payload = Payload::new(b"3\x1e3".to_vec());
        payload.next_packet();
        assert!(!payload.is_done());
        payload.next_packet();
        assert!(payload.is_done());
        assert_eq!(payload.next_packet(), None);
    }
}

//! What the benches reach of the packets' codec: no public API, and it may change at any time.
//!
//! ```text
//! decode("2[\"chat\",\"hi\"]")    encode("chat", ("hi", [1, 2, 3]))
//! ```

use super::packet::{Decoded, Packet, decode, encode_event};
use super::payload::IntoArgs;

/// Decodes a packet and, if it announces some, its attachments; returns how many arguments its
/// event has, or `None` if it is no event.
pub fn decode_event(text: &str, attachments: &[&[u8]]) -> Option<usize> {
    match decode(text, ATTACHMENTS_MAX).ok()? {
        Decoded::Complete(packet) => args_of(&packet),
        Decoded::Incomplete(incomplete) => {
            let mut reconstructor = incomplete.reconstructor(BYTES_MAX).ok()?;
            for attachment in attachments {
                reconstructor.push(attachment).ok()?;
            }
            args_of(&reconstructor.packet()?)
        }
    }
}

/// Encodes an event as it is queued for its recipients; returns the bytes of its payload.
pub fn encode(event: &str, args: impl IntoArgs) -> Option<usize> {
    Some(encode_event("/", event, None, args).ok()?.finish().bytes())
}

fn args_of(packet: &Packet<'_>) -> Option<usize> {
    match packet {
        Packet::Event { args, .. } => Some(args.len()),
        _ => None,
    }
}

const ATTACHMENTS_MAX: usize = 10;
const BYTES_MAX: usize = 1_000_000;

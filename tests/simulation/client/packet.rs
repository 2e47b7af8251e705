//! Engine.IO packets as a client sends and hears them: `4` is a message, and binary is a message.
//!
//! In a payload of polling they stand one behind the other: `2 1e 42["said",1] 1e bAQID`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One packet, its type in front of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

impl Packet {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn encode_payload(packets: &[Self]) -> Vec<u8> {
        let encoded: Vec<String> = packets
            .iter()
            .map(|packet| match packet {
                Self::Text(text) => text.clone(),
                Self::Binary(bytes) => format!("b{}", STANDARD.encode(bytes)),
            })
            .collect();
        encoded.join("\u{1e}").into_bytes()
    }

    pub(crate) fn decode_payload(body: &[u8]) -> Result<Vec<Self>, String> {
        let body = std::str::from_utf8(body).map_err(|error| format!("a payload: {error}"))?;
        body.split('\u{1e}')
            .map(|packet| match packet.strip_prefix('b') {
                Some(encoded) => {
                    let bytes = STANDARD.decode(encoded);
                    bytes.map(Self::Binary).map_err(|error| format!("a payload: {error}"))
                }
                None => Ok(Self::text(packet)),
            })
            .collect()
    }
}

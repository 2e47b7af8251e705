//! Engine.IO packets as a client sends and hears them: `4` is a message, and binary is a message.
//!
//! In a payload of polling they stand one behind the other:
//!
//! ```text
//! EIO 4             2 1e 42["said",1] 1e bAQID
//! EIO 3, text       1:211:42["said",1]6:b4AQID
//! EIO 3, bytes      00 01 ff 2  00 0b 01 ff 42["said",1]  01 04 ff 04 01 02 03
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::random::Random;

/// One packet, its type in front of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Text(String),
    Binary(Vec<u8>),
}

/// The revision of the protocol that a client speaks, and how it takes bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    V4,
    /// Bytes as they are.
    V3,
    /// Bytes as text, in base64.
    V3Base64,
}

/// The body of a POST.
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// It isn't text.
    pub(crate) is_binary: bool,
}

impl Form {
    pub(crate) fn random(random: &mut Random) -> Self {
        *random.pick(&[Self::V4, Self::V4, Self::V4, Self::V3, Self::V3Base64])
    }

    pub(crate) fn is_v3(self) -> bool {
        self != Self::V4
    }

    pub(crate) fn query(self) -> &'static str {
        match self {
            Self::V4 => "EIO=4",
            Self::V3 => "EIO=3",
            Self::V3Base64 => "EIO=3&b64=1",
        }
    }
}

impl Packet {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    pub(crate) fn encode_payload(packets: &[Self], form: Form) -> Body {
        let has_binary = packets.iter().any(|packet| matches!(packet, Self::Binary(_)));
        if form == Form::V3 && has_binary {
            let bytes = packets.iter().flat_map(Self::encode_bytes).collect();
            return Body { bytes, is_binary: true };
        }
        let encoded: Vec<String> = packets
            .iter()
            .map(|packet| match (packet, form) {
                (Self::Text(text), Form::V4) => text.clone(),
                (Self::Binary(bytes), Form::V4) => format!("b{}", STANDARD.encode(bytes)),
                (Self::Text(text), _) => counted(text),
                (Self::Binary(bytes), _) => counted(&format!("b4{}", STANDARD.encode(bytes))),
            })
            .collect();
        let separator = if form.is_v3() { "" } else { "\u{1e}" };
        Body { bytes: encoded.join(separator).into_bytes(), is_binary: false }
    }

    pub(crate) fn decode_payload(
        body: &[u8],
        is_binary: bool,
        form: Form,
    ) -> Result<Vec<Self>, String> {
        if is_binary {
            return match form {
                Form::V3 => decode_bytes(body),
                _ => Err("bytes for a client that takes none".to_owned()),
            };
        }
        let body = std::str::from_utf8(body).map_err(|error| format!("a payload: {error}"))?;
        match form {
            Form::V4 => body.split('\u{1e}').map(|packet| Self::decode_text(packet, "b")).collect(),
            Form::V3 | Form::V3Base64 => decode_counted(body),
        }
    }

    /// A packet of text; behind the prefix there are bytes.
    pub(crate) fn decode_text(packet: &str, prefix: &str) -> Result<Self, String> {
        match packet.strip_prefix(prefix) {
            Some(encoded) => {
                let bytes = STANDARD.decode(encoded);
                bytes.map(Self::Binary).map_err(|error| format!("a payload: {error}"))
            }
            None => Ok(Self::text(packet)),
        }
    }

    fn encode_bytes(&self) -> Vec<u8> {
        let (kind, packet) = match self {
            Self::Text(text) => (0, text.clone().into_bytes()),
            Self::Binary(bytes) => (1, [&[4], bytes.as_slice()].concat()),
        };
        let mut out = vec![kind];
        out.extend(packet.len().to_string().bytes().map(|digit| digit - b'0'));
        out.push(0xff);
        out.extend(packet);
        out
    }
}

fn counted(packet: &str) -> String {
    format!("{}:{packet}", packet.encode_utf16().count())
}

fn decode_counted(body: &str) -> Result<Vec<Packet>, String> {
    let (mut packets, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let (length, behind) = rest.split_once(':').ok_or_else(|| format!("no length: {rest}"))?;
        let length: usize = length.parse().map_err(|_| format!("no length: {rest}"))?;
        let mut units = 0;
        let end = behind.char_indices().find(|(_, character)| {
            units += character.len_utf16();
            units > length
        });
        let (packet, behind) = behind.split_at(end.map_or(behind.len(), |(at, _)| at));
        if packet.encode_utf16().count() != length {
            return Err(format!("a packet is not as long as it says: {rest}"));
        }
        packets.push(Packet::decode_text(packet, "b4")?);
        rest = behind;
    }
    Ok(packets)
}

fn decode_bytes(body: &[u8]) -> Result<Vec<Packet>, String> {
    let (mut packets, mut rest) = (Vec::new(), body);
    while let Some((kind, behind)) = rest.split_first() {
        let digits = behind.iter().position(|byte| *byte == 0xff).ok_or("no length")?;
        let length = behind[..digits].iter().fold(0, |sum, digit| sum * 10 + usize::from(*digit));
        let (packet, behind) = behind[digits + 1..].split_at_checked(length).ok_or("too short")?;
        packets.push(match (kind, packet) {
            (0, text) => Packet::Text(String::from_utf8(text.to_vec()).map_err(|e| e.to_string())?),
            (1, [4, bytes @ ..]) => Packet::Binary(bytes.to_vec()),
            _ => return Err(format!("a packet came as {kind} {packet:?}")),
        });
        rest = behind;
    }
    Ok(packets)
}

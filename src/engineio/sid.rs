//! The session id on the wire: 20 characters of url-safe base64 made of 15 random bytes.
//!
//! It is the secret of its session: who knows it may poll, post and upgrade. It isn't the key by
//! which the rest of the crate addresses a session, and it isn't shown to other clients.
//!
//! ```text
//! 0{"sid":"lv_VI97HAXpY6yYWAAAB", ...
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy::Entropy;

/// The id of an Engine.IO session, inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Sid([u8; ID_BYTES]);

impl Sid {
    /// A new id of 120 random bits.
    pub(crate) fn generate(entropy: &mut dyn Entropy) -> Self {
        Self(random_id(entropy))
    }

    /// The id that stands for none: no session or socket ever gets it.
    pub(crate) const NONE: Self = Self([b'A'; ID_BYTES]);

    /// Reads an id as a client sent it; what can't be one of ours is `None`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; ID_BYTES] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(|byte| is_id_byte(*byte)).then_some(Self(bytes))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As text, which takes a look at each character: [`Sid::as_bytes`] are there at once.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    /// Shows only the beginning: the whole would let a reader of the log take the session over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sid({}..)", self.as_str().get(..4).unwrap_or_default())
    }
}

/// An id of the length and alphabet of the reference; ids of Socket.IO sockets are made alike.
pub(crate) fn random_id(entropy: &mut dyn Entropy) -> [u8; ID_BYTES] {
    let mut random = [0; RANDOM_BYTES];
    entropy.fill(&mut random);
    let mut id = [b'A'; ID_BYTES];
    // 15 bytes are 20 characters without a rest, so that the slice always fits.
    let written = URL_SAFE_NO_PAD.encode_slice(random, &mut id);
    debug_assert_eq!(written, Ok(ID_BYTES));
    id
}

const fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The characters of an id.
pub(crate) const ID_BYTES: usize = 20;
const RANDOM_BYTES: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    #[test]
    fn ids_have_the_reference_s_alphabet_and_come_back() {
        let mut entropy = SeededEntropy::new(1);
        for _ in 0..1_000 {
            let sid = Sid::generate(&mut entropy);
            assert_eq!(Sid::parse(&sid.to_string()), Some(sid));
        }
    }

    #[test]
    fn garbage_is_no_id() {
        for text in [
            "",
            "__proto__",
            "constructor",
            "AAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAA+",
            "AAAAAAAAAAAAAAAAAA\u{e9}",
            "AAAAAAAAAAAAAAAAAAA\0",
        ] {
            assert_eq!(Sid::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn debug_keeps_the_secret() {
        let sid = Sid::parse("abcdefghijklmnopqrst").unwrap();
        assert_eq!(format!("{sid:?}"), "Sid(abcd..)");
    }
}

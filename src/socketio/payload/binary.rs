//! Bytes as an argument: owned ones that arrive, borrowed ones that leave.
//!
//! These types say "bytes" to serde and nothing else; who makes an attachment of them is the
//! serializer. `Binary(vec![1, 2, 3])` is `{"_placeholder":true,"num":0}` in the text, and the
//! binary packet `01 02 03` behind it.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Owned bytes, sent and received as a binary attachment: a `Buffer`, `ArrayBuffer` or typed
/// array in JavaScript.
///
/// Use it as an argument or anywhere within one. A plain `Vec<u8>` is an array of numbers to
/// serde, and stays one on the wire. Types that speak of bytes themselves, as those of
/// `serde_bytes` do, work in the same places. To send bytes without owning them, see
/// [`BinarySlice`].
///
/// An array of small numbers is taken for bytes too, because that is what plain `serde_json` writes
/// for this type; a string is refused, so that text and bytes stay apart in an untagged enum whose
/// first variant holds a `Binary`.
///
/// ```
/// use throng::{Binary, OwnedArgs};
///
/// let sent = OwnedArgs::new(("thumbnail.png", &Binary(vec![1, 2, 3])))?;
/// let (name, image): (String, Binary) = sent.as_args().parse()?;
/// assert_eq!((name.as_str(), &image[..]), ("thumbnail.png", &[1, 2, 3][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Binary(pub Vec<u8>);

/// Borrowed bytes, sent as a binary attachment.
///
/// ```
/// use throng::{BinarySlice, OwnedArgs};
///
/// let args = OwnedArgs::new(&BinarySlice(b"\x00\xff"))?;
/// assert_eq!(args.as_args().attachments().next(), Some(&b"\x00\xff"[..]));
/// # Ok::<(), throng::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BinarySlice<'a>(pub &'a [u8]);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Binary {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Binary {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl<'a> From<&'a [u8]> for BinarySlice<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for BinarySlice<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            // Asked for bytes, readers of JSON pass a string off as its UTF-8.
            deserializer.deserialize_any(BinaryVisitor)
        } else {
            deserializer.deserialize_byte_buf(BinaryVisitor)
        }
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Binary;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("binary data")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Binary, E> {
        Ok(Binary(bytes.to_vec()))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Binary, E> {
        Ok(Binary(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Binary, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Binary(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_reads_back_what_plain_serde_json_makes_of_it() {
        let binary = Binary(vec![0, 127, 255]);
        let json = serde_json::to_string(&binary).unwrap();
        assert_eq!(json, "[0,127,255]");
        assert_eq!(serde_json::from_str::<Binary>(&json).unwrap(), binary);
    }

    #[test]
    fn what_is_not_binary_is_refused_by_name() {
        let error = serde_json::from_str::<Binary>("{}").unwrap_err().to_string();
        assert!(error.contains("expected binary data"), "{error}");
        assert!(serde_json::from_str::<Binary>("[256]").is_err());
        assert!(serde_json::from_str::<Binary>("\"text\"").is_err());
    }
}

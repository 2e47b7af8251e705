//! One argument as it came, in whichever format, and the list of them.
//!
//! Where one ends is told by `scan` and `msgpack`; what is in one is the business of `serde_json`,
//! of `placeholder_deserializer` when the packet came with attachments, or of `rmp_serde`. Of
//! `"hi",1` the first is `"hi"`.

use std::rc::Rc;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_transcode::Transcoder;

use super::placeholder_deserializer::PlaceholderDeserializer;
use super::{ArgsError, msgpack, scan};

/// One argument, not yet parsed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Element<'a> {
    Json(&'a str),
    /// JSON in which placeholders stand for bytes.
    JsonWithBytes(&'a str, &'a [Rc<[u8]>]),
    Msgpack(&'a [u8]),
}

/// The arguments one after the other.
#[derive(Clone, Debug)]
pub(super) enum Elements<'a> {
    Json(scan::Elements<'a>, &'a [Rc<[u8]>]),
    Msgpack(msgpack::Elements<'a>),
}

impl<'a> Element<'a> {
    pub(super) fn deserialize<S: DeserializeSeed<'a>>(
        self,
        index: usize,
        seed: S,
    ) -> Result<S::Value, ArgsError> {
        match self {
            Self::Json(json) => seed
                .deserialize(&mut serde_json::Deserializer::from_str(json))
                .map_err(|error| ArgsError::at(index, &error)),
            Self::JsonWithBytes(json, attachments) => seed
                .deserialize(&mut PlaceholderDeserializer::new(json, attachments))
                .map_err(|error| error.with_index(index)),
            Self::Msgpack(value) => seed
                .deserialize(&mut msgpack::deserializer(value))
                .map_err(|error| ArgsError::at(index, &error)),
        }
    }
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Json(json) => {
                Transcoder::new(&mut serde_json::Deserializer::from_str(json)).serialize(serializer)
            }
            Self::JsonWithBytes(json, attachments) => {
                let mut deserializer = PlaceholderDeserializer::new(json, attachments);
                Transcoder::new(&mut deserializer).serialize(serializer)
            }
            Self::Msgpack(value) => {
                Transcoder::new(&mut msgpack::deserializer(value)).serialize(serializer)
            }
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Self::Json(elements, []) => elements.next().map(Element::Json),
            Self::Json(elements, attachments) => {
                elements.next().map(|json| Element::JsonWithBytes(json, attachments))
            }
            Self::Msgpack(elements) => elements.next().map(Element::Msgpack),
        }
    }
}

/// Methods that hand the whole request on to the argument.
macro_rules! hand_on {
    ($($method:ident($($name:ident: $kind:ty),*);)+) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $($name: $kind,)*
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            match self {
                Self::Json(json) => serde_json::Deserializer::from_str(json)
                    .$method($($name,)* visitor)
                    .map_err(ArgsError::custom),
                Self::JsonWithBytes(json, attachments) => {
                    PlaceholderDeserializer::new(json, attachments).$method($($name,)* visitor)
                }
                Self::Msgpack(value) => msgpack::deserializer(value)
                    .$method($($name,)* visitor)
                    .map_err(ArgsError::custom),
            }
        })+
    };
}

impl<'de> Deserializer<'de> for Element<'de> {
    type Error = ArgsError;

    hand_on! {
        deserialize_any();
        deserialize_bool();
        deserialize_i8();
        deserialize_i16();
        deserialize_i32();
        deserialize_i64();
        deserialize_i128();
        deserialize_u8();
        deserialize_u16();
        deserialize_u32();
        deserialize_u64();
        deserialize_u128();
        deserialize_f32();
        deserialize_f64();
        deserialize_char();
        deserialize_str();
        deserialize_string();
        deserialize_bytes();
        deserialize_byte_buf();
        deserialize_option();
        deserialize_unit();
        deserialize_unit_struct(name: &'static str);
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_tuple(len: usize);
        deserialize_tuple_struct(name: &'static str, len: usize);
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
        deserialize_ignored_any();
    }
}

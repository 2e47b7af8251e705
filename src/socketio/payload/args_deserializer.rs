//! Deals a list of arguments out to a Rust type.
//!
//! Which argument goes where is decided here; what is in one is the business of `element`. A tuple
//! of two takes both of `"hi",1`, a `String` takes the first.

use serde::de::{DeserializeSeed, Deserializer, Error as _, Expected, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::element::{Element, Elements};
use super::{Args, ArgsError};

/// A deserializer whose tuples are the argument list, and whose other types are its first element.
pub(super) struct ArgsDeserializer<'a> {
    args: Args<'a>,
}

impl<'a> ArgsDeserializer<'a> {
    pub(super) fn new(args: Args<'a>) -> Self {
        Self { args }
    }

    /// Deserializes one argument, whatever its type.
    pub(super) fn nth<S: DeserializeSeed<'a>>(
        &self,
        index: usize,
        seed: S,
    ) -> Result<S::Value, ArgsError> {
        argument(self.args.elements().nth(index), index, seed)
    }
}

fn argument<'a, S: DeserializeSeed<'a>>(
    element: Option<Element<'a>>,
    index: usize,
    seed: S,
) -> Result<S::Value, ArgsError> {
    match element {
        None => seed.deserialize(Missing).map_err(|error| error.with_index(index)),
        Some(element) => element.deserialize(index, seed),
    }
}

/// Methods that hand the whole request on to the first argument.
macro_rules! first_argument {
    ($($method:ident($($name:ident: $kind:ty),*);)+) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $($name: $kind,)*
            visitor: V,
        ) -> Result<V::Value, ArgsError> {
            let parsed = match self.args.elements().next() {
                None => Missing.$method($($name,)* visitor),
                Some(element) => element.$method($($name,)* visitor),
            };
            parsed.map_err(|error| error.with_index(0))
        })+
    };
}

impl<'de> Deserializer<'de> for ArgsDeserializer<'de> {
    type Error = ArgsError;

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        let elements = self.args.elements();
        visitor.visit_seq(ArgsAccess { elements, index: 0, len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    first_argument! {
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
        deserialize_newtype_struct(name: &'static str);
        deserialize_seq();
        deserialize_map();
        deserialize_struct(name: &'static str, fields: &'static [&'static str]);
        deserialize_enum(name: &'static str, variants: &'static [&'static str]);
        deserialize_identifier();
    }
}

/// The arguments as the elements of a tuple; those that are missing are there, but empty.
struct ArgsAccess<'a> {
    elements: Elements<'a>,
    index: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for ArgsAccess<'de> {
    type Error = ArgsError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        if self.index == self.len {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        argument(self.elements.next(), index, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.len.checked_sub(self.index)
    }
}

/// The `undefined` that a JavaScript function sees for an argument its caller left out.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        Err(ArgsError::custom(format_args!("missing, expected {}", &visitor as &dyn Expected)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_none()
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        seq tuple tuple_struct map struct enum identifier
    }
}

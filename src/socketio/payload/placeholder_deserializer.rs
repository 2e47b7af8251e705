//! Reads JSON whose bytes lie beside it, in attachments.
//!
//! For packets with attachments alone; all others go to `serde_json`, which this agrees with but
//! for one thing: a placeholder is bytes. The text is known to be valid, so only what a type
//! doesn't expect is an error here.
//!
//! ```text
//! {"name":"a.png","data":{"_placeholder":true,"num":0}}
//! ```

use std::borrow::Cow;
use std::rc::Rc;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::ArgsError;
use super::placeholder::leading_placeholder;
use super::scan::{JSON_SPACE, split_value};

/// A cursor over one valid JSON value.
pub(super) struct PlaceholderDeserializer<'de> {
    /// What follows, starting at a value or at punctuation, never at space.
    rest: &'de str,
    attachments: &'de [Rc<[u8]>],
    /// How many more levels may be entered, so that depth can't overflow the stack.
    levels: u8,
}

impl<'de> PlaceholderDeserializer<'de> {
    pub(super) fn new(json: &'de str, attachments: &'de [Rc<[u8]>]) -> Self {
        Self { rest: json.trim_start_matches(JSON_SPACE), attachments, levels: LEVELS_MAX }
    }

    fn peek(&self) -> Option<u8> {
        self.rest.as_bytes().first().copied()
    }

    fn eat(&mut self, punctuation: char) -> bool {
        let rest = self.rest.strip_prefix(punctuation);
        self.rest = rest.unwrap_or(self.rest).trim_start_matches(JSON_SPACE);
        rest.is_some()
    }

    fn take_value(&mut self) -> &'de str {
        let (value, rest) = split_value(self.rest);
        self.rest = rest.trim_start_matches(JSON_SPACE);
        value
    }

    fn take_string(&mut self) -> Result<Cow<'de, str>, ArgsError> {
        let quoted = self.take_value();
        match quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
            _ => serde_json::from_str(quoted).map(Cow::Owned).map_err(ArgsError::custom),
        }
    }

    /// Runs `read` inside the brackets that the text starts with.
    fn within<T>(
        &mut self,
        [open, close]: [char; 2],
        read: impl FnOnce(&mut Self) -> Result<T, ArgsError>,
    ) -> Result<T, ArgsError> {
        let levels = self.levels;
        self.levels =
            levels.checked_sub(1).ok_or_else(|| ArgsError::custom("recursion limit exceeded"))?;
        self.eat(open);
        let value = read(self)?;
        self.levels = levels;
        if self.eat(close) { Ok(value) } else { Err(ArgsError::custom("too many elements")) }
    }

    fn visit_string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.take_string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn visit_array<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ArgsError> {
        self.within(['[', ']'], |inside| {
            visitor.visit_seq(Access { deserializer: inside, is_first: true })
        })
    }

    fn visit_object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, ArgsError> {
        self.within(['{', '}'], |inside| {
            visitor.visit_map(Access { deserializer: inside, is_first: true })
        })
    }

    fn visit_attachment<V: Visitor<'de>>(
        &mut self,
        number: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.take_value();
        match self.attachments.get(number) {
            Some(bytes) => visitor.visit_borrowed_bytes(bytes),
            None => Err(ArgsError::custom(format_args!("no attachment {number}"))),
        }
    }
}

impl<'de> Deserializer<'de> for &mut PlaceholderDeserializer<'de> {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.peek() {
            Some(b'"') => self.visit_string(visitor),
            Some(b'[') => self.visit_array(visitor),
            Some(b'{') => match leading_placeholder(self.rest) {
                Some(number) => self.visit_attachment(number, visitor),
                None => self.visit_object(visitor),
            },
            _ => match self.take_value() {
                "null" => visitor.visit_unit(),
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                number => visit_number(number, visitor),
            },
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match split_value(self.rest).0.parse() {
            Ok(number) => {
                self.take_value();
                visitor.visit_i128(number)
            }
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match split_value(self.rest).0.parse() {
            Ok(number) => {
                self.take_value();
                visitor.visit_u128(number)
            }
            Err(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        if self.peek() == Some(b'n') {
            self.take_value();
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        // As for a map, because `String` would take an attachment that happens to be UTF-8.
        self.deserialize_map(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.deserialize_map(visitor)
    }

    /// Takes an object for what it is, even if it is a placeholder.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        if self.peek() == Some(b'{') {
            self.visit_object(visitor)
        } else {
            self.deserialize_any(visitor)
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match self.peek() {
            Some(b'"') => visitor.visit_enum(self.take_string()?.into_deserializer()),
            Some(b'{') => self
                .within(['{', '}'], |inside| visitor.visit_enum(Variant { deserializer: inside })),
            _ => Err(ArgsError::invalid_type(
                Unexpected::Other("neither string nor object"),
                &"a string or an object with one key",
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        self.take_value();
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier
    }
}

/// The elements of an array, or the members of an object.
struct Access<'a, 'de> {
    deserializer: &'a mut PlaceholderDeserializer<'de>,
    is_first: bool,
}

impl Access<'_, '_> {
    fn has_next(&mut self, close: u8) -> bool {
        let is_first = std::mem::replace(&mut self.is_first, false);
        self.deserializer.peek().is_some_and(|byte| byte != close)
            && (is_first || self.deserializer.eat(','))
    }
}

impl<'de> SeqAccess<'de> for Access<'_, 'de> {
    type Error = ArgsError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        if self.has_next(b']') {
            seed.deserialize(&mut *self.deserializer).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<'de> MapAccess<'de> for Access<'_, 'de> {
    type Error = ArgsError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, ArgsError> {
        if self.has_next(b'}') {
            let key = self.deserializer.take_string()?;
            seed.deserialize(Key { key }).map(Some)
        } else {
            Ok(None)
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ArgsError> {
        self.deserializer.eat(':');
        seed.deserialize(&mut *self.deserializer)
    }
}

/// The key of an object: always a string in JSON, though a map in Rust may count by numbers.
struct Key<'de> {
    key: Cow<'de, str>,
}

/// Methods that read the key as the number it may spell, and otherwise leave it a string.
macro_rules! number_keys {
    ($($method:ident => $visit:ident;)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
            match self.key.parse() {
                Ok(number) => visitor.$visit(number),
                Err(_) => self.deserialize_any(visitor),
            }
        })+
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = ArgsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        match self.key {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    number_keys! {
        deserialize_bool => visit_bool;
        deserialize_i8 => visit_i8;
        deserialize_i16 => visit_i16;
        deserialize_i32 => visit_i32;
        deserialize_i64 => visit_i64;
        deserialize_i128 => visit_i128;
        deserialize_u8 => visit_u8;
        deserialize_u16 => visit_u16;
        deserialize_u32 => visit_u32;
        deserialize_u64 => visit_u64;
        deserialize_u128 => visit_u128;
        deserialize_f32 => visit_f32;
        deserialize_f64 => visit_f64;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ArgsError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        match self.key {
            Cow::Borrowed(key) => {
                BorrowedStrDeserializer::new(key).deserialize_enum(name, variants, visitor)
            }
            Cow::Owned(key) => {
                StringDeserializer::new(key).deserialize_enum(name, variants, visitor)
            }
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The one member of an object that is an enum: `{"Variant":value}`.
struct Variant<'a, 'de> {
    deserializer: &'a mut PlaceholderDeserializer<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = ArgsError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), ArgsError> {
        if self.deserializer.peek() != Some(b'"') {
            return Err(ArgsError::custom("expected an object with one key, found an empty one"));
        }
        let key = self.deserializer.take_string()?;
        let variant = seed.deserialize(Key { key })?;
        self.deserializer.eat(':');
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = ArgsError;

    fn unit_variant(self) -> Result<(), ArgsError> {
        serde::Deserialize::deserialize(self.deserializer)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ArgsError> {
        seed.deserialize(self.deserializer)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserializer.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ArgsError> {
        self.deserializer.deserialize_map(visitor)
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &str, visitor: V) -> Result<V::Value, ArgsError> {
    if let Ok(number) = number.parse::<u64>() {
        return visitor.visit_u64(number);
    }
    if let Ok(number) = number.parse::<i64>() {
        return visitor.visit_i64(number);
    }
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() => visitor.visit_f64(number),
        _ => Err(ArgsError::custom("number out of range")),
    }
}

/// What `serde_json` allows too.
const LEVELS_MAX: u8 = 128;

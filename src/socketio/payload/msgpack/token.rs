//! Msgpack one token at a time, never trusting a length further than the bytes that are there.
//!
//! A container is its header alone; what is in it are the tokens that follow. `92 01 a1 61` is an
//! array of two, a number and a string.

use rmp::Marker;

/// What one header says, with the bytes that belong to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Text, said to be UTF-8.
    String(&'a [u8]),
    Binary(&'a [u8]),
    /// So many values follow.
    Array(u32),
    /// So many pairs of values follow.
    Map(u32),
    /// An extension whose header fixes its length; to the reference that is another kind.
    FixedExtension(i8, &'a [u8]),
    Extension(i8, &'a [u8]),
}

/// A cursor.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The next token; `None` where the bytes end too early, or the reserved marker stands.
    pub(crate) fn token(&mut self) -> Option<Token<'a>> {
        let [marker] = self.array()?;
        Some(match Marker::from_u8(marker) {
            Marker::FixPos(number) => Token::Unsigned(number.into()),
            Marker::FixNeg(number) => Token::Signed(number.into()),
            Marker::Null => Token::Nil,
            Marker::True => Token::Bool(true),
            Marker::False => Token::Bool(false),
            Marker::U8 => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            Marker::U16 => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Token::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Token::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Token::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(bytes) => Token::String(self.take(bytes.into())?),
            Marker::Str8 => Token::String(self.counted::<1>()?),
            Marker::Str16 => Token::String(self.counted::<2>()?),
            Marker::Str32 => Token::String(self.counted::<4>()?),
            Marker::Bin8 => Token::Binary(self.counted::<1>()?),
            Marker::Bin16 => Token::Binary(self.counted::<2>()?),
            Marker::Bin32 => Token::Binary(self.counted::<4>()?),
            Marker::FixArray(len) => Token::Array(len.into()),
            Marker::Array16 => Token::Array(self.length::<2>()?),
            Marker::Array32 => Token::Array(self.length::<4>()?),
            Marker::FixMap(len) => Token::Map(len.into()),
            Marker::Map16 => Token::Map(self.length::<2>()?),
            Marker::Map32 => Token::Map(self.length::<4>()?),
            Marker::FixExt1 => self.fixed_extension(1)?,
            Marker::FixExt2 => self.fixed_extension(2)?,
            Marker::FixExt4 => self.fixed_extension(4)?,
            Marker::FixExt8 => self.fixed_extension(8)?,
            Marker::FixExt16 => self.fixed_extension(16)?,
            Marker::Ext8 => self.extension::<1>()?,
            Marker::Ext16 => self.extension::<2>()?,
            Marker::Ext32 => self.extension::<4>()?,
            Marker::Reserved => return None,
        })
    }

    /// One whole value, of bytes that have been checked; depth costs nothing.
    pub(crate) fn take_value(&mut self) -> &'a [u8] {
        let before = self.rest;
        let mut values = 1_u64;
        while values > 0 {
            values -= 1;
            match self.token() {
                Some(Token::Array(len)) => values = values.saturating_add(len.into()),
                Some(Token::Map(len)) => values = values.saturating_add(u64::from(len) * 2),
                Some(_) => {}
                None => self.rest = &[],
            }
            if self.rest.is_empty() {
                break;
            }
        }
        before.get(..before.len() - self.rest.len()).unwrap_or_default()
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }

    /// A length of so many bytes.
    fn length<const N: usize>(&mut self) -> Option<u32> {
        let bytes = self.array::<N>()?;
        Some(bytes.iter().fold(0, |length, byte| length << 8 | u32::from(*byte)))
    }

    fn counted<const N: usize>(&mut self) -> Option<&'a [u8]> {
        let length = self.length::<N>()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn fixed_extension(&mut self, bytes: usize) -> Option<Token<'a>> {
        let kind = i8::from_be_bytes(self.array()?);
        Some(Token::FixedExtension(kind, self.take(bytes)?))
    }

    fn extension<const N: usize>(&mut self) -> Option<Token<'a>> {
        let length = self.length::<N>()?;
        let kind = i8::from_be_bytes(self.array()?);
        Some(Token::Extension(kind, self.take(usize::try_from(length).ok()?)?))
    }
}

impl Token<'_> {
    /// JavaScript's `undefined` as the reference's clients write it.
    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::FixedExtension(0, [_]))
    }
}

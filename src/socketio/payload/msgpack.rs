//! The arguments of a packet in msgpack: values one behind the other.
//!
//! A packet is checked once, when it comes; from then on its values are known to be whole, of
//! bounded depth and in forms that every reader of msgpack knows (see `normal`). What is in a value
//! is the business of `rmp_serde`. The arguments `"hi",{"n":1}`:
//!
//! ```text
//! a2 68 69  81 a1 6e 01
//! ```

mod check;
mod date;
mod normal;
mod token;

use rmp_serde::config::{DefaultConfig, HumanReadableConfig};
use rmp_serde::decode::ReadRefReader;
use serde_transcode::Transcoder;

use check::LEVELS_MAX;
pub(crate) use check::{Checked, check};
pub(crate) use normal::normalise;
pub(crate) use token::{Reader, Token};

/// Reads one value; text stands for what has a readable form, as in JSON.
pub(super) type Deserializer<'a> =
    rmp_serde::Deserializer<ReadRefReader<'a, [u8]>, HumanReadableConfig<DefaultConfig>>;

pub(super) fn deserializer(value: &[u8]) -> Deserializer<'_> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(value).with_human_readable();
    deserializer.set_max_depth(LEVELS_MAX.saturating_add(2));
    deserializer
}

/// The values of a list, each with all that is in it.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    reader: Reader<'a>,
    remaining: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(list: &'a [u8], len: usize) -> Self {
        Self { reader: Reader::new(list), remaining: len }
    }

    /// The list of what has not been taken yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.remaining = self.remaining.checked_sub(1)?;
        if self.remaining == 0 {
            return Some(self.reader.take_rest());
        }
        Some(self.reader.take_value())
    }
}

/// One value as JSON; bytes in it become arrays of numbers. `None` if it has no form in JSON.
pub(crate) fn to_json(value: &[u8]) -> Option<String> {
    serde_json::to_string(&Transcoder::new(&mut deserializer(value))).ok()
}

/// All bytes that are values within a list, in the order in which they stand.
pub(super) fn binaries(list: &[u8]) -> Vec<&[u8]> {
    let mut reader = Reader::new(list);
    let mut found = Vec::new();
    while let Some(token) = reader.token() {
        if let Token::Binary(bytes) = token {
            found.push(bytes);
        }
    }
    found
}

#[cfg(test)]
mod tests;

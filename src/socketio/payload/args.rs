//! The arguments of one event or ack as they came, parsed only when asked.
//!
//! A view of a packet that was validated; nothing here checks JSON again. Of the packet
//! `2["chat","hi",1]` it sees `"hi",1`, two elements.

use std::fmt;
use std::rc::Rc;

use serde::de::{self, DeserializeOwned};

use super::OwnedArgs;
use super::args_deserializer::ArgsDeserializer;
use super::scan::Elements;

/// The arguments of one incoming event or ack, not yet parsed.
///
/// Cheap to copy; it borrows the packet. [`parse`](Self::parse) turns the arguments into a Rust
/// type, and emitting an `Args` sends them on untouched, attachments included, without parsing.
///
/// ```
/// use throng::{Args, OwnedArgs};
///
/// let owned = OwnedArgs::new(("room", 7, true))?;
/// let args: Args<'_> = owned.as_args();
/// assert_eq!(args.len(), 3);
/// assert_eq!(args.parse::<(String, u32)>()?, ("room".to_owned(), 7));
/// assert_eq!(args.get::<bool>(2)?, true);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Args<'a> {
    json: &'a str,
    len: usize,
    attachments: &'a [Rc<[u8]>],
}

/// Why arguments did not fit the type they were parsed into, and which one it was.
///
/// The message counts arguments from one, as people do.
///
/// ```
/// let args = throng::OwnedArgs::new(("a", "b"))?;
/// let error = args.as_args().parse::<(String, i64)>().unwrap_err();
/// assert_eq!(error.index(), Some(1));
/// assert!(error.to_string().starts_with("argument 2: invalid type: string \"b\", expected i64"));
/// # Ok::<(), throng::EncodeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgsError {
    index: Option<usize>,
    message: Box<str>,
}

impl<'a> Args<'a> {
    /// `json` holds exactly `len` valid values, with commas between them and no brackets around.
    pub(crate) fn new(json: &'a str, len: usize, attachments: &'a [Rc<[u8]>]) -> Self {
        Self { json, len, attachments }
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the event or ack came without arguments.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Parses the arguments into `T`.
    ///
    /// | `T` | takes |
    /// |---|---|
    /// | a tuple, tuple struct or `[U; N]` | one argument for each element |
    /// | `()`, a unit struct | none |
    /// | anything else | the first argument |
    ///
    /// Arguments beyond those are ignored, as in JavaScript. One that is missing is `None` for an
    /// `Option` and an error for other types. To take one array as a tuple, wrap it:
    /// `([f64; 3],)`.
    ///
    /// Where an attachment stands, `T` may hold [`Binary`](super::Binary) or any other type that
    /// deserializes bytes, as deep as it likes. A type that can't hold bytes
    /// (`serde_json::Value`) fails there. Values nested deeper than 128 levels are refused, and so
    /// is a `String` whose text has half of a surrogate pair, which Rust can't express.
    ///
    /// ```
    /// let args = throng::OwnedArgs::new((1, 2, 3))?;
    /// let args = args.as_args();
    /// assert_eq!(args.parse::<u8>()?, 1);
    /// assert_eq!(args.parse::<[u8; 2]>()?, [1, 2]);
    /// assert_eq!(args.parse::<(u8, u8, u8, Option<u8>)>()?, (1, 2, 3, None));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ArgsError> {
        T::deserialize(ArgsDeserializer::new(*self))
    }

    /// Parses one argument, counted from zero, into any type.
    ///
    /// A missing one is `None` for an `Option` and an error for other types. Finding it costs a
    /// look at the text before it.
    pub fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, ArgsError> {
        ArgsDeserializer::new(*self).nth(index, std::marker::PhantomData)
    }

    /// The same arguments without the first `count`.
    ///
    /// All attachments stay, because the text refers to them by number.
    #[must_use]
    pub fn skip(&self, count: usize) -> Self {
        let mut elements = self.elements();
        if let Some(last) = count.checked_sub(1) {
            elements.nth(last);
        }
        Self { json: elements.rest(), len: elements.remaining(), attachments: self.attachments }
    }

    /// The binary attachments of the packet in the order of their numbers, whether an argument
    /// refers to them or not.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        self.attachments.iter().map(|bytes| &**bytes)
    }

    /// All arguments as they stand on the wire: JSON with commas between and no brackets around,
    /// `{"_placeholder":true,"num":N}` in place of attachment `N`.
    pub fn json(&self) -> &'a str {
        self.json
    }

    /// One argument, counted from zero, as it stands on the wire.
    ///
    /// `None` if it is missing, or if the packet did not come as JSON.
    pub fn raw_json(&self, index: usize) -> Option<&'a str> {
        self.elements().nth(index)
    }

    /// Copies the text, and shares the attachments, to keep them beyond the handler.
    pub fn to_owned(&self) -> OwnedArgs {
        OwnedArgs::from_parts(self.json.to_owned(), self.len, self.attachments.to_vec())
    }

    /// The same text, with the attachments that its placeholders speak of.
    pub(crate) fn with_attachments(self, attachments: &'a [Rc<[u8]>]) -> Self {
        Self { attachments, ..self }
    }

    pub(crate) fn shared_attachments(&self) -> &'a [Rc<[u8]>] {
        self.attachments
    }

    pub(super) fn elements(&self) -> Elements<'a> {
        Elements::new(self.json, self.len)
    }
}

impl ArgsError {
    /// Which argument did not fit, counted from zero; `None` if that can't be told.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    pub(super) fn at(index: usize, reason: &impl fmt::Display) -> Self {
        Self { index: Some(index), message: reason.to_string().into() }
    }

    pub(super) fn with_index(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Args")
            .field("json", &self.json)
            .field("attachments", &self.attachments.len())
            .finish()
    }
}

impl Default for Args<'_> {
    fn default() -> Self {
        Self::new("", 0, &[])
    }
}

impl fmt::Display for ArgsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.index {
            write!(formatter, "argument {}: ", index.saturating_add(1))?;
        }
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for ArgsError {}

impl de::Error for ArgsError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { index: None, message: message.to_string().into() }
    }
}

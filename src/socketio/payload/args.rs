//! The arguments of one event or ack as they came, parsed only when asked.
//!
//! A view of a packet that was validated; nothing here checks JSON or msgpack again. Of the packet
//! `2["chat","hi",1]` it sees `"hi",1`, two elements.

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;

use serde::de::{self, DeserializeOwned};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::args_deserializer::ArgsDeserializer;
use super::element::{Element, Elements};
use super::{ArgsWriter, OwnedArgs, msgpack, scan};

/// The arguments of one incoming event or ack, not yet parsed.
///
/// Cheap to copy; it borrows the packet. [`parse`](Self::parse) turns the arguments into a Rust
/// type, and emitting an `Args` sends them on untouched, attachments included, without parsing.
/// Whether they came as JSON or as msgpack makes no difference to either; only where they are sent
/// on in another format than they have are they written anew.
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
    repr: Repr<'a>,
    len: usize,
}

/// What they are written in.
#[derive(Clone, Copy)]
pub(super) enum Repr<'a> {
    Json {
        json: &'a str,
        attachments: &'a [Rc<[u8]>],
    },
    /// In forms that are normal: see `msgpack`.
    Msgpack {
        values: &'a [u8],
    },
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
        Self { repr: Repr::Json { json, attachments }, len }
    }

    /// `values` are exactly `len` values of msgpack, checked and normal.
    pub(crate) fn msgpack(values: &'a [u8], len: usize) -> Self {
        Self { repr: Repr::Msgpack { values }, len }
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
    /// All attachments of JSON stay, because the text refers to them by number.
    #[must_use]
    pub fn skip(&self, count: usize) -> Self {
        let mut elements = self.elements();
        if let Some(last) = count.checked_sub(1) {
            elements.nth(last);
        }
        match elements {
            Elements::Json(elements, attachments) => {
                Self::new(elements.rest(), elements.remaining(), attachments)
            }
            Elements::Msgpack(elements) => Self::msgpack(elements.rest(), elements.remaining()),
        }
    }

    /// The bytes that came with the arguments: of JSON the binary attachments of the packet in the
    /// order of their numbers, whether an argument refers to them or not; of msgpack all bytes
    /// within the arguments in the order in which they stand, which takes a look at everything.
    pub fn attachments(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        match self.repr {
            Repr::Json { attachments, .. } => Attachments::Shared(attachments.iter()),
            Repr::Msgpack { values } => Attachments::Within(msgpack::binaries(values).into_iter()),
        }
    }

    /// All arguments as JSON with commas between and no brackets around,
    /// `{"_placeholder":true,"num":N}` in place of attachment `N`.
    ///
    /// What came as JSON is borrowed as it stands on the wire. Msgpack is written anew, at a cost,
    /// and a value that JSON has no form for is `null`.
    pub fn json(&self) -> Cow<'a, str> {
        match self.repr {
            Repr::Json { json, .. } => Cow::Borrowed(json),
            Repr::Msgpack { .. } => {
                let mut json = Vec::new();
                let mut writer = ArgsWriter::new(&mut json);
                for element in self.elements() {
                    writer.push_or_null(&element);
                }
                Cow::Owned(String::from_utf8(json).unwrap_or_default())
            }
        }
    }

    /// One argument, counted from zero, as it stands on the wire.
    ///
    /// `None` if it is missing, or if the packet did not come as JSON.
    pub fn raw_json(&self, index: usize) -> Option<&'a str> {
        match self.elements().nth(index)? {
            Element::Json(json) | Element::JsonWithBytes(json, _) => Some(json),
            Element::Msgpack(_) => None,
        }
    }

    /// All arguments as one value that any format of serde takes: a sequence of them.
    ///
    /// `Args` itself is a list of arguments wherever one is asked for, and so is no value. Bytes
    /// stay bytes; a value nested deeper than 128 levels, or half of a surrogate pair in JSON,
    /// can't be serialized. What is written may be read into an [`OwnedArgs`].
    ///
    /// ```
    /// use throng::OwnedArgs;
    ///
    /// let args = OwnedArgs::new(("hi", 1))?;
    /// let json = serde_json::to_string(&("chat", args.as_args().as_seq()))?;
    /// assert_eq!(json, r#"["chat",["hi",1]]"#);
    /// let (event, args): (String, OwnedArgs) = serde_json::from_str(&json)?;
    /// assert_eq!((event.as_str(), args.as_args().len()), ("chat", 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn as_seq(&self) -> ArgsSeq<'a> {
        ArgsSeq(*self)
    }

    /// Copies them, and shares the attachments, to keep them beyond the handler.
    pub fn to_owned(&self) -> OwnedArgs {
        match self.repr {
            Repr::Json { json, attachments } => {
                OwnedArgs::from_json(json.to_owned(), self.len, attachments.to_vec())
            }
            Repr::Msgpack { values } => OwnedArgs::from_msgpack(values.to_vec(), self.len),
        }
    }

    /// The first argument as JSON; bytes in it become arrays of numbers.
    pub(crate) fn first_as_json(&self) -> Option<Cow<'a, str>> {
        match self.elements().next()? {
            Element::Json(json) => Some(Cow::Borrowed(json)),
            element => serde_json::to_string(&element).ok().map(Cow::Owned),
        }
    }

    /// The first argument by itself, or none: what an acknowledgement to several counts for.
    pub(crate) fn first(&self) -> OwnedArgs {
        match self.elements().next() {
            Some(Element::Json(json)) => OwnedArgs::from_json(json.to_owned(), 1, Vec::new()),
            Some(Element::JsonWithBytes(json, attachments)) => {
                OwnedArgs::from_json(json.to_owned(), 1, attachments.to_vec())
            }
            Some(Element::Msgpack(value)) => OwnedArgs::from_msgpack(value.to_vec(), 1),
            None => OwnedArgs::default(),
        }
    }

    pub(super) fn repr(&self) -> Repr<'a> {
        self.repr
    }

    /// How many bytes they have on the wire, attachments aside.
    pub(super) fn bytes(&self) -> usize {
        match self.repr {
            Repr::Json { json, .. } => json.len(),
            Repr::Msgpack { values } => values.len(),
        }
    }

    pub(super) fn elements(&self) -> Elements<'a> {
        match self.repr {
            Repr::Json { json, attachments } => {
                Elements::Json(scan::Elements::new(json, self.len), attachments)
            }
            Repr::Msgpack { values } => Elements::Msgpack(msgpack::Elements::new(values, self.len)),
        }
    }
}

/// See [`Args::attachments`].
enum Attachments<'a> {
    Shared(std::slice::Iter<'a, Rc<[u8]>>),
    Within(std::vec::IntoIter<&'a [u8]>),
}

impl<'a> Iterator for Attachments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        match self {
            Self::Shared(attachments) => attachments.next().map(|bytes| &**bytes),
            Self::Within(attachments) => attachments.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Shared(attachments) => attachments.size_hint(),
            Self::Within(attachments) => attachments.size_hint(),
        }
    }
}

impl ExactSizeIterator for Attachments<'_> {}

/// All arguments as one value, an array: see [`Args::as_seq`].
#[derive(Clone, Copy, Debug)]
pub struct ArgsSeq<'a>(Args<'a>);

impl Serialize for ArgsSeq<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len))?;
        for element in self.0.elements() {
            seq.serialize_element(&element)?;
        }
        seq.end()
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
            .field("json", &self.json())
            .field("attachments", &self.attachments().len())
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

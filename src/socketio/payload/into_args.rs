//! What can be emitted, and how it becomes JSON with attachments, or msgpack.
//!
//! Nothing here knows of packets: the elements are written without brackets, behind whatever the
//! buffer already holds. `("hi", &Binary(vec![1]))` becomes one attachment and this text:
//!
//! ```text
//! "hi",{"_placeholder":true,"num":0}
//! ```

use std::fmt;
use std::io;
use std::rc::Rc;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::args::Repr;
use super::{Args, OwnedArgs};

/// What the emitting methods take: the arguments of an event or of an ack.
///
/// | value | arguments |
/// |---|---|
/// | `&value`, also `"text"` | one: any [`Serialize`] by reference |
/// | `()` | none |
/// | a tuple by value, to eight | as many as it has elements |
/// | [`Args`], [`OwnedArgs`] or a reference to one | those, neither parsed nor written anew |
///
/// A reference to a tuple or to a `Vec` is one argument, an array. Bytes ([`Binary`],
/// [`BinarySlice`] and whatever else calls `serialize_bytes`) become binary attachments (Socket.IO
/// protocol v5, "Sending and receiving data"); msgpack has them inline. Floats that aren't finite
/// become `null` in JSON, and integers beyond 2⁵³ are written in full, though JavaScript rounds
/// them.
///
/// Clients of the reference refuse packets with more than ten attachments by default.
///
/// [`Binary`]: super::Binary
/// [`BinarySlice`]: super::BinarySlice
///
/// ```
/// use throng::{IntoArgs, OwnedArgs};
///
/// fn json(args: impl IntoArgs) -> String {
///     let args = OwnedArgs::new(args).unwrap();
///     args.as_args().json().into_owned()
/// }
///
/// assert_eq!(json("hi"), r#""hi""#);
/// assert_eq!(json(("hi", 1, &[2, 3])), r#""hi",1,[2,3]"#);
/// assert_eq!(json(&("hi", 1)), r#"["hi",1]"#);
/// assert_eq!(json(()), "");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of arguments",
    note = "pass one argument by reference (`&value`), several as a tuple by value, none as `()`"
)]
pub trait IntoArgs: Sized {
    /// Sealed: the writer can't be named outside of this crate.
    #[doc(hidden)]
    fn write_args(self, writer: &mut ArgsWriter<'_>) -> Result<(), EncodeError>;

    /// About how many bytes that will be: a buffer that fits neither grows nor shrinks.
    #[doc(hidden)]
    fn bytes_expected(&self) -> usize {
        ARGS_BYTES_EXPECTED
    }
}

/// Why a value could not be written as an argument: its [`Serialize`] failed, or JSON has no form
/// for it (a map whose keys are neither strings nor numbers).
///
/// Nothing was sent then.
///
/// ```
/// use std::collections::HashMap;
///
/// let error = throng::OwnedArgs::new(&HashMap::from([((1, 2), 3)])).unwrap_err();
/// assert_eq!(error.to_string(), "argument can't be serialized: key must be a string");
/// ```
#[derive(Debug)]
pub struct EncodeError(Box<dyn std::error::Error + Send + Sync>);

/// Writes arguments behind what a buffer holds, and collects their attachments.
#[derive(Debug)]
pub struct ArgsWriter<'a> {
    buffer: &'a mut Vec<u8>,
    elements: usize,
    attachments: Vec<Rc<[u8]>>,
    language: Language,
}

/// What it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    /// Elements with commas between them; bytes become attachments.
    Json,
    /// Elements one behind the other, bytes within them.
    Msgpack,
}

impl<'a> ArgsWriter<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self { buffer, elements: 0, attachments: Vec::new(), language: Language::Json }
    }

    pub(crate) fn msgpack(buffer: &'a mut Vec<u8>) -> Self {
        Self { language: Language::Msgpack, ..Self::new(buffer) }
    }

    /// Writes behind at least one element that the buffer holds already; not for bytes, whose
    /// numbers would start again.
    pub(crate) fn behind(buffer: &'a mut Vec<u8>) -> Self {
        Self { elements: 1, ..Self::new(buffer) }
    }

    /// Writes one element; bytes in it become attachments.
    pub(crate) fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.separate();
        self.elements += 1;
        match self.language {
            Language::Json => {
                let formatter = PlaceholderFormatter { attachments: &mut self.attachments };
                let mut serializer = Serializer::with_formatter(&mut *self.buffer, formatter);
                value.serialize(&mut serializer).map_err(EncodeError::new)
            }
            Language::Msgpack => {
                let serializer = rmp_serde::Serializer::new(&mut *self.buffer);
                let mut serializer = serializer.with_struct_map().with_human_readable();
                value.serialize(&mut serializer).map_err(EncodeError::new)
            }
        }
    }

    /// Writes one element, or `null` if that can't be.
    pub(super) fn push_or_null<T: Serialize + ?Sized>(&mut self, value: &T) {
        let (bytes, elements) = (self.buffer.len(), self.elements);
        let attachments = self.attachments.len();
        if self.push(value).is_err() {
            self.buffer.truncate(bytes);
            self.elements = elements;
            self.attachments.truncate(attachments);
            self.push(&()).unwrap_or_default();
        }
    }

    /// Writes all arguments of any kind.
    pub(crate) fn extend(&mut self, args: impl IntoArgs) -> Result<(), EncodeError> {
        args.write_args(self)
    }

    /// The attachments of what was written, in the order of their numbers.
    pub(crate) fn into_attachments(self) -> Vec<Rc<[u8]>> {
        self.attachments
    }

    /// How many elements were written.
    pub(crate) fn elements(&self) -> usize {
        self.elements
    }

    /// How long the buffer is by now.
    pub(crate) fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Copies what is written in this language already. The numbers in JSON stay as they are, so
    /// nothing else may have brought attachments.
    fn pass_through(&mut self, args: Args<'_>) -> Result<(), EncodeError> {
        match (args.repr(), self.language) {
            (Repr::Json { json, attachments }, Language::Json) => {
                if !args.is_empty() {
                    self.separate();
                    self.buffer.extend_from_slice(json.as_bytes());
                    self.attachments.extend_from_slice(attachments);
                }
            }
            (Repr::Msgpack { values }, Language::Msgpack) => self.buffer.extend_from_slice(values),
            _ => return args.elements().try_for_each(|element| self.push(&element)),
        }
        self.elements += args.len();
        Ok(())
    }

    fn separate(&mut self) {
        if self.elements > 0 && self.language == Language::Json {
            self.buffer.push(b',');
        }
    }
}

impl EncodeError {
    pub(crate) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "argument can't be serialized: {}", self.0)
    }
}

impl std::error::Error for EncodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

/// Compact JSON, but a placeholder where bytes are.
struct PlaceholderFormatter<'a> {
    attachments: &'a mut Vec<Rc<[u8]>>,
}

impl Formatter for PlaceholderFormatter<'_> {
    fn write_byte_array<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        let number = self.attachments.len();
        self.attachments.push(Rc::from(value));
        write!(writer, "{{\"_placeholder\":true,\"num\":{number}}}")
    }
}

impl<T: Serialize + ?Sized> IntoArgs for &T {
    fn write_args(self, writer: &mut ArgsWriter<'_>) -> Result<(), EncodeError> {
        writer.push(self)
    }
}

impl IntoArgs for () {
    fn write_args(self, _: &mut ArgsWriter<'_>) -> Result<(), EncodeError> {
        Ok(())
    }
}

/// The kinds of arguments that are passed on as they came.
macro_rules! pass_through {
    ($($kind:ty => |$args:ident| $view:expr;)+) => {
        $(impl IntoArgs for $kind {
            fn write_args(self, writer: &mut ArgsWriter<'_>) -> Result<(), EncodeError> {
                let $args = &self;
                writer.pass_through($view)
            }

            fn bytes_expected(&self) -> usize {
                let $args = self;
                $view.bytes()
            }
        })+
    };
}

pass_through! {
    Args<'_> => |args| *args;
    &Args<'_> => |args| **args;
    OwnedArgs => |args| args.as_args();
    &OwnedArgs => |args| args.as_args();
}

macro_rules! tuple {
    ($($element:ident)+) => {
        impl<$($element: Serialize),+> IntoArgs for ($($element,)+) {
            fn write_args(self, writer: &mut ArgsWriter<'_>) -> Result<(), EncodeError> {
                #[expect(non_snake_case, reason = "an element is named after its type")]
                let ($($element,)+) = self;
                $(writer.push(&$element)?;)+
                Ok(())
            }
        }
    };
}

tuple!(A);
tuple!(A B);
tuple!(A B C);
tuple!(A B C D);
tuple!(A B C D E);
tuple!(A B C D E F);
tuple!(A B C D E F G);
tuple!(A B C D E F G H);

/// Room for most arguments.
const ARGS_BYTES_EXPECTED: usize = 120;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::ser::Error as _;
    use serde::{Serialize, Serializer};

    use super::super::{Binary, BinarySlice};
    use super::*;

    fn written(args: impl IntoArgs) -> (String, Vec<Vec<u8>>) {
        let args = OwnedArgs::new(args).unwrap();
        let attachments = args.as_args().attachments().map(<[u8]>::to_vec).collect();
        (args.as_args().json().into_owned(), attachments)
    }

    fn text(args: impl IntoArgs) -> String {
        let (text, attachments) = written(args);
        assert!(attachments.is_empty());
        text
    }

    #[test]
    #[expect(clippy::needless_borrows_for_generic_args, reason = "a reference means another list")]
    fn one_argument_by_reference() {
        assert_eq!(text("a\"\n\u{e9}\u{2028}"), "\"a\\\"\\n\u{e9}\u{2028}\"");
        assert_eq!(text(&String::from("a")), "\"a\"");
        assert_eq!(text(&1_u8), "1");
        assert_eq!(text(&u64::MAX), "18446744073709551615");
        assert_eq!(text(&[f64::NAN, f64::INFINITY, 0.5]), "[null,null,0.5]");
        assert_eq!(text(&None::<u8>), "null");
        assert_eq!(text(&()), "null");
        assert_eq!(text(&vec!["a", "b"]), "[\"a\",\"b\"]");
        assert_eq!(text(&("a", 1)), "[\"a\",1]");
        assert_eq!(text(&BTreeMap::from([("k", 1)])), "{\"k\":1}");
    }

    #[test]
    fn several_arguments_by_value() {
        assert_eq!(text(()), "");
        assert_eq!(text(("a",)), "\"a\"");
        assert_eq!(text((&vec![1, 2],)), "[1,2]");
        assert_eq!(
            text((1, "2", '3', 4.5, true, (), Some(7), [8])),
            "1,\"2\",\"3\",4.5,true,null,7,[8]"
        );
    }

    #[test]
    fn bytes_are_numbered_over_all_arguments() {
        #[derive(Serialize)]
        struct File<'a> {
            name: &'a str,
            parts: Vec<BinarySlice<'a>>,
        }
        let file = File { name: "f", parts: vec![BinarySlice(b"1"), BinarySlice(b"")] };
        let (text, attachments) = written((&Binary(vec![0]), &file, serde_bytes::Bytes::new(b"3")));
        let place = |number| format!("{{\"_placeholder\":true,\"num\":{number}}}");
        let expected = format!(
            "{},{{\"name\":\"f\",\"parts\":[{},{}]}},{}",
            place(0),
            place(1),
            place(2),
            place(3)
        );
        assert_eq!(text, expected);
        assert_eq!(attachments, [vec![0], vec![b'1'], vec![], vec![b'3']]);
        assert_eq!(self::text(&vec![1_u8, 2]), "[1,2]", "a Vec<u8> is an array to serde");
    }

    #[test]
    #[expect(clippy::needless_borrows_for_generic_args, reason = "a reference means another list")]
    fn args_pass_through_in_every_form() {
        let owned = OwnedArgs::new(("a", &Binary(vec![1]))).unwrap();
        let expected = written(("a", &Binary(vec![1])));
        assert_eq!(written(owned.as_args()), expected);
        assert_eq!(written(&owned.as_args()), expected);
        assert_eq!(written(&owned), expected);
        assert_eq!(written(owned.clone()), expected);
        assert_eq!(text(OwnedArgs::default()), "");
    }

    #[test]
    fn the_errors_of_a_serialize_come_back() {
        struct Refusing;
        impl Serialize for Refusing {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("not today"))
            }
        }
        let error = OwnedArgs::new(("a", Refusing)).unwrap_err();
        assert_eq!(error.to_string(), "argument can't be serialized: not today");
        assert!(std::error::Error::source(&error).is_some());
    }
}

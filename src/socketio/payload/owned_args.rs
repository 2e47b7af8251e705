//! Arguments that own their text or their msgpack, and share their attachments.
//!
//! They are the `'static` form of [`Args`], which does all the reading. Of the packet
//! `2["chat","hi",1]` they keep `"hi",1`.

use std::fmt;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_transcode::Transcoder;

use super::{Args, ArgsWriter, EncodeError, IntoArgs, placeholders_are_legal};

/// Arguments kept for later: encoded once, or taken from an event that has been handled.
///
/// A clone copies the text and shares the attachments. Emit it by reference.
///
/// It may be read from any format of serde in which there is a sequence of arguments of whatever
/// type; [`Args::as_seq`] is the way there.
///
/// ```
/// use throng::OwnedArgs;
///
/// let args = OwnedArgs::new(("hi", 1))?;
/// let (text, number): (String, i64) = args.as_args().parse()?;
/// assert_eq!((text.as_str(), number), ("hi", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct OwnedArgs {
    repr: Repr,
    len: usize,
}

#[derive(Clone)]
enum Repr {
    Json { json: String, attachments: Vec<Rc<[u8]>> },
    Msgpack { values: Vec<u8> },
}

impl OwnedArgs {
    /// Encodes arguments.
    ///
    /// Fails if a value can't be serialized.
    pub fn new(args: impl IntoArgs) -> Result<Self, EncodeError> {
        Self::write(|writer| writer.extend(args))
    }

    /// What `write` writes; in JSON.
    pub(crate) fn write<E>(
        write: impl FnOnce(&mut ArgsWriter<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut json = Vec::new();
        let mut writer = ArgsWriter::new(&mut json);
        write(&mut writer)?;
        let (len, attachments) = (writer.elements(), writer.into_attachments());
        // Serializers of JSON write nothing but UTF-8, so nothing is ever replaced.
        let json = String::from_utf8(json)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok(Self::from_json(json, len, attachments))
    }

    /// Arguments that were JSON elsewhere: what [`Args::json`] told, and the attachments of
    /// [`Args::attachments`]. `None` if it isn't JSON, or a placeholder names an attachment that
    /// isn't there.
    ///
    /// ```
    /// use throng::OwnedArgs;
    ///
    /// let args = OwnedArgs::with_attachments(r#""hi",[1,2]"#, Vec::new()).unwrap();
    /// assert_eq!(args.as_args().len(), 2);
    /// assert!(OwnedArgs::with_attachments("],[", Vec::new()).is_none());
    /// ```
    pub fn with_attachments(json: &str, attachments: Vec<Rc<[u8]>>) -> Option<Self> {
        let json = json.trim();
        let values: Vec<IgnoredAny> = serde_json::from_str(&["[", json, "]"].concat()).ok()?;
        let is_legal = placeholders_are_legal(json, attachments.len());
        is_legal.then(|| Self::from_json(json.to_owned(), values.len(), attachments))
    }

    /// Takes the arguments out of a sequence in any format: what implementing [`Deserialize`] does,
    /// for those who hold a deserializer.
    ///
    /// ```
    /// use throng::OwnedArgs;
    ///
    /// let mut json = serde_json::Deserializer::from_str(r#"["hi",{"n":1}]"#);
    /// let args = OwnedArgs::from_deserializer(&mut json)?;
    /// assert_eq!(args.as_args().json(), r#""hi",{"n":1}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn from_deserializer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ArgsVisitor)
    }

    pub(super) fn from_json(json: String, len: usize, attachments: Vec<Rc<[u8]>>) -> Self {
        Self { repr: Repr::Json { json, attachments }, len }
    }

    pub(super) fn from_msgpack(values: Vec<u8>, len: usize) -> Self {
        Self { repr: Repr::Msgpack { values }, len }
    }

    /// How many bytes it holds, attachments included.
    pub(crate) fn bytes(&self) -> usize {
        let attachments: usize = match &self.repr {
            Repr::Json { attachments, .. } => attachments.iter().map(|bytes| bytes.len()).sum(),
            Repr::Msgpack { .. } => 0,
        };
        self.as_args().bytes() + attachments
    }

    /// The text alone, without the attachments that it refers to.
    pub(super) fn into_json(self) -> String {
        match self.repr {
            Repr::Json { json, .. } => json,
            Repr::Msgpack { values } => Args::msgpack(&values, self.len).json().into_owned(),
        }
    }

    /// The arguments for reading and for emitting again; costs nothing.
    pub fn as_args(&self) -> Args<'_> {
        match &self.repr {
            Repr::Json { json, attachments } => Args::new(json, self.len, attachments),
            Repr::Msgpack { values } => Args::msgpack(values, self.len),
        }
    }
}

impl Default for OwnedArgs {
    fn default() -> Self {
        Self::from_json(String::new(), 0, Vec::new())
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for OwnedArgs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_deserializer(deserializer)
    }
}

struct ArgsVisitor;

impl<'de> Visitor<'de> for ArgsVisitor {
    type Value = OwnedArgs;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence of arguments")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OwnedArgs, A::Error> {
        OwnedArgs::write(|writer| {
            while seq.next_element_seed(ArgSeed(writer))?.is_some() {}
            Ok(())
        })
    }
}

/// Writes one argument, whatever it is.
struct ArgSeed<'a, 'b>(&'a mut ArgsWriter<'b>);

impl<'de> DeserializeSeed<'de> for ArgSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.push(&Transcoder::new(deserializer)).map_err(D::Error::custom)
    }
}

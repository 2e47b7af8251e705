//! Arguments that own their text and share their attachments.
//!
//! They are the `'static` form of [`Args`], which does all the reading. Of the packet
//! `2["chat","hi",1]` they keep `"hi",1`.

use std::fmt;
use std::rc::Rc;

use super::{Args, ArgsWriter, EncodeError, IntoArgs};

/// Arguments kept for later: encoded once, or taken from an event that has been handled.
///
/// A clone copies the text and shares the attachments. Emit it by reference.
///
/// ```
/// use throng::OwnedArgs;
///
/// let args = OwnedArgs::new(("hi", 1))?;
/// let (text, number): (String, i64) = args.as_args().parse()?;
/// assert_eq!((text.as_str(), number), ("hi", 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct OwnedArgs {
    json: String,
    len: usize,
    attachments: Vec<Rc<[u8]>>,
}

impl OwnedArgs {
    /// Encodes arguments.
    ///
    /// Fails if a value can't be serialized.
    pub fn new(args: impl IntoArgs) -> Result<Self, EncodeError> {
        let mut json = Vec::new();
        let mut writer = ArgsWriter::new(&mut json);
        writer.extend(args)?;
        let len = writer.elements();
        let attachments = writer.into_attachments();
        // Serializers of JSON write nothing but UTF-8, so nothing is ever replaced.
        let json = String::from_utf8(json)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok(Self { json, len, attachments })
    }

    pub(super) fn from_parts(json: String, len: usize, attachments: Vec<Rc<[u8]>>) -> Self {
        Self { json, len, attachments }
    }

    /// The arguments for reading and for emitting again; costs nothing.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.json, self.len, &self.attachments)
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(formatter)
    }
}

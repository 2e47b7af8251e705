//! An event that a client wants to be emitted: its name, and its arguments.
//!
//! ```text
//! > 42["to","lobby","chat","hello",1]    the arguments from "chat" on
//! ```

use throng::Args;

/// Emitting a reserved name is a mistake of this program's, so what clients name is looked at.
#[derive(Debug)]
pub(crate) struct Forwarded<'a> {
    pub(crate) event: String,
    pub(crate) args: Args<'a>,
}

impl<'a> Forwarded<'a> {
    /// Reads it from a list of arguments, beginning with the one at `index`.
    pub(crate) fn from_args(args: Args<'a>, index: usize) -> Option<Self> {
        let event = args.get::<String>(index).ok()?;
        (!throng::is_reserved_event(&event)).then(|| Self { event, args: args.skip(index + 1) })
    }
}

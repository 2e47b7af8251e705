//! The arguments of events and acks: Rust types on one side, JSON with attachments or msgpack on
//! the other.
//!
//! This is not the packet around them (its type, namespace and ack id): see `packet`. The
//! arguments of this packet are what follows the name, `"hi",{"_placeholder":true,"num":0}`,
//! with one attachment:
//!
//! ```text
//! 51-["chat","hi",{"_placeholder":true,"num":0}]
//! ```

mod args;
mod args_deserializer;
mod binary;
mod element;
mod into_args;
pub(crate) mod msgpack;

mod owned_args;
mod placeholder;
mod placeholder_deserializer;
mod scan;
mod sendable_args;

pub use args::{Args, ArgsError, ArgsSeq};
pub use binary::{Binary, BinarySlice};
pub use into_args::{EncodeError, IntoArgs};
pub use owned_args::OwnedArgs;

pub(crate) use into_args::ArgsWriter;
pub(crate) use placeholder::placeholders_are_legal;
pub(crate) use scan::JSON_SPACE;
pub(crate) use sendable_args::SendableArgs;

#[cfg(test)]
mod tests;

//! Engine.IO v4 without input or output.

pub(crate) mod packet;
pub(crate) mod session;
pub(crate) mod sid;
pub(crate) mod transport;

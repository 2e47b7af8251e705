//! Socket.IO v5 without input or output.

pub(crate) mod packet;
pub(crate) mod payload;

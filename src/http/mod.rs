//! HTTP/1.1 without input or output.

pub(crate) mod files;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod router;

//! HTTP/1.1 and 1.0, the server's side, without input or output.
//!
//! Bytes go into a decoder, [`Request`]s come out; a [`Response`] becomes bytes again. Between the
//! two stand the routes of the host and its folders of static files ([`Folder`]). Nothing here
//! knows a socket, the clock or Engine.IO, and nothing here imports from the rest of the crate.
//!
//! ```text
//! GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\n     -> Event::Head(Request), Event::Body
//! Host: example.com\r\n
//! \r\n
//!
//! HTTP/1.1 200 OK\r\n                                      <- Response::encode
//! Content-Type: text/plain; charset=utf-8\r\n
//! Content-Length: 2\r\n
//! Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n
//! \r\n
//! ok
//! ```
//!
//! Where RFC 9112 lets a server choose between tolerance and refusal, this one refuses: two parties
//! that read one message differently are how requests are smuggled.

pub(crate) mod chunked;
pub(crate) mod coding;
pub(crate) mod decoder;
pub(crate) mod files;
pub(crate) mod framing;
pub(crate) mod head;
pub(crate) mod headers;
pub(crate) mod method;
pub(crate) mod params;
pub(crate) mod pieces;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod router;
pub(crate) mod status;

pub use files::Folder;
pub use headers::Headers;
pub use method::{Method, Version};
pub use request::Request;
pub use response::{Body, Response};
pub use status::Status;

//! The headers of a response, as a hook of the host's may change them.
//!
//! It isn't the response: status and body are out of reach.

use std::fmt;

use super::response::Response;

/// The headers of an answer that is about to leave; see
/// [`EngineApp::on_headers`](crate::EngineApp::on_headers).
///
/// What may stand in a name and a value, and which headers are the server's alone, is told at
/// [`Response::header`].
///
/// ```
/// use throng::Server;
///
/// let server = Server::builder().bind("127.0.0.1:0")?;
/// server.engine().on_headers(|_, headers| {
///     headers.set("Cache-Control", "no-store, no-transform");
///     headers.append("Set-Cookie", "seen=1");
///     headers.remove("X-Internal");
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Headers<'a> {
    response: &'a mut Response,
}

impl<'a> Headers<'a> {
    pub(crate) fn new(response: &'a mut Response) -> Self {
        Self { response }
    }

    /// The first value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.response.header_value(name)
    }

    /// All of them, names as they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.response.headers()
    }

    /// Adds a header beside those of its name.
    pub fn append(&mut self, name: &str, value: impl AsRef<str>) {
        let response = std::mem::replace(self.response, Response::new(500));
        *self.response = response.header(name, value);
    }

    /// Sets a header in place of all of its name.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.remove(name);
        self.append(name, value);
    }

    /// Takes out every header of this name.
    pub fn remove(&mut self, name: &str) {
        self.response.remove_header(name);
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

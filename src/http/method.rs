//! What the request line says besides its target: the method and the version.
//!
//! `POST /socket.io/ HTTP/1.1` has [`Method::Post`] and [`Version::Http11`]. Methods are case
//! sensitive: `post` is another method, one that nobody has registered.

/// A request method of RFC 9110, section 9 (and `PATCH` of RFC 5789).
///
/// ```
/// use throng::http::Method;
///
/// assert_eq!(Method::Get.name(), Some("GET"));
/// assert_eq!(Method::Other.name(), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: what `GET` would answer, without the body.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`: what a browser asks before a request to another origin.
    Options,
    /// `CONNECT`.
    Connect,
    /// `TRACE`.
    Trace,
    /// Any other token; `Request::method_name` has it.
    Other,
}

impl Method {
    /// The method as on the wire, or `None` for [`Method::Other`].
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Connect => "CONNECT",
            Self::Trace => "TRACE",
            Self::Other => return None,
        })
    }

    /// The method of a token from the request line.
    pub(crate) fn from_token(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "CONNECT" => Self::Connect,
            "TRACE" => Self::Trace,
            _ => Self::Other,
        }
    }
}

/// The version of HTTP a request was sent in.
///
/// The order is the one of time.
///
/// ```
/// use throng::http::Version;
///
/// assert!(Version::Http10 < Version::Http11);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0: a connection carries one request unless both sides ask for more.
    Http10,
    /// HTTP/1.1.
    Http11,
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn names_and_tokens_are_inverse() {
        for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"]
        {
            assert_eq!(Method::from_token(name).name(), Some(name));
        }
        assert_eq!(Method::from_token("get"), Method::Other);
        assert_eq!(Method::from_token("PURGE"), Method::Other);
    }
}

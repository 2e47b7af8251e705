//! The request that opens a WebSocket, judged (RFC 6455, 4.2.1).
//!
//! It reads header values that someone else parsed and says what the answer is to carry; it
//! writes no answer. `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==` is answered with
//! `Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`. Refusals are those of the library `ws`.

use std::collections::BTreeSet;
use std::fmt;

use tungstenite::handshake::derive_accept_key;

/// What of a request decides whether it becomes a WebSocket.
///
/// A header that came several times is to be joined with `", "`, as lists are in HTTP: a second
/// key or version then makes the request invalid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handshake<'r> {
    pub(crate) method: &'r str,
    /// The second digit of `HTTP/1.1`.
    pub(crate) version_minor: u8,
    pub(crate) connection: Option<&'r str>,
    pub(crate) upgrade: Option<&'r str>,
    /// `Sec-WebSocket-Key`
    pub(crate) key: Option<&'r str>,
    /// `Sec-WebSocket-Version`
    pub(crate) version: Option<&'r str>,
    /// `Sec-WebSocket-Protocol`
    pub(crate) protocol: Option<&'r str>,
}

/// What the answer `101 Switching Protocols` carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acceptance<'r> {
    /// `Sec-WebSocket-Accept`
    pub(crate) accept_key: String,
    /// `Sec-WebSocket-Protocol`: the first one offered, if any was.
    pub(crate) protocol: Option<&'r str>,
}

/// Why a request doesn't become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    /// No `Connection: upgrade` with an `Upgrade`, or HTTP/1.0: an ordinary request.
    NotAnUpgrade,
    /// Only `GET` may open a WebSocket.
    Method,
    /// An upgrade to something else.
    Upgrade,
    /// The key is missing or isn't 16 bytes in base64.
    Key,
    /// The version is neither 13 nor 8; the answer says which are: [`SUPPORTED_VERSIONS`].
    Version,
    /// The offer of subprotocols isn't a list of different tokens.
    Protocol,
}

impl<'r> Handshake<'r> {
    /// Judges the request, in the order of the reference.
    pub(crate) fn check(&self) -> Result<Acceptance<'r>, HandshakeError> {
        if !self.is_upgrade() {
            return Err(HandshakeError::NotAnUpgrade);
        }
        if self.method != "GET" {
            return Err(HandshakeError::Method);
        }
        if !self.upgrade.is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket")) {
            return Err(HandshakeError::Upgrade);
        }
        let key = self.key.filter(|key| is_key(key)).ok_or(HandshakeError::Key)?;
        if !matches!(self.version.map(str::trim_ascii), Some("13" | "8")) {
            return Err(HandshakeError::Version);
        }
        let protocol = self.protocol.map(first_protocol).transpose()?;
        Ok(Acceptance { accept_key: derive_accept_key(key.as_bytes()), protocol })
    }

    /// Whether the request wants to leave HTTP at all, to whatever protocol.
    pub(crate) fn is_upgrade(&self) -> bool {
        let options = self.connection.unwrap_or_default().as_bytes();
        let mut options = options.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        self.version_minor >= 1
            && self.upgrade.is_some()
            && options.any(|option| option.eq_ignore_ascii_case(b"upgrade"))
    }
}

impl HandshakeError {
    /// The status of the answer.
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            _ => 400,
        }
    }

    /// The body of the answer, word for word that of the reference.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Method => "Invalid HTTP method",
            Self::NotAnUpgrade | Self::Upgrade => "Invalid Upgrade header",
            Self::Key => "Missing or invalid Sec-WebSocket-Key header",
            Self::Version => "Missing or invalid Sec-WebSocket-Version header",
            Self::Protocol => "Invalid Sec-WebSocket-Protocol header",
        }
    }

    /// The value of `Sec-WebSocket-Version` in the answer, if it carries one.
    pub(crate) const fn supported_versions(self) -> Option<&'static str> {
        match self {
            Self::Version => Some(SUPPORTED_VERSIONS),
            _ => None,
        }
    }
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message())
    }
}

impl std::error::Error for HandshakeError {}

/// Whether a key is the base64 of 16 bytes; spare bits may be set, as in the reference.
fn is_key(key: &str) -> bool {
    key.len() == KEY_BYTES
        && key.strip_suffix("==").is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        })
}

/// The first of the offered protocols, all of which must be tokens and different.
fn first_protocol(offer: &str) -> Result<&str, HandshakeError> {
    let mut protocols = offer.split(',').map(|protocol| protocol.trim_matches([' ', '\t']));
    let mut seen = BTreeSet::new();
    if !protocols.clone().all(|protocol| is_token(protocol) && seen.insert(protocol)) {
        return Err(HandshakeError::Protocol);
    }
    protocols.next().ok_or(HandshakeError::Protocol)
}

fn is_token(text: &str) -> bool {
    let is_token_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// The versions of the protocol that are spoken; 8 differs from 13 in nothing a server reads.
const SUPPORTED_VERSIONS: &str = "13, 8";
const KEY_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: Handshake<'_> = Handshake {
        method: "GET",
        version_minor: 1,
        connection: Some("keep-alive, Upgrade"),
        upgrade: Some("WebSocket"),
        key: Some("dGhlIHNhbXBsZSBub25jZQ=="),
        version: Some("13"),
        protocol: None,
    };

    #[test]
    fn the_example_of_the_specification_is_accepted() {
        let acceptance = REQUEST.check().unwrap();
        assert_eq!(acceptance.accept_key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(acceptance.protocol, None);
        assert!(Handshake { version: Some("8"), ..REQUEST }.check().is_ok());
    }

    #[test]
    fn refusals_are_those_of_the_reference() {
        let refused = |request: Handshake<'_>, error: HandshakeError, status: u16| {
            assert_eq!(request.check(), Err(error));
            assert_eq!(error.status(), status);
        };
        refused(Handshake { method: "POST", ..REQUEST }, HandshakeError::Method, 405);
        refused(Handshake { upgrade: Some("h2c"), ..REQUEST }, HandshakeError::Upgrade, 400);
        for connection in [None, Some("keep-alive"), Some(""), Some("upgraded")] {
            refused(Handshake { connection, ..REQUEST }, HandshakeError::NotAnUpgrade, 400);
        }
        refused(Handshake { upgrade: None, ..REQUEST }, HandshakeError::NotAnUpgrade, 400);
        refused(Handshake { version_minor: 0, ..REQUEST }, HandshakeError::NotAnUpgrade, 400);
        let keys = ["", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZQ=a", "dGhlIHNhbXBsZSBub25j Q=="];
        for key in keys {
            refused(Handshake { key: Some(key), ..REQUEST }, HandshakeError::Key, 400);
        }
        refused(Handshake { key: None, ..REQUEST }, HandshakeError::Key, 400);
        for version in [None, Some("12"), Some("13, 13"), Some("")] {
            refused(Handshake { version, ..REQUEST }, HandshakeError::Version, 400);
        }
        assert_eq!(HandshakeError::Version.supported_versions(), Some("13, 8"));
        assert_eq!(HandshakeError::Key.supported_versions(), None);
    }

    #[test]
    fn the_first_protocol_is_taken() {
        for (offer, first) in
            [("chat", "chat"), ("a , b,\tc", "a"), ("v1.socket|io", "v1.socket|io")]
        {
            let acceptance = Handshake { protocol: Some(offer), ..REQUEST }.check().unwrap();
            assert_eq!(acceptance.protocol, Some(first));
        }
    }

    #[test]
    fn an_offer_must_be_different_tokens() {
        let spaces_and_commas = " ,".repeat(4096);
        for offer in ["", ",", "a,", ",a", "a b", "a,a", "a;b", "é", &spaces_and_commas] {
            let request = Handshake { protocol: Some(offer), ..REQUEST };
            assert_eq!(request.check(), Err(HandshakeError::Protocol), "{offer:?}");
        }
    }
}

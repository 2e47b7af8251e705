//! Content codings: which of ours a client likes best, and the codings themselves.
//!
//! It isn't `permessage-deflate`, the compression of WebSocket messages, which isn't negotiated.
//! What is worth coding, and how long a coded body is kept, is decided elsewhere.
//!
//! ```text
//! > Accept-Encoding: gzip, deflate, br        < Content-Encoding: gzip
//! ```

use super::request::Request;

/// How the body of an answer may be coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentCoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// The format of RFC 1950, which HTTP calls `deflate`.
    Deflate,
    /// RFC 7932.
    Brotli,
}

impl ContentCoding {
    /// What the client likes best of these (RFC 9110, section 12.5.3): the highest quality first, a
    /// coding that is named before one that `*` stands for, then the client's order. Without the
    /// `compression` feature nothing is coded.
    pub(crate) fn negotiate(request: &Request, codings: &[Self]) -> Self {
        if !cfg!(feature = "compression") {
            return Self::Identity;
        }
        let Some(accepted) = request.header("accept-encoding") else { return Self::Identity };
        codings
            .iter()
            .filter_map(|coding| Some((coding.rank(accepted)?, *coding)))
            // The first of equals wins: `min_by` would too, but the rank is better when greater.
            .reduce(|best, other| if other.0 > best.0 { other } else { best })
            .map_or(Self::Identity, |(_, coding)| coding)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    /// Codes a body; `None` where it stays as it is.
    #[cfg(feature = "compression")]
    pub(crate) fn encode(self, body: &[u8]) -> Option<Vec<u8>> {
        use flate2::Compression;
        use flate2::write::{GzEncoder, ZlibEncoder};
        use std::io::Write as _;

        let out = Vec::with_capacity(body.len() / 4);
        match self {
            Self::Identity => None,
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, Compression::default());
                encoder.write_all(body).ok()?;
                encoder.finish().ok()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, Compression::default());
                encoder.write_all(body).ok()?;
                encoder.finish().ok()
            }
            Self::Brotli => {
                let mut encoder =
                    brotli::CompressorWriter::new(out, 4_096, BROTLI_QUALITY, BROTLI_WINDOW_BITS);
                encoder.write_all(body).ok()?;
                Some(encoder.into_inner())
            }
        }
    }

    /// Codes a body; `None` where it stays as it is.
    #[cfg(not(feature = "compression"))]
    pub(crate) fn encode(self, _body: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Quality in thousandths, whether named, and how early; `None` if it isn't accepted.
    fn rank(self, accepted: &str) -> Option<(u16, bool, usize)> {
        let mut best: Option<(bool, u16, usize)> = None;
        for (index, element) in accepted.split(',').enumerate() {
            let mut parts = element.split(';');
            let name = parts.next().unwrap_or_default().trim();
            let is_named = name.eq_ignore_ascii_case(self.name());
            if !is_named && name != "*" {
                continue;
            }
            let quality = parts.find_map(|part| quality(part.trim())).unwrap_or(1_000);
            let order = usize::MAX - index;
            best = best.max(Some((is_named, quality, order)));
        }
        best.filter(|(_, quality, _)| *quality > 0)
            .map(|(is_named, quality, order)| (quality, is_named, order))
    }
}

/// The value of `q=0.5` in thousandths.
fn quality(parameter: &str) -> Option<u16> {
    let (name, value) = parameter.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim().split_once('.').unwrap_or((value.trim(), ""));
    if whole != "0" {
        return Some(if whole.bytes().all(|byte| byte == b'0') { 0 } else { 1_000 });
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    Some(digits.fold(0, |sum, digit| sum * 10 + u16::from(digit.saturating_sub(b'0').min(9))))
}

/// Far smaller than gzip's best in about the time of its default.
#[cfg(feature = "compression")]
const BROTLI_QUALITY: u32 = 5;
/// A window of 4 MiB, larger than any file that is coded.
#[cfg(feature = "compression")]
const BROTLI_WINDOW_BITS: u32 = 22;

#[cfg(all(test, feature = "compression"))]
mod tests {
    use super::*;

    fn negotiate(accepted: &str) -> ContentCoding {
        let request = Request::for_tests("GET", "/", &[("Accept-Encoding", accepted)], "");
        ContentCoding::negotiate(&request, &[ContentCoding::Gzip, ContentCoding::Deflate])
    }

    #[test]
    fn the_client_chooses() {
        assert_eq!(negotiate("gzip, deflate, br"), ContentCoding::Gzip);
        assert_eq!(negotiate("deflate, gzip"), ContentCoding::Deflate);
        assert_eq!(negotiate("gzip;q=0.5, deflate;q=0.8"), ContentCoding::Deflate);
        assert_eq!(negotiate("gzip;q=0, deflate;q=0.001"), ContentCoding::Deflate);
        assert_eq!(negotiate("gzip;q=0"), ContentCoding::Identity);
        assert_eq!(negotiate("*"), ContentCoding::Gzip);
        assert_eq!(negotiate("*, gzip;q=0"), ContentCoding::Deflate);
        assert_eq!(negotiate("br, zstd"), ContentCoding::Identity);
        assert_eq!(negotiate(""), ContentCoding::Identity);
        assert_eq!(negotiate("GZIP ; Q=1.0"), ContentCoding::Gzip);
        assert_eq!(negotiate("gzip;q=0.\u{ff}\u{ff}"), ContentCoding::Gzip);
    }

    #[test]
    fn a_coded_body_comes_back() {
        use std::io::Read as _;
        let body = b"42[\"chat\"]\x1e".repeat(200);
        for coding in [ContentCoding::Gzip, ContentCoding::Deflate, ContentCoding::Brotli] {
            let coded = coding.encode(&body).unwrap();
            assert!(coded.len() < body.len() / 10, "{coding:?}");
            let mut back = Vec::new();
            match coding {
                ContentCoding::Gzip => {
                    flate2::read::GzDecoder::new(&coded[..]).read_to_end(&mut back)
                }
                ContentCoding::Deflate => {
                    flate2::read::ZlibDecoder::new(&coded[..]).read_to_end(&mut back)
                }
                _ => brotli::Decompressor::new(&coded[..], 4_096).read_to_end(&mut back),
            }
            .unwrap();
            assert_eq!(back, body);
        }
    }
}

//! Responses, parsed no further than the tests need.

use super::Wire;

/// One response, read whole.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// The status line and the header fields, as they came.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn read(wire: &mut Wire, to_head: bool) -> Self {
        let head = String::from_utf8(wire.read_until(b"\r\n\r\n")).unwrap();
        let digits = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = digits.and_then(|digits| digits.parse().ok());
        let mut response =
            Self { status: status.unwrap_or_else(|| panic!("{head:?}")), head, body: Vec::new() };
        assert!(response.header("transfer-encoding").is_none(), "{response:?}");
        let has_body = !to_head && status != Some(304) && status >= Some(200);
        if has_body && let Some(length) = response.header("content-length") {
            response.body = wire.read_exactly(length.parse().unwrap());
        }
        response
    }

    /// The value of a header that came once or not at all.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        });
        let value = values.next();
        assert!(values.next().is_none(), "{name} came twice: {:?}", self.head);
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// Checks status and body.
    pub(crate) fn expect(&self, status: u16, body: &str) -> &Self {
        assert_eq!((self.status, self.text()), (status, body), "{:?}", self.head);
        self
    }

    /// An error of Engine.IO: `{"code":1,"message":"Session ID unknown"}`.
    pub(crate) fn expect_code(&self, status: u16, code: u8, message: &str) -> &Self {
        assert_eq!(self.header("content-type"), Some("application/json"));
        self.expect(status, &format!("{{\"code\":{code},\"message\":\"{message}\"}}"))
    }
}

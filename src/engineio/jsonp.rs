//! JSONP: polling for browsers that can't read an answer from another origin, only run it.
//!
//! The GET is a script element, the POST a form with one field. It is a wrapping of payloads, not
//! a transport of its own, and any polling request with a `j` in its query asks for it.
//!
//! ```text
//! > GET  ?EIO=3&transport=polling&j=7        < ___eio[7]("2:40");
//! > POST ?EIO=3&transport=polling&j=7        d=7%3A42%5B%22a%22%5D
//! ```

use crate::http::Request;

/// The digits of the function that an answer is to call, if the request wants a script.
pub(crate) fn callback(request: &Request) -> Option<Box<str>> {
    // Nearly nobody does, and a look for it costs less than reading the query.
    let query = request.query();
    if !query.contains("j=") {
        return None;
    }
    let index = request.query_param("j")?;
    Some(index.chars().filter(char::is_ascii_digit).collect())
}

/// The script that hands a payload to a function of the page.
pub(crate) fn script(callback: &str, payload: &[u8]) -> Vec<u8> {
    let payload = String::from_utf8_lossy(payload);
    let json = serde_json::Value::from(&*payload).to_string();
    // JSON allows what ends a line in JavaScript.
    let json = json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    ["___eio[", callback, "](", &json, ");"].concat().into_bytes()
}

/// The payload in the body of a POST; `None` if it isn't there, or there twice.
pub(crate) fn payload(body: &[u8]) -> Option<String> {
    let mut fields = form_urlencoded::parse(body).filter(|(name, _)| name == "d");
    let (_, field) = fields.next()?;
    fields.next().is_none().then(|| unescape(&field))
}

/// Undoes what the client does because forms change line ends: a backslash and `n` is a line feed,
/// and has one backslash more where it isn't.
fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut backslashes = 0;
    for character in field.chars() {
        match (character, backslashes) {
            ('\\', _) => {
                backslashes += 1;
                out.push('\\');
                continue;
            }
            ('n', 1) => {
                out.pop();
                out.push('\n');
            }
            ('n', 2..) => {
                out.pop();
                out.push('n');
            }
            (character, _) => out.push(character),
        }
        backslashes = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_javascript_whatever_the_payload() {
        let script = |payload: &str| String::from_utf8(script("7", payload.as_bytes())).unwrap();
        assert_eq!(script("2:40"), r#"___eio[7]("2:40");"#);
        assert_eq!(script("4\"\\\n\u{1}\u{e9}"), "___eio[7](\"4\\\"\\\\\\n\\u0001\u{e9}\");");
        assert_eq!(script("\u{2028}\u{2029}"), "___eio[7](\"\\u2028\\u2029\");");
    }

    #[test]
    fn only_digits_of_the_callback_come_back() {
        let callback = |query: &str| {
            let target = format!("/socket.io/?{query}");
            callback(&Request::for_tests("GET", &target, &[], "")).map(String::from)
        };
        assert_eq!(callback("EIO=3&j=12"), Some("12".to_owned()));
        assert_eq!(callback("j=alert(1)//2"), Some("12".to_owned()));
        assert_eq!(callback("j="), Some(String::new()));
        assert_eq!(callback("EIO=3&obj=1"), None);
        assert_eq!(callback("EIO=3"), None);
    }

    #[test]
    fn a_form_s_field_is_the_payload() {
        assert_eq!(payload(b"d=2%3A40&x=1").as_deref(), Some("2:40"));
        assert_eq!(payload(b"d=a+b%2Bc").as_deref(), Some("a b+c"));
        assert_eq!(payload(b"d=").as_deref(), Some(""));
        for body in [&b""[..], b"2:40", b"D=1", b"d=1&d=2"] {
            assert_eq!(payload(body), None);
        }
    }

    #[test]
    fn line_feeds_are_told_from_a_backslash_and_n() {
        assert_eq!(unescape(r"a\nb"), "a\nb");
        assert_eq!(unescape(r"a\\nb"), r"a\nb");
        assert_eq!(unescape(r"a\\\nb"), r"a\\nb");
        assert_eq!(unescape(r"\\x\"), r"\\x\");
        assert_eq!(unescape(r"\n\n"), "\n\n");
    }
}

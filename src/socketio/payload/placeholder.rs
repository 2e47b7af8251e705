//! The objects that stand in JSON for binary attachments.
//!
//! They are found here, not resolved: `placeholder_deserializer` gives their bytes to Rust types.
//! On the wire an attachment is this object in the text, and a binary packet behind it:
//!
//! ```text
//! {"_placeholder":true,"num":0}
//! ```

use super::scan::{JSON_SPACE, split_value};

/// Whether every placeholder in a list of JSON values names one of `attachments` attachments.
///
/// The JSON must be valid. As in the reference, an object is a placeholder when its last
/// `_placeholder` is `true`, whatever else it holds; then its `num` must be an integer in range,
/// and objects within it don't count. Depth costs a few bytes of heap a level, never stack.
pub(crate) fn placeholders_are_legal(json: &str, attachments: usize) -> bool {
    let mut rest = json;
    let mut top = Container::default();
    let mut enclosing = Vec::new();
    loop {
        rest = rest.trim_start_matches(BETWEEN_VALUES);
        match rest.as_bytes().first() {
            None => return top.is_legal(),
            Some(b'[' | b'{') => {
                enclosing.push(std::mem::take(&mut top));
                rest = rest.get(1..).unwrap_or_default();
            }
            Some(b']' | b'}') => {
                let inner = std::mem::replace(&mut top, enclosing.pop().unwrap_or_default());
                top.contents_illegal |= !inner.is_legal();
                rest = rest.get(1..).unwrap_or_default();
            }
            Some(_) => {
                let (scalar, behind) = split_value(rest);
                // In valid JSON a colon follows the keys of an object and nothing else.
                if let Some(value) = behind.trim_start_matches(JSON_SPACE).strip_prefix(':') {
                    top.note(&unescape_key(scalar), value, attachments);
                }
                rest = if scalar.is_empty() { "" } else { behind };
            }
        }
    }
}

/// The number of the attachment if the text starts with a placeholder as encoders write it.
///
/// Only the first two keys are looked at, so that asking at every object of a text stays linear.
pub(super) fn leading_placeholder(json: &str) -> Option<usize> {
    let rest = json.strip_prefix('{')?;
    let (first, rest) = split_member(rest)?;
    let (second, _) = split_member(rest.strip_prefix(',')?)?;
    match (first, second) {
        ((FLAG_QUOTED, "true"), (NUMBER_QUOTED, number))
        | ((NUMBER_QUOTED, number), (FLAG_QUOTED, "true")) => number.parse().ok(),
        _ => None,
    }
}

/// An array, an object or the whole list, as far as it was read.
#[derive(Debug, Default)]
struct Container {
    is_placeholder: bool,
    number_in_range: bool,
    contents_illegal: bool,
}

impl Container {
    fn note(&mut self, key: &str, value: &str, attachments: usize) {
        let value = value.trim_start_matches(JSON_SPACE);
        match key {
            FLAG => self.is_placeholder = value.starts_with("true"),
            NUMBER => {
                let number = split_value_if_scalar(value).and_then(|value| value.parse().ok());
                self.number_in_range = number.is_some_and(|number: usize| number < attachments);
            }
            _ => {}
        }
    }

    fn is_legal(&self) -> bool {
        if self.is_placeholder { self.number_in_range } else { !self.contents_illegal }
    }
}

/// A key and its scalar value at the start of the text, and what follows them.
fn split_member(json: &str) -> Option<((&str, &str), &str)> {
    let (key, rest) = split_value(json.trim_start_matches(JSON_SPACE));
    let rest = rest.trim_start_matches(JSON_SPACE).strip_prefix(':')?;
    let value = split_value_if_scalar(rest.trim_start_matches(JSON_SPACE))?;
    let rest = rest.trim_start_matches(JSON_SPACE).get(value.len()..)?;
    (key == FLAG_QUOTED || key == NUMBER_QUOTED)
        .then(|| ((key, value), rest.trim_start_matches(JSON_SPACE)))
}

/// Containers are left alone: looking for their end at every level would cost their depth again.
fn split_value_if_scalar(json: &str) -> Option<&str> {
    (!json.starts_with(['[', '{', '"'])).then(|| split_value(json).0)
}

fn unescape_key(quoted: &str) -> std::borrow::Cow<'_, str> {
    if quoted.contains('\\') {
        serde_json::from_str::<String>(quoted).unwrap_or_default().into()
    } else {
        quoted.trim_matches('"').into()
    }
}

const BETWEEN_VALUES: [char; 6] = [' ', '\n', '\t', '\r', ',', ':'];
const FLAG: &str = "_placeholder";
const NUMBER: &str = "num";
const FLAG_QUOTED: &str = "\"_placeholder\"";
const NUMBER_QUOTED: &str = "\"num\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_placeholders() {
        for json in [
            "",
            r#""plain",{"num":7}"#,
            r#"{"_placeholder":true,"num":0}"#,
            r#"{"num":1,"_placeholder":true}"#,
            r#"{ "_placeholder" : true , "num" : 1 },[[{"a":{"_placeholder":true,"num":0}}]]"#,
            r#"{"_placeholder":true,"num":1,"more":{"_placeholder":true,"num":9}}"#,
            r#"{"_placeholder":true,"num":9,"num":0}"#,
            r#"{"_placeholder":"true","num":9},{"_placeholder":false},{"_placeholder":1}"#,
            r#""{\"_placeholder\":true,\"num\":9}""#,
            r#"{"_placeholder":["true"],"num":9}"#,
        ] {
            assert!(placeholders_are_legal(json, 2), "{json}");
        }
    }

    #[test]
    fn illegal_placeholders() {
        for json in [
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":2}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":0.5}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true,"num":"splice"}"#,
            r#"{"_placeholder":true,"num":null}"#,
            r#"{"_placeholder":true,"num":[0]}"#,
            r#"{"_placeholder":true,"num":99999999999999999999999}"#,
            r#"{"_placeh\u006flder":true,"n\u0075m":2}"#,
            r#"1,[{"a":[{"b":{"_placeholder":true,"num":2}}]},{}],2"#,
            r#"{"_placeholder":{"_placeholder":true,"num":2},"num":1}"#,
            r#"{"_placeholder":true,"num":0,"num":9}"#,
        ] {
            assert!(!placeholders_are_legal(json, 2), "{json}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let inner = r#"{"_placeholder":true,"num":0}"#;
        let deep = "[".repeat(1_000_000) + inner + &"]".repeat(1_000_000);
        assert!(placeholders_are_legal(&deep, 1));
        assert!(!placeholders_are_legal(&deep, 0));
        assert!(!placeholders_are_legal(&deep[1_000_000..], 0));
    }

    #[test]
    fn text_that_is_not_json_ends() {
        for json in ["]", "}}", "{\"", ":", "\"\\", "é", "{\"a\":"] {
            placeholders_are_legal(json, 1);
            leading_placeholder(json);
        }
    }

    #[test]
    fn a_leading_placeholder_is_recognised_in_both_orders() {
        assert_eq!(leading_placeholder(r#"{"_placeholder":true,"num":3}"#), Some(3));
        assert_eq!(leading_placeholder(r#"{ "num" : 3 , "_placeholder" : true },1"#), Some(3));
        assert_eq!(leading_placeholder(r#"{"_placeholder":true,"num":3,"x":1}"#), Some(3));
        for json in [
            r#"{"_placeholder":false,"num":3}"#,
            r#"{"_placeholder":true,"num":"3"}"#,
            r#"{"_placeholder":true}"#,
            r#"{"num":{"_placeholder":true,"num":3}}"#,
            r#"{"a":1}"#,
            "{}",
            "[",
        ] {
            assert_eq!(leading_placeholder(json), None, "{json}");
        }
    }
}

//! Where values end in JSON that is already known to be valid.
//!
//! This is not a parser: it checks nothing, and on text that isn't JSON it finds some end within
//! the text. It is iterative, so depth costs nothing. In `"a,b",[1,2]` the first value ends after
//! the second quotation mark.

/// The values of a comma separated list without its brackets, each without space around it.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    rest: &'a str,
    remaining: usize,
}

impl<'a> Elements<'a> {
    /// The list must hold exactly `len` values: the last one is taken without looking for its end.
    pub(super) fn new(list: &'a str, len: usize) -> Self {
        Self { rest: list.trim_matches(JSON_SPACE), remaining: len }
    }

    /// The list of what has not been taken yet.
    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn remaining(&self) -> usize {
        self.remaining
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.remaining = self.remaining.checked_sub(1)?;
        if self.remaining == 0 {
            return Some(std::mem::take(&mut self.rest));
        }
        let (value, rest) = split_value(self.rest);
        let rest = rest.trim_start_matches(JSON_SPACE);
        self.rest = rest.strip_prefix(',').unwrap_or(rest).trim_start_matches(JSON_SPACE);
        Some(value)
    }
}

/// Splits the text behind the value that it starts with.
pub(super) fn split_value(json: &str) -> (&str, &str) {
    let end = match json.as_bytes().first() {
        Some(b'"') => string_end(json.as_bytes()),
        Some(b'[' | b'{') => container_end(json.as_bytes()),
        _ => scalar_end(json.as_bytes()),
    };
    json.split_at_checked(end).unwrap_or((json, ""))
}

/// Where the string that starts at the first byte ends, behind its closing quotation mark.
fn string_end(bytes: &[u8]) -> usize {
    let mut at = 1;
    while let Some(tail) = bytes.get(at..)
        && let Some(found) = tail.iter().position(|byte| matches!(byte, b'"' | b'\\'))
    {
        if tail.get(found) == Some(&b'"') {
            return at + found + 1;
        }
        at += found + 2;
    }
    bytes.len()
}

fn container_end(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += bytes.get(at..).map_or(1, string_end);
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8]) -> usize {
    let ends = |byte: &u8| matches!(byte, b',' | b':' | b']' | b'}' | b' ' | b'\n' | b'\t' | b'\r');
    bytes.iter().position(ends).unwrap_or(bytes.len())
}

/// The only space that JSON knows (RFC 8259, section 2).
pub(crate) const JSON_SPACE: [char; 4] = [' ', '\n', '\t', '\r'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_split_at_their_commas() {
        let list = r#" "a,\"]" , [1,[2,"]"],{}] ,{"k":"}"},-1.5e3,true , null "#;
        let elements: Vec<_> = Elements::new(list, 6).collect();
        let expected =
            [r#""a,\"]""#, r#"[1,[2,"]"],{}]"#, r#"{"k":"}"}"#, "-1.5e3", "true", "null"];
        assert_eq!(elements, expected);
        assert_eq!(Elements::new("", 0).next(), None);
    }

    #[test]
    fn the_rest_is_the_list_of_what_was_not_taken() {
        let mut elements = Elements::new("1, [2] ,\"3\"", 3);
        elements.next();
        assert_eq!((elements.rest(), elements.remaining()), ("[2] ,\"3\"", 2));
        assert_eq!(elements.nth(1), Some("\"3\""));
        assert_eq!((elements.rest(), elements.next()), ("", None));
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        let list = format!("{deep},1");
        assert_eq!(Elements::new(&list, 2).nth(1), Some("1"));
    }

    #[test]
    fn text_that_is_not_json_ends_somewhere_within() {
        for text in ["\"", "\"\\", "[", "{\"", "]", "", "é", "[\"é", "\"\\é\""] {
            let (value, rest) = split_value(text);
            assert_eq!(value.len() + rest.len(), text.len());
        }
    }
}

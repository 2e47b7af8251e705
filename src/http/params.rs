//! What the variable parts of a route matched, percent-decoded.
//!
//! `/users/{id}` against `/users/a%20b` gives `id` = `a b`. Most requests match no route with
//! parameters and have none: an empty list owns nothing on the heap.

/// The parameters of a matched route, in the order of its pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    pairs: Box<[(Box<str>, Box<str>)]>,
}

impl Params {
    /// The value of a parameter, by the name between its braces.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    #[cfg(test)]
    /// What this list holds on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let strings: usize = self.pairs.iter().map(|(key, value)| key.len() + value.len()).sum();
        size_of_val(&*self.pairs) + strings
    }
}

impl FromIterator<(Box<str>, Box<str>)> for Params {
    fn from_iter<I: IntoIterator<Item = (Box<str>, Box<str>)>>(pairs: I) -> Self {
        Self { pairs: pairs.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::Params;

    #[test]
    fn parameters_are_found_by_name() {
        let params = Params::from_iter([("id".into(), "7".into()), ("path".into(), "".into())]);
        assert_eq!(params.find("id"), Some("7"));
        assert_eq!(params.find("path"), Some(""));
        assert_eq!(params.find("other"), None);
        assert_eq!(Params::default().heap_bytes(), 0);
    }
}

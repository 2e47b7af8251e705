//! Which handler answers a path and a method.
//!
//! `GET /users/a%20b` finds the handler added for `GET` and `/users/{id}`, with `id` = `a b`. It
//! calls no handler and knows nothing of what one is.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::method::Method;
use super::params::Params;

/// Handlers by pattern and method.
///
/// A pattern is made of segments: `/users/{id}` has a parameter that stands for one segment or a
/// part of it, `/files/{*path}` one that stands for the rest of the path, slashes included and
/// never empty. Text wins over parameters, and a parameter over the rest. `{{` and `}}` stand for
/// braces. Text is compared with the path as sent, before any percent-decoding.
#[derive(Clone, Debug)]
pub(crate) struct Router<H> {
    /// From patterns to indices of `routes`.
    patterns: matchit::Router<usize>,
    routes: Vec<Route<H>>,
    fallback: Option<H>,
}

/// What a path and a method lead to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lookup<'a, H> {
    /// A handler, and what its pattern's parameters stand for, percent-decoded.
    Found { handler: &'a H, params: Params },
    /// The path has handlers, but none for this method: 405, with this `Allow`.
    MethodNotAllowed { allow: String },
    /// No pattern fits the path, and there is no fallback: 404.
    NotFound,
}

/// Why a route can't be added: a mistake of the host's program.
///
/// The message names the pattern and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteError {
    pattern: String,
    reason: String,
}

#[derive(Clone, Debug)]
struct Route<H> {
    pattern: String,
    /// In the order of methods, so that `Allow` always reads the same.
    handlers: Vec<(Method, H)>,
}

impl<H> Router<H> {
    /// A router that finds nothing.
    pub(crate) fn new() -> Self {
        Self { patterns: matchit::Router::new(), routes: Vec::new(), fallback: None }
    }

    /// Adds the handler for a method of the paths that fit a pattern.
    ///
    /// A handler for `GET` answers `HEAD` too, unless that has one of its own. A pattern that is
    /// malformed, that can't be told from another one, or that has a handler for this method
    /// already is an error.
    pub(crate) fn add(
        &mut self,
        method: Method,
        pattern: &str,
        handler: H,
    ) -> Result<(), RouteError> {
        let error = |reason: &str| RouteError { pattern: pattern.into(), reason: reason.into() };
        if method == Method::Other {
            return Err(error("a route needs one of the registered methods"));
        }
        if !pattern.starts_with('/') {
            return Err(error("a pattern starts with a slash"));
        }
        let Some(route) = self.routes.iter_mut().find(|route| route.pattern == pattern) else {
            let index = self.routes.len();
            self.patterns.insert(pattern, index).map_err(|reason| error(&reason.to_string()))?;
            let handlers = vec![(method, handler)];
            self.routes.push(Route { pattern: pattern.into(), handlers });
            return Ok(());
        };
        match route.handlers.binary_search_by_key(&method, |(method, _)| *method) {
            Ok(_) => Err(error("this method of this pattern has a handler already")),
            Err(place) => {
                route.handlers.insert(place, (method, handler));
                Ok(())
            }
        }
    }

    /// Sets the handler of all paths that no pattern fits. Paths that one fits never get there,
    /// whatever the method.
    pub(crate) fn fallback(&mut self, handler: H) {
        self.fallback = Some(handler);
    }

    #[cfg(test)]
    /// Whether there is nothing to find.
    pub(crate) fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.fallback.is_none()
    }

    /// Finds the handler of a path, as sent and without its query, and a method.
    pub(crate) fn find(&self, method: Method, path: &str) -> Lookup<'_, H> {
        let matched = self.patterns.at(path).ok();
        let route = matched.as_ref().and_then(|matched| self.routes.get(*matched.value));
        let (Some(matched), Some(route)) = (matched, route) else {
            return match &self.fallback {
                Some(handler) => Lookup::Found { handler, params: Params::default() },
                None => Lookup::NotFound,
            };
        };
        match route.handler(method) {
            Some(handler) => Lookup::Found { handler, params: decode_params(&matched.params) },
            None => Lookup::MethodNotAllowed { allow: route.allow() },
        }
    }
}

impl<H> Default for Router<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H> Route<H> {
    fn handler(&self, method: Method) -> Option<&H> {
        let exact = |wanted| self.handlers.iter().find(|(method, _)| *method == wanted);
        let found = match exact(method) {
            None if method == Method::Head => exact(Method::Get),
            found => found,
        };
        found.map(|(_, handler)| handler)
    }

    fn allow(&self) -> String {
        let has = |wanted| self.handlers.iter().any(|(method, _)| *method == wanted);
        let mut names = Vec::with_capacity(self.handlers.len() + 1);
        for (method, _) in &self.handlers {
            names.extend(method.name());
            if *method == Method::Get && !has(Method::Head) {
                names.extend(Method::Head.name());
            }
        }
        names.join(", ")
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {:?}: {}", self.pattern, self.reason)
    }
}

impl std::error::Error for RouteError {}

/// Decoded once, after the match: `%2f` is a part of a segment, not the end of one.
fn decode_params(params: &matchit::Params<'_, '_>) -> Params {
    let decode = |value| percent_decode_str(value).decode_utf8_lossy().into_owned();
    params.iter().map(|(name, value)| (name.into(), decode(value).into_boxed_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::{Lookup, Method, Router};

    fn router() -> Router<&'static str> {
        let mut router = Router::new();
        for (method, pattern) in [
            (Method::Get, "/"),
            (Method::Post, "/users"),
            (Method::Get, "/users"),
            (Method::Get, "/users/me"),
            (Method::Get, "/users/{id}"),
            (Method::Delete, "/users/{id}"),
            (Method::Get, "/files/{*path}"),
            (Method::Head, "/only-head"),
        ] {
            router.add(method, pattern, pattern).unwrap();
        }
        router
    }

    fn find(method: Method, path: &str) -> (&'static str, Option<String>) {
        match router().find(method, path) {
            Lookup::Found { handler, params } => {
                let value = params.find("id").or(params.find("path"));
                (*handler, value.map(str::to_owned))
            }
            Lookup::MethodNotAllowed { allow } => ("405", Some(allow)),
            Lookup::NotFound => ("404", None),
        }
    }

    #[test]
    fn paths_find_their_handlers() {
        let some = |value: &str| Some(value.to_owned());
        for (path, expected) in [
            ("/", ("/", None)),
            ("/users", ("/users", None)),
            ("/users/me", ("/users/me", None)),
            ("/users/7", ("/users/{id}", some("7"))),
            ("/users/a%20b%2Fc", ("/users/{id}", some("a b/c"))),
            ("/users/%ff%", ("/users/{id}", some("\u{fffd}%"))),
            ("/users/%2500", ("/users/{id}", some("%00"))),
            ("/files/a/b.css", ("/files/{*path}", some("a/b.css"))),
            ("/files/%2e%2e/x", ("/files/{*path}", some("../x"))),
            ("/users/", ("404", None)),
            ("/users/7/8", ("404", None)),
            ("/files/", ("404", None)),
            ("/nothing", ("404", None)),
            ("", ("404", None)),
            ("*", ("404", None)),
            ("example.com:443", ("404", None)),
        ] {
            assert_eq!(find(Method::Get, path), expected, "{path}");
        }
    }

    #[test]
    fn other_methods_are_told_what_is_allowed() {
        let allow = |method, path| find(method, path).1.unwrap();
        assert_eq!(allow(Method::Put, "/users"), "GET, HEAD, POST");
        assert_eq!(allow(Method::Other, "/users/7"), "GET, HEAD, DELETE");
        assert_eq!(allow(Method::Get, "/only-head"), "HEAD");
    }

    #[test]
    fn head_falls_back_to_get() {
        assert_eq!(find(Method::Head, "/users").0, "/users");
        let mut router = router();
        router.add(Method::Head, "/users", "its own").unwrap();
        let Lookup::Found { handler, .. } = router.find(Method::Head, "/users") else { panic!() };
        assert_eq!(*handler, "its own");
    }

    #[test]
    fn the_fallback_gets_the_paths_nobody_wants() {
        let mut router = router();
        router.fallback("fallback");
        let Lookup::Found { handler, .. } = router.find(Method::Put, "/x") else { panic!() };
        assert_eq!(*handler, "fallback");
        assert!(matches!(router.find(Method::Put, "/"), Lookup::MethodNotAllowed { .. }));
        assert!(!router.is_empty());
        assert!(Router::<()>::default().is_empty());
    }

    #[test]
    fn mistakes_of_the_host_are_explained() {
        let mut router = router();
        for (method, pattern, reason) in [
            (Method::Get, "/users", "already"),
            (Method::Get, "users", "slash"),
            (Method::Get, "", "slash"),
            (Method::Other, "/x", "registered"),
            (Method::Put, "/users/{name}", "conflict"),
            (Method::Get, "/a/{", "name"),
            (Method::Get, "/a/{}", "name"),
            (Method::Get, "/a/{*rest}/b", "end"),
            (Method::Get, "/a/{b}{c}", "segment"),
        ] {
            let error = router.add(method, pattern, "").unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(pattern), "{pattern}: {error}");
        }
        // What was refused left nothing behind.
        assert_eq!(router.routes.len(), 6);
        router.add(Method::Put, "/a/b", "").unwrap();
    }
}

//! Cross-origin resource sharing for browsers, as the npm package `cors` answers it.
//!
//! It never refuses a request: browsers keep the answer from the script. It isn't the check of the
//! origins that may open a WebSocket, which browsers leave to the server.
//!
//! ```text
//! Access-Control-Allow-Origin: https://example.com
//! Vary: Origin
//! Access-Control-Allow-Credentials: true
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::{Cors, CorsOrigin};
use crate::http::{Request, Response};

/// The request's origin, if it is one to be reflected. Kept while a request waits for its answer;
/// `None` where the answer doesn't depend on the request.
pub(crate) fn reflected_origin(cors: Option<&Cors>, request: &Request) -> Option<Box<str>> {
    let origin = request.header("origin")?;
    let is_allowed = match &cors?.origin {
        CorsOrigin::Any | CorsOrigin::One(_) => false,
        CorsOrigin::List(origins) => origins.iter().any(|allowed| allowed == origin),
        // It is the host's code, and its panic is no reason to end the server's turn.
        CorsOrigin::Predicate(is_allowed) => {
            catch_unwind(AssertUnwindSafe(|| is_allowed(origin))).unwrap_or(false)
        }
    };
    is_allowed.then(|| Box::from(origin))
}

/// The headers of every answer that is no preflight's, in the reference's order.
pub(crate) fn headers(cors: &Cors, reflected: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = origin_headers(cors, reflected);
    headers.extend(exposed_headers(cors));
    headers
}

/// Adds the headers of [`headers`] to a response.
pub(crate) fn apply(response: Response, cors: Option<&Cors>, reflected: Option<&str>) -> Response {
    let Some(cors) = cors else { return response };
    let headers = headers(cors, reflected).into_iter();
    headers.fold(response, |response, (name, value)| response.header(name, value))
}

/// The answer to any `OPTIONS` request.
pub(crate) fn preflight(cors: &Cors, request: &Request) -> Response {
    let reflected = reflected_origin(Some(cors), request);
    let mut headers = origin_headers(cors, reflected.as_deref());
    headers.push(("Access-Control-Allow-Methods", cors.methods.clone()));
    if let Some(allowed) = &cors.allowed_headers {
        headers.push(("Access-Control-Allow-Headers", allowed.clone()));
    } else {
        match headers.iter_mut().find(|(name, _)| *name == "Vary") {
            Some((_, value)) => value.push_str(", Access-Control-Request-Headers"),
            None => headers.push(("Vary", "Access-Control-Request-Headers".to_owned())),
        }
        if let Some(asked) = request.header("access-control-request-headers")
            && !asked.is_empty()
        {
            headers.push(("Access-Control-Allow-Headers", asked.to_owned()));
        }
    }
    if let Some(age) = cors.max_age {
        headers.push(("Access-Control-Max-Age", age.as_secs().to_string()));
    }
    headers.extend(exposed_headers(cors));
    let headers = headers.into_iter();
    headers
        .fold(Response::new(204), |response, (name, value)| response.header(name, value))
        .stating_no_body()
}

fn origin_headers(cors: &Cors, reflected: Option<&str>) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    let told = match &cors.origin {
        CorsOrigin::Any => Some("*"),
        CorsOrigin::One(origin) => Some(origin.as_str()),
        CorsOrigin::List(_) | CorsOrigin::Predicate(_) => reflected,
    };
    if let Some(told) = told {
        headers.push(("Access-Control-Allow-Origin", told.to_owned()));
    }
    // A cache may serve one answer to all only where it reads the same for all.
    if !matches!(cors.origin, CorsOrigin::Any) {
        headers.push(("Vary", "Origin".to_owned()));
    }
    if cors.credentials {
        headers.push(("Access-Control-Allow-Credentials", "true".to_owned()));
    }
    headers
}

fn exposed_headers(cors: &Cors) -> Option<(&'static str, String)> {
    let exposed = cors.exposed_headers.as_ref().filter(|exposed| !exposed.is_empty())?;
    Some(("Access-Control-Expose-Headers", exposed.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use std::time::Duration;

    fn with_origin(origin: CorsOrigin) -> Cors {
        Cors { origin, ..Cors::default() }
    }

    fn told(cors: &Cors, origin: Option<&str>) -> Vec<(&'static str, String)> {
        let sent: Vec<_> = origin.map(|origin| ("Origin", origin)).into_iter().collect();
        let request = Request::for_tests("GET", "/", &sent, "");
        headers(cors, reflected_origin(Some(cors), &request).as_deref())
    }

    fn allow(origin: &str) -> (&'static str, String) {
        ("Access-Control-Allow-Origin", origin.to_owned())
    }

    fn vary() -> (&'static str, String) {
        ("Vary", "Origin".to_owned())
    }

    #[test]
    fn each_kind_of_origin() {
        assert_eq!(told(&with_origin(CorsOrigin::Any), Some("http://a")), [allow("*")]);
        let one = with_origin(CorsOrigin::One("http://b".to_owned()));
        assert_eq!(told(&one, Some("http://a")), [allow("http://b"), vary()]);
        assert_eq!(told(&one, None), [allow("http://b"), vary()]);
        let list = with_origin(CorsOrigin::List(vec!["http://a".to_owned()]));
        assert_eq!(told(&list, Some("http://a")), [allow("http://a"), vary()]);
        assert_eq!(told(&list, Some("http://a.evil")), [vary()]);
        assert_eq!(told(&list, None), [vary()]);
        let any =
            with_origin(CorsOrigin::Predicate(Rc::new(|origin| origin.ends_with(".example"))));
        assert_eq!(told(&any, Some("http://x.example")), [allow("http://x.example"), vary()]);
    }

    #[test]
    fn a_preflight_echoes_what_it_was_asked() {
        let request = Request::for_tests(
            "OPTIONS",
            "/",
            &[("Origin", "http://a"), ("Access-Control-Request-Headers", "x-a,x-b")],
            "",
        );
        let mut cors = with_origin(CorsOrigin::List(vec!["http://a".to_owned()]));
        cors.credentials = true;
        cors.max_age = Some(Duration::from_secs(600));
        cors.exposed_headers = Some("X-C".to_owned());
        let response = preflight(&cors, &request);
        assert_eq!(response.status().code(), 204);
        assert_eq!(
            response.headers().collect::<Vec<_>>(),
            [
                ("Access-Control-Allow-Origin", "http://a"),
                ("Vary", "Origin, Access-Control-Request-Headers"),
                ("Access-Control-Allow-Credentials", "true"),
                ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
                ("Access-Control-Allow-Headers", "x-a,x-b"),
                ("Access-Control-Max-Age", "600"),
                ("Access-Control-Expose-Headers", "X-C"),
                ("Content-Length", "0"),
            ]
        );
    }
}

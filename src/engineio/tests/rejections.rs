//! The table of errors, in the order in which they are found.

use super::*;
use crate::config::{Cors, CorsOrigin, Transports};
use crate::engineio::transport::Protocol;

fn rejection(driver: &Driver, request: &Request) -> (u8, Option<&'static str>) {
    let rejection = driver.engine.route(request).unwrap_err();
    (rejection.code(), rejection.name())
}

fn ask(driver: &Driver, method: &str, target: &str) -> Result<Route, Rejection> {
    driver.engine.route(&Request::for_tests(method, target, &[], ""))
}

fn with_sid(driver: &Driver, session: SessionKey, target: &str) -> String {
    format!("{target}&sid={}", driver.engine.sid(session).unwrap())
}

fn open(transport: Transport) -> Route {
    Route::Open { transport, form: Form::WebSocket, protocol: Ok(Protocol::V4) }
}

#[test]
fn transport_comes_first() {
    let driver = Driver::new();
    for query in [
        "",
        "?EIO=4",
        "?transport=",
        "?transport=webtransport&EIO=4",
        "?transport=constructor&sid=x",
        "?transport=__proto__",
        "?transport=polling&transport=x",
        "?Transport=polling",
    ] {
        let target = format!("/socket.io/{query}");
        assert_eq!(rejection(&driver, &get(&target)), (0, None), "{query}");
        assert_eq!(rejection(&driver, &upgrade(&target)), (0, None), "{query}");
    }
    let response = Rejection::TransportUnknown { transport: None }.response();
    assert_eq!(response.body(), br#"{"code":0,"message":"Transport unknown"}"#);
}

#[test]
fn a_transport_that_is_off_is_unknown() {
    let driver = Driver::with(|config| config.transports = Transports::Polling);
    assert_eq!(rejection(&driver, &upgrade(WEBSOCKET)), (0, None));
    assert_eq!(driver.engine.route(&upgrade(POLLING)), Ok(open(Transport::Polling)));
    let driver = Driver::with(|config| config.transports = Transports::WebSocket);
    assert_eq!(rejection(&driver, &get(POLLING)), (0, None));
    assert_eq!(driver.engine.route(&upgrade(WEBSOCKET)), Ok(open(Transport::WebSocket)));
}

#[test]
fn the_origin_s_characters_come_second() {
    let driver = Driver::new();
    let request =
        Request::for_tests("GET", &format!("{POLLING}&sid=x"), &[("Origin", "a\u{1}")], "");
    assert_eq!(rejection(&driver, &request), (3, Some("INVALID_ORIGIN")));
}

#[test]
fn unknown_sessions_come_third() {
    let driver = Driver::new();
    for sid in ["x", "__proto__", "constructor", "AAAAAAAAAAAAAAAAAAAA", "%00", "..%2f", "\u{e9}"] {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            let error = ask(&driver, method, &format!("{POLLING}&sid={sid}")).unwrap_err();
            assert_eq!(error.code(), 1, "{method} {sid}");
        }
        let request = upgrade(&format!("{WEBSOCKET}&sid={sid}"));
        assert_eq!(rejection(&driver, &request), (1, None));
    }
}

#[test]
fn a_session_s_transport_then_its_protocol() {
    let mut driver = Driver::new();
    let polling = driver.open_polling();
    let (websocket, _) = driver.open_websocket();
    let target = with_sid(&driver, websocket, "/socket.io/?EIO=3&transport=polling");
    assert_eq!(rejection(&driver, &get(&target)), (3, Some("TRANSPORT_MISMATCH")));
    let target = with_sid(&driver, polling, WEBSOCKET);
    assert_eq!(rejection(&driver, &get(&target)), (3, Some("TRANSPORT_MISMATCH")));
    for eio in ["EIO=3", "EIO=", "EIO=5", "EIO=4&EIO=x", "EIO=04", "x=4"] {
        let target = format!("/socket.io/?{eio}&transport=polling");
        let target = with_sid(&driver, polling, &target);
        assert_eq!(rejection(&driver, &get(&target)), (3, Some("PROTOCOL_MISMATCH")), "{eio}");
        let target = target.replace("polling", "websocket");
        assert_eq!(rejection(&driver, &upgrade(&target)), (3, Some("PROTOCOL_MISMATCH")), "{eio}");
    }
    assert!(driver.engine.is_open(polling) && driver.engine.is_open(websocket));
}

#[test]
fn what_a_session_accepts() {
    let mut driver = Driver::new();
    let session = driver.open_polling();
    let polling = with_sid(&driver, session, POLLING);
    let websocket = with_sid(&driver, session, WEBSOCKET);
    assert_eq!(ask(&driver, "GET", &polling), Ok(Route::Poll(session)));
    assert_eq!(ask(&driver, "POST", &polling), Ok(Route::Post(session)));
    for method in ["PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "BREW"] {
        assert_eq!(ask(&driver, method, &polling), Ok(Route::Unsupported(session)));
    }
    assert_eq!(driver.engine.unsupported_method(&get(&polling)).status().code(), 500);
    assert_eq!(
        driver.engine.route(&upgrade(&websocket)),
        Ok(Route::Probe(session, Form::WebSocket))
    );
    assert_eq!(driver.engine.route(&upgrade(&polling)), Ok(Route::CloseAfterUpgrade));
    let (session, _) = driver.open_websocket();
    let target = with_sid(&driver, session, WEBSOCKET);
    assert_eq!(rejection(&driver, &get(&target)), (3, Some("TRANSPORT_HANDSHAKE_ERROR")));
}

#[test]
fn a_handshake_is_a_get_then_a_websocket_then_of_version_4() {
    let driver = Driver::new();
    for method in ["POST", "PUT", "OPTIONS", "HEAD", "get"] {
        for target in [POLLING, "/socket.io/?transport=websocket"] {
            let error = ask(&driver, method, target).unwrap_err();
            assert_eq!(error.code(), 2, "{method}");
            assert_eq!(error, Rejection::BadHandshakeMethod { method: method.to_owned() });
        }
    }
    let target = "/socket.io/?transport=websocket";
    assert_eq!(rejection(&driver, &get(target)), (3, Some("TRANSPORT_HANDSHAKE_ERROR")));
    for eio in ["", "&EIO=3", "&EIO=5", "&EIO=4&EIO=3"] {
        let protocol = Err(Rejection::UnsupportedProtocol { protocol: 3 });
        let unsupported = |transport| Route::Open {
            transport,
            form: Form::WebSocketV3,
            protocol: protocol.clone(),
        };
        let target = format!("/socket.io/?transport=polling{eio}");
        assert_eq!(ask(&driver, "GET", &target), Ok(unsupported(Transport::Polling)));
        let target = format!("/socket.io/?transport=websocket{eio}");
        let route = driver.engine.route(&upgrade(&target));
        assert_eq!(route, Ok(unsupported(Transport::WebSocket)));
    }
    assert_eq!(ask(&driver, "GET", &format!("{POLLING}&sid=")), Ok(open(Transport::Polling)));
    assert_eq!(driver.engine.route(&upgrade(WEBSOCKET)), Ok(open(Transport::WebSocket)));
    assert_eq!(driver.engine.route(&upgrade(POLLING)), Ok(Route::CloseAfterUpgrade));
    let body = Rejection::UnsupportedProtocol { protocol: 3 }.response();
    assert_eq!(body.body(), br#"{"code":5,"message":"Unsupported protocol version"}"#);
}

#[test]
fn another_upgrade_is_none() {
    let driver = Driver::new();
    let headers = [("Upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")];
    let polling = Request::for_tests("GET", POLLING, &headers, "");
    assert_eq!(driver.engine.route(&polling), Ok(open(Transport::Polling)));
    let websocket = Request::for_tests("GET", WEBSOCKET, &headers, "");
    assert_eq!(rejection(&driver, &websocket), (3, Some("TRANSPORT_HANDSHAKE_ERROR")));
}

#[test]
fn origins_of_websockets_where_they_are_listed() {
    let mut driver =
        Driver::with(|config| config.websocket_origins = Some(vec!["https://a".to_owned()]));
    let session = driver.open_polling();
    let probe = with_sid(&driver, session, WEBSOCKET);
    for target in [WEBSOCKET, probe.as_str()] {
        let evil = upgrade_with(target, &[("Origin", "https://a.evil")]);
        assert_eq!(rejection(&driver, &evil), (4, None));
        assert!(driver.engine.route(&upgrade_with(target, &[("Origin", "https://a")])).is_ok());
        assert!(driver.engine.route(&upgrade(target)).is_ok());
    }
    let polling = Request::for_tests("GET", POLLING, &[("Origin", "https://a.evil")], "");
    assert_eq!(driver.engine.route(&polling), Ok(open(Transport::Polling)));
}

#[test]
fn cors_is_told_with_every_answer_and_every_options_is_a_preflight() {
    let mut driver = Driver::with(|config| {
        config.cors =
            Some(Cors { origin: CorsOrigin::One("http://a".to_owned()), ..Cors::default() });
    });
    assert_eq!(ask(&driver, "OPTIONS", "/socket.io/"), Ok(Route::Preflight));
    let request = get("/socket.io/");
    assert_eq!(driver.engine.preflight(&request).status().code(), 204);
    let rejection = driver.engine.route(&request).unwrap_err();
    let told = |response: &Response| {
        response.header_value("access-control-allow-origin").map(str::to_owned)
    };
    let response = driver.engine.reject(&request, &rejection);
    assert_eq!(told(&response).as_deref(), Some("http://a"));
    assert_eq!(driver.engine.counters().rejected(0), 1);
    let session = driver.open_polling();
    assert!(told(&driver.engine.unsupported_method(&request)).is_some());
    driver.post(session, "3");
    assert!(told(driver.last_response.as_ref().unwrap()).is_some());
    let (connection, _) = driver.begin_post(session);
    let now = driver.now();
    driver.engine.post_too_large(now, session, connection, &mut driver.outboxes);
    driver.settle();
    assert!(told(driver.last_response.as_ref().unwrap()).is_some());
    assert_eq!(driver.events().last().unwrap(), "3 413 ");
    driver.begin_post(session);
    driver.begin_post(session);
    assert!(told(driver.last_response.as_ref().unwrap()).is_some());
}

#[test]
fn there_is_a_limit_on_sessions() {
    let mut driver = Driver::new();
    for _ in 0..64 {
        driver.open_polling();
    }
    let error = ask(&driver, "GET", POLLING).unwrap_err();
    assert_eq!((error.code(), error.name()), (3, Some("TOO_MANY_SESSIONS")));
    assert_eq!(error.response().status().code(), 503);
}

//! Handshakes: the open packet, headers, cookies.

use super::*;
use crate::config::{Cookie, Cors, CorsOrigin, Transports};

fn open(driver: &mut Driver, request: &Request, headers: &[(String, String)]) -> Sid {
    let connection = driver.connect();
    let now = driver.now();
    let Driver { engine, outboxes, entropy, .. } = driver;
    let session = engine.open_polling(now, connection, request, headers, entropy, outboxes);
    driver.settle();
    driver.engine.sid(session).unwrap()
}

fn open_websocket(driver: &mut Driver, request: &Request) -> SessionKey {
    let connection = driver.connect();
    let now = driver.now();
    let Ok(Route::Open { form, .. }) = driver.engine.route(request) else {
        panic!("{request:?} opens no session");
    };
    let Driver { engine, outboxes, entropy, .. } = driver;
    let session = engine.open_websocket(now, connection, form, entropy, outboxes);
    driver.settle();
    session
}

#[test]
fn polling_byte_for_byte() {
    let mut driver = Driver::with(|config| *config = EngineConfig::default());
    let sid = open(&mut driver, &get(POLLING), &[]);
    let body = format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
         \"pingTimeout\":20000,\"maxPayload\":1000000}}"
    );
    assert_eq!(driver.events(), [format!("1 200 {body}"), "opened".to_owned()]);
    let response = driver.last_response.take().unwrap();
    assert_eq!(
        response.headers().collect::<Vec<_>>(),
        [("Content-Type", "text/plain; charset=UTF-8"), ("cache-control", "no-store")]
    );
}

#[test]
fn websocket_byte_for_byte() {
    let mut driver = Driver::with(|config| *config = EngineConfig::default());
    let session = open_websocket(&mut driver, &upgrade(WEBSOCKET));
    let sid = driver.engine.sid(session).unwrap();
    assert_eq!(
        driver.events(),
        [
            format!(
                "1 < 0{{\"sid\":\"{sid}\",\"upgrades\":[],\"pingInterval\":25000,\
                 \"pingTimeout\":20000,\"maxPayload\":1000000}}"
            ),
            "opened".to_owned()
        ]
    );
    assert_eq!(driver.engine.transport(session), Some(Transport::WebSocket));
    assert_eq!((driver.engine.len(), driver.engine.websocket_len()), (1, 1));
}

#[test]
fn no_upgrades_where_they_are_off() {
    for change in [(|config| config.allow_upgrades = false) as fn(&mut EngineConfig), |config| {
        config.transports = Transports::Polling;
    }] {
        let mut driver = Driver::with(change);
        open(&mut driver, &get(POLLING), &[]);
        assert!(driver.events()[0].contains("\"upgrades\":[],"));
    }
}

#[test]
fn the_cookie_the_host_s_headers_and_cors() {
    let mut driver = Driver::with(|config| {
        config.cookie =
            Some(Cookie { max_age: Some(Duration::from_secs(60)), ..Cookie::default() });
        config.cors =
            Some(Cors { origin: CorsOrigin::List(vec!["http://a".to_owned()]), ..Cors::default() });
    });
    let request = Request::for_tests(
        "GET",
        POLLING,
        &[("Origin", "http://a"), ("User-Agent", "Mozilla (x; Trident/7.0)")],
        "",
    );
    let own = [("Set-Cookie".to_owned(), "seen=1\r\nX: y".to_owned())];
    let sid = open(&mut driver, &request, &own);
    let response = driver.last_response.take().unwrap();
    let cookie = format!("io={sid}; Max-Age=60; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(
        response.headers().collect::<Vec<_>>(),
        [
            ("Content-Type", "text/plain; charset=UTF-8"),
            ("Access-Control-Allow-Origin", "http://a"),
            ("Vary", "Origin"),
            ("X-XSS-Protection", "0"),
            ("cache-control", "no-store"),
            ("Set-Cookie", cookie.as_str()),
            ("Set-Cookie", "seen=1X: y"),
        ]
    );
    let expected =
        vec![("Access-Control-Allow-Origin", "http://a".to_owned()), ("Vary", "Origin".to_owned())];
    assert_eq!(driver.engine.websocket_headers(&request), expected);
}

#[test]
fn b64_makes_binary_messages_text_on_a_websocket() {
    let mut driver = Driver::new();
    for (query, line) in [("&b64=1", "< bAQID"), ("&b64=", "<< \u{1}\u{2}\u{3}")] {
        let session = open_websocket(&mut driver, &upgrade(&format!("{WEBSOCKET}{query}")));
        driver.events();
        let _ = driver.outboxes.push(session, &Message::binary(&[1, 2, 3]), Lane::Soon);
        driver.settle();
        assert!(driver.events()[0].ends_with(line), "{query}");
    }
}

#[test]
fn a_session_is_small_without_its_heap() {
    assert!(size_of::<Session>() <= 160, "{}", size_of::<Session>());
}

#[test]
fn the_path_is_a_prefix_with_its_slash() {
    let matches = |path: &str, slash: bool, asked: &str| {
        let config = EngineConfig {
            path: path.to_owned(),
            add_trailing_slash: slash,
            ..EngineConfig::default()
        };
        Engine::new(config, 1).matches(asked)
    };
    assert!(matches("/socket.io", true, "/socket.io/"));
    assert!(matches("/socket.io/", true, "/socket.io/anything"));
    assert!(!matches("/socket.io", true, "/socket.io"));
    assert!(matches("/socket.io/", false, "/socket.io"));
    assert!(!matches("/socket.io", true, "/Socket.io/"));
    assert!(!matches("/socket.io", true, "/"));
}

//! Handshakes and their refusals, byte by byte: the reference's answers and the order of its
//! checks. What comes after a handshake stands in the other suites.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling HTTP/1.1
//! < 0{"sid":"...","upgrades":["websocket"],"pingInterval":25000,...}
//! ```

mod common;

use std::time::{Duration, UNIX_EPOCH};

use common::{
    Response, Running, WebSocket, Wire, engine_get, handshake_polling, json_string, serve,
    serve_with, upgrade_head,
};
use throng::config::{
    Cookie, CookiePriority, Cors, CorsOrigin, InitialPacket, SameSite, Transports,
};

fn ask(server: &Running, request: &str) -> Response {
    Wire::connect(server).ask(request)
}

fn get(server: &Running, query: &str) -> Response {
    ask(server, &engine_get(query))
}

fn request(method: &str, target: &str, lines: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{lines}\r\n")
}

#[test]
fn a_polling_handshake_is_answered_as_by_the_reference() {
    let server = serve(|_| {});
    let response = get(&server, "transport=polling&t=PqYz");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    assert!(response.header("content-length").is_some());
    assert!(response.header("date").is_some());
    assert!(response.header("set-cookie").is_none());
    assert!(response.header("access-control-allow-origin").is_none());
    let sid = json_string(response.text(), "sid");
    assert_eq!(sid.len(), 20);
    assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let expected = format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
         \"pingTimeout\":20000,\"maxPayload\":1000000}}"
    );
    assert_eq!(response.text(), expected);
}

#[test]
fn the_options_are_told_in_the_handshake() {
    let server = serve_with(
        |config| {
            config.engine.ping_interval = Duration::from_millis(1_234);
            config.engine.ping_timeout = Duration::from_millis(567);
            config.engine.payload_bytes_max = 89;
            config.engine.allow_upgrades = false;
        },
        |_| {},
    );
    let response = get(&server, "transport=polling");
    let told = "\"upgrades\":[],\"pingInterval\":1234,\"pingTimeout\":567,\"maxPayload\":89}";
    assert!(response.text().ends_with(told), "{response:?}");
}

#[test]
fn a_websocket_handshake_is_a_101_and_an_open_packet_without_upgrades() {
    let server = serve(|_| {});
    let mut socket = WebSocket::upgrade(&server, "/socket.io/?EIO=4&transport=websocket");
    assert!(!socket.head.to_lowercase().contains("sec-websocket-extensions"));
    let open = socket.text();
    let sid = json_string(&open, "sid");
    let expected = format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[],\"pingInterval\":25000,\
         \"pingTimeout\":20000,\"maxPayload\":1000000}}"
    );
    assert_eq!(open, expected);
}

#[test]
fn compression_is_not_negotiated_and_the_first_protocol_is_taken() {
    let server = serve(|_| {});
    let mut wire = Wire::connect(&server);
    let lines = "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: a, b\r\n";
    wire.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", lines));
    let socket = WebSocket::upgraded(wire);
    let head = socket.head.to_lowercase();
    assert!(!head.contains("sec-websocket-extensions"));
    assert!(head.contains("sec-websocket-protocol: a\r\n"), "{head:?}");
}

#[test]
fn no_two_sessions_have_the_same_id_or_a_guessable_one() {
    let server = serve(|_| {});
    let mut wire = Wire::connect(&server);
    let mut ids = std::collections::HashSet::new();
    for _ in 0..200 {
        let response = wire.ask(engine_get("transport=polling"));
        let sid = json_string(response.text(), "sid").to_owned();
        assert!(ids.insert(sid));
    }
    let tails: std::collections::HashSet<&str> = ids.iter().map(|sid| &sid[16..]).collect();
    assert!(tails.len() > 190, "the last characters must not count up");
}

#[test]
fn an_unknown_transport_is_code_0() {
    let server = serve(|_| {});
    for query in
        ["", "transport=", "transport=webtransport", "transport=constructor", "transport=__proto__"]
    {
        get(&server, query).expect_code(400, 0, "Transport unknown");
    }
    for transports in [Transports::Polling, Transports::WebSocket] {
        let server = serve_with(move |config| config.engine.transports = transports, |_| {});
        let unlisted = if transports == Transports::Polling { "websocket" } else { "polling" };
        get(&server, &format!("transport={unlisted}")).expect_code(400, 0, "Transport unknown");
    }
}

#[test]
fn an_unknown_session_is_code_1() {
    let server = serve(|_| {});
    for sid in ["AAAAAAAAAAAAAAAAAAAA", "__proto__", "constructor", "x", "%00", "%F0%9F%98%80"] {
        get(&server, &format!("transport=polling&sid={sid}")).expect_code(
            400,
            1,
            "Session ID unknown",
        );
    }
}

#[test]
fn an_empty_sid_is_none() {
    let server = serve(|_| {});
    assert_eq!(get(&server, "transport=polling&sid=").status, 200);
}

#[test]
fn a_handshake_by_another_method_is_code_2() {
    let server = serve(|_| {});
    let target = "/socket.io/?EIO=4&transport=polling";
    for method in ["POST", "PUT", "OPTIONS", "DELETE", "PATCH"] {
        let lines = "Content-Length: 0\r\n";
        ask(&server, &request(method, target, lines)).expect_code(400, 2, "Bad handshake method");
    }
    let mut wire = Wire::connect(&server);
    wire.send(request("HEAD", target, ""));
    assert_eq!(wire.response_to_head().status, 400);
    ask(&server, &(request("POST", target, "Content-Length: 2\r\n") + "40")).expect_code(
        400,
        2,
        "Bad handshake method",
    );
}

#[test]
fn transport_websocket_without_an_upgrade_is_code_3() {
    let server = serve(|_| {});
    get(&server, "transport=websocket").expect_code(400, 3, "Bad request");
}

#[test]
fn a_request_that_does_not_fit_its_session_is_code_3() {
    let server = serve(|_| {});
    let socket = WebSocket::open(&server);
    get(&server, &format!("transport=polling&sid={}", socket.sid)).expect_code(
        400,
        3,
        "Bad request",
    );
    let poller = handshake_polling(&server);
    get(&server, &format!("transport=websocket&sid={}", poller.sid)).expect_code(
        400,
        3,
        "Bad request",
    );
}

#[test]
fn a_protocol_other_than_the_session_s_is_code_3_and_the_session_lives() {
    let server = serve(|_| {});
    let mut poller = handshake_polling(&server);
    for eio in ["", "EIO=3&", "EIO=5&", "EIO=04&", "EIO=__proto__&"] {
        let target = format!("/socket.io/?{eio}transport=polling&sid={}", poller.sid);
        ask(&server, &request("GET", &target, "")).expect_code(400, 3, "Bad request");
    }
    poller.join();
}

#[test]
fn a_refused_request_is_code_4_with_the_host_s_message() {
    let server = serve(|server| {
        server.allow_request(|_, request, decision| match request.header("x-key") {
            Some("secret") => decision.header("X-Welcome", "yes").allow(),
            Some(_) => decision.refuse("wrong \"key\""),
            None => drop(decision),
        });
    });
    let target = "/socket.io/?EIO=4&transport=polling";
    ask(&server, &request("GET", target, "")).expect_code(403, 4, "Forbidden");
    ask(&server, &request("GET", target, "X-Key: 1\r\n"))
        .expect(403, "{\"code\":4,\"message\":\"wrong \\\"key\\\"\"}");
    let response = ask(&server, &request("GET", target, "X-Key: secret\r\n"));
    assert_eq!((response.status, response.header("x-welcome")), (200, Some("yes")));
    // The requests of the session aren't asked about.
    let sid = json_string(response.text(), "sid").to_owned();
    let mut wire = Wire::connect(&server);
    wire.send(engine_get(&format!("transport=polling&sid={sid}")));
    wire.expect_silence();
    WebSocket::upgrade(&server, &format!("/socket.io/?EIO=4&transport=websocket&sid={sid}"));
}

#[test]
fn a_decision_may_come_later_or_its_client_leave_before() {
    let server = serve(|server| {
        server.allow_request(|io, _, decision| {
            io.after(Duration::from_millis(50), |_| decision.allow());
        });
    });
    let mut wire = Wire::connect(&server);
    wire.send(engine_get("transport=polling"));
    drop(Wire::connect(&server));
    let mut gone = Wire::connect(&server);
    gone.send(engine_get("transport=polling"));
    drop(gone);
    assert_eq!(wire.response().status, 200);
    let mut socket = WebSocket::open(&server);
    socket.join("/");
    server.wait_for_sessions(2);
}

#[test]
fn another_protocol_is_code_5() {
    let server = serve(|_| {});
    for query in ["EIO=3&", "", "EIO=5&", "EIO=&", "EIO=4x&"] {
        let target = format!("/socket.io/?{query}transport=polling");
        ask(&server, &request("GET", &target, "")).expect_code(
            400,
            5,
            "Unsupported protocol version",
        );
    }
}

#[test]
fn the_checks_come_in_the_order_of_the_reference() {
    let server = serve(|server| {
        server.allow_request(|_, _, decision| decision.refuse("no"));
    });
    let sid = "sid=AAAAAAAAAAAAAAAAAAAA";
    let put = |target: &str| ask(&server, &request("PUT", target, "Content-Length: 0\r\n"));
    put(&format!("/socket.io/?EIO=3&transport=x&{sid}")).expect_code(400, 0, "Transport unknown");
    put(&format!("/socket.io/?EIO=3&transport=websocket&{sid}")).expect_code(
        400,
        1,
        "Session ID unknown",
    );
    put("/socket.io/?EIO=3&transport=websocket").expect_code(400, 2, "Bad handshake method");
    ask(&server, &request("GET", "/socket.io/?EIO=3&transport=websocket", "")).expect_code(
        400,
        3,
        "Bad request",
    );
    ask(&server, &request("GET", "/socket.io/?EIO=3&transport=polling", ""))
        .expect_code(403, 4, "no");
}

#[test]
fn an_origin_with_invalid_characters_is_code_3_after_the_transport_and_before_the_session() {
    let server = serve(|_| {});
    let lines = "Origin: http://a\u{7f}\r\n";
    let target = "/socket.io/?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA";
    let response = ask(&server, &request("GET", target, lines));
    // A parser that refuses the byte at once is stricter than the reference and fine.
    assert_eq!(response.status, 400, "{response:?}");
    assert!(response.text().is_empty() || !response.text().contains("\"code\":1"), "{response:?}");
}

#[test]
fn another_method_with_a_valid_sid_is_500_and_the_session_lives() {
    let server = serve(|_| {});
    let mut poller = handshake_polling(&server);
    let target = format!("/socket.io/?EIO=4&{}", poller.query());
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        ask(&server, &request(method, &target, "Content-Length: 0\r\n")).expect(500, "");
    }
    let mut wire = Wire::connect(&server);
    wire.send(request("HEAD", &target, ""));
    assert_eq!(wire.response_to_head().status, 500);
    poller.join();
}

#[test]
fn the_path_is_a_prefix_with_its_slash() {
    let server = serve(|server| {
        server.http().fallback(|_, _| throng::http::Response::new(404).text("the app"));
    });
    let status = |target: &str| ask(&server, &request("GET", target, "")).status;
    assert_eq!(status("/socket.io?EIO=4&transport=polling"), 404);
    assert_eq!(status("/socket.i/?EIO=4&transport=polling"), 404);
    assert_eq!(status("/socket.iox/?EIO=4&transport=polling"), 404);
    assert_eq!(status("/?EIO=4&transport=polling"), 404);
    assert_eq!(status("/socket.io/anything?EIO=4&transport=polling"), 200);
    let bare = serve_with(
        |config| {
            config.engine.path = "/x/".to_owned();
            config.engine.add_trailing_slash = false;
        },
        |_| {},
    );
    let status = |target: &str| ask(&bare, &request("GET", target, "")).status;
    assert_eq!(status("/x?EIO=4&transport=polling"), 200);
    assert_eq!(status("/x/?EIO=4&transport=polling"), 200);
    assert_eq!(status("/socket.io/?EIO=4&transport=polling"), 404);
}

#[test]
fn the_last_of_several_parameters_counts() {
    let server = serve(|_| {});
    let target = "/socket.io/?EIO=3&transport=x&EIO=4&transport=polling";
    assert_eq!(ask(&server, &request("GET", target, "")).status, 200);
}

#[test]
fn internet_explorer_is_told_to_leave_payloads_alone() {
    let server = serve(|_| {});
    let target = "/socket.io/?EIO=4&transport=polling";
    for name in ["Mozilla/4.0 (compatible;MSIE 8.0)", "Mozilla/5.0 (Trident/7.0; rv:11.0)"] {
        let response = ask(&server, &request("GET", target, &format!("User-Agent: {name}\r\n")));
        assert_eq!(response.header("x-xss-protection"), Some("0"));
    }
    assert_eq!(ask(&server, &request("GET", target, "")).header("x-xss-protection"), None);
}

/// The whole stream of a refused upgrade.
fn refused(server: &Running, request: &str) -> String {
    let mut wire = Wire::connect(server);
    wire.send(request);
    String::from_utf8(wire.read_to_end()).unwrap()
}

fn raw_400(message: &str) -> String {
    format!(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-type: text/html\r\n\
         Content-Length: {}\r\n\r\n{message}",
        message.len()
    )
}

#[test]
fn refused_upgrades_are_raw_400s() {
    let server = serve(|server| {
        server.allow_request(|_, request, decision| match request.query_param("key") {
            Some(_) => decision.refuse("no way"),
            None => decision.allow(),
        });
    });
    let websocket = "/socket.io/?EIO=4&transport=websocket";
    for (target, message) in [
        ("/socket.io/?EIO=4&transport=x".to_owned(), "Transport unknown"),
        ("/socket.io/?EIO=4".to_owned(), "Transport unknown"),
        ("/socket.io/?EIO=4&transport=__proto__".to_owned(), "Transport unknown"),
        (format!("{websocket}&sid=AAAAAAAAAAAAAAAAAAAA"), "Session ID unknown"),
        (format!("{websocket}&key=1"), "no way"),
    ] {
        assert_eq!(refused(&server, &upgrade_head(&target, "")), raw_400(message), "{target}");
    }
}

#[test]
fn an_upgrade_with_another_protocol_than_its_session_s_is_400_and_the_session_lives() {
    let server = serve(|_| {});
    let mut poller = handshake_polling(&server);
    for eio in ["", "EIO=3&", "EIO=x&"] {
        let target = format!("/socket.io/?{eio}transport=websocket&sid={}", poller.sid);
        assert_eq!(refused(&server, &upgrade_head(&target, "")), raw_400("Bad request"));
    }
    poller.join();
    poller.post("3\x1e2");
    poller.expect_gone();
}

#[test]
fn a_bad_protocol_on_websocket_is_a_101_and_the_400_within_the_stream() {
    let server = serve(|_| {});
    for eio in ["", "EIO=3&", "EIO=5&"] {
        let target = format!("/socket.io/?{eio}transport=websocket");
        let all = refused(&server, &upgrade_head(&target, ""));
        let (head, rest) = all.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{all:?}");
        assert_eq!(rest, raw_400("Unsupported protocol version"));
    }
}

#[test]
fn an_upgrade_that_asks_for_polling_is_a_101_and_a_close_frame() {
    let server = serve(|_| {});
    let mut poller = handshake_polling(&server);
    let target = format!("/socket.io/?EIO=4&{}", poller.query());
    for target in ["/socket.io/?EIO=4&transport=polling", target.as_str()] {
        WebSocket::upgrade(&server, target).expect_close(None);
    }
    poller.join();
}

#[test]
fn an_improper_websocket_request_is_told_why() {
    let server = serve(|_| {});
    let target = "/socket.io/?EIO=4&transport=websocket";
    let good = upgrade_head(target, "");
    let refused = |request: &str| {
        let mut wire = Wire::connect(&server);
        let response = wire.ask(request);
        wire.expect_end();
        response
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for replaced in ["", "Sec-WebSocket-Key: short\r\n", &format!("{key}{key}")] {
        refused(&good.replace(key, replaced))
            .expect(400, "Missing or invalid Sec-WebSocket-Key header");
    }
    let version = "Sec-WebSocket-Version: 13\r\n";
    for replaced in ["", "Sec-WebSocket-Version: 12\r\n"] {
        let response = refused(&good.replace(version, replaced));
        response.expect(400, "Missing or invalid Sec-WebSocket-Version header");
        assert_eq!(response.header("sec-websocket-version"), Some("13, 8"));
    }
    let mut wire = Wire::connect(&server);
    wire.send(good.replace(version, "Sec-WebSocket-Version: 8\r\n"));
    WebSocket::upgraded(wire);
}

fn with_cors(change: impl FnOnce(&mut Cors) + Send + 'static) -> Running {
    serve_with(
        |config| {
            let mut cors = Cors::default();
            change(&mut cors);
            config.engine.cors = Some(cors);
        },
        |_| {},
    )
}

const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";
const ORIGIN: &str = "Origin: http://a\r\n";

fn cors_of(response: &Response) -> (Option<&str>, Option<&str>, Option<&str>) {
    (
        response.header("access-control-allow-origin"),
        response.header("vary"),
        response.header("access-control-allow-credentials"),
    )
}

#[test]
fn cors_tells_each_kind_of_origin_as_the_npm_package_does() {
    let server = with_cors(|_| {});
    let response = ask(&server, &request("GET", HANDSHAKE, ORIGIN));
    assert_eq!(cors_of(&response), (Some("*"), None, None));

    let server = with_cors(|cors| {
        cors.origin = CorsOrigin::One("http://b".to_owned());
        cors.credentials = true;
    });
    let response = ask(&server, &request("GET", HANDSHAKE, ORIGIN));
    assert_eq!(cors_of(&response), (Some("http://b"), Some("Origin"), Some("true")));

    let server = with_cors(|cors| cors.origin = CorsOrigin::List(vec!["http://a".to_owned()]));
    let response = ask(&server, &request("GET", HANDSHAKE, ORIGIN));
    assert_eq!(cors_of(&response), (Some("http://a"), Some("Origin"), None));
    let response = ask(&server, &request("GET", HANDSHAKE, "Origin: http://a.evil\r\n"));
    assert_eq!((response.status, cors_of(&response)), (200, (None, Some("Origin"), None)));
    let response = ask(&server, &request("GET", HANDSHAKE, ""));
    assert_eq!(cors_of(&response), (None, Some("Origin"), None));
}

#[test]
fn cors_is_told_with_errors_polls_posts_413_and_the_101() {
    let server = serve_with(
        |config| {
            config.engine.cors = Some(Cors::default());
            config.engine.payload_bytes_max = 100;
        },
        |_| {},
    );
    let star = |response: &Response| cors_of(response).0 == Some("*");
    assert!(star(&get(&server, "transport=x")));
    assert!(star(&get(&server, "transport=polling&sid=x")));
    let mut poller = handshake_polling(&server);
    assert!(star(&poller.post_for("40")));
    poller.send_get();
    assert!(star(&poller.getter.response()));
    let too_large = poller.post_for("4".repeat(101));
    assert_eq!(too_large.status, 413);
    assert!(star(&too_large));
    let socket = WebSocket::upgrade(&server, "/socket.io/?EIO=4&transport=websocket");
    assert!(socket.head.contains("Access-Control-Allow-Origin: *\r\n"), "{:?}", socket.head);
}

#[test]
fn any_options_request_is_a_preflight_with_cors() {
    let server = with_cors(|cors| {
        cors.origin = CorsOrigin::List(vec!["http://a".to_owned()]);
        cors.max_age = Some(Duration::from_secs(600));
    });
    let lines = format!("{ORIGIN}Access-Control-Request-Headers: x-a,x-b\r\n");
    for target in [HANDSHAKE, "/socket.io/", "/socket.io/?transport=x&sid=y"] {
        let response = ask(&server, &request("OPTIONS", target, &lines));
        response.expect(204, "");
        assert_eq!(response.header("content-length"), Some("0"), "{response:?}");
        let header = |name| response.header(name);
        assert_eq!(header("access-control-allow-methods"), Some("GET,HEAD,PUT,PATCH,POST,DELETE"));
        assert_eq!(header("access-control-allow-headers"), Some("x-a,x-b"));
        assert_eq!(header("vary"), Some("Origin, Access-Control-Request-Headers"));
        assert_eq!(header("access-control-max-age"), Some("600"));
    }
    let server = with_cors(|cors| cors.allowed_headers = Some("x-c".to_owned()));
    let response = ask(&server, &request("OPTIONS", HANDSHAKE, &lines));
    assert_eq!(response.header("access-control-allow-headers"), Some("x-c"));
    assert_eq!(response.header("vary"), None);
}

#[test]
fn a_websocket_is_opened_from_any_origin_unless_a_list_is_given() {
    let target = "/socket.io/?EIO=4&transport=websocket";
    let open = |server: &Running, lines: &str| {
        let mut wire = Wire::connect(server);
        wire.send(upgrade_head(target, lines));
        let head = String::from_utf8(wire.read_until(b"\r\n\r\n")).unwrap();
        head.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(open(&serve(|_| {}), "Origin: http://evil\r\n"), "101");
    let server = serve_with(
        |config| config.engine.websocket_origins = Some(vec!["http://a".to_owned()]),
        |_| {},
    );
    assert_eq!(open(&server, ORIGIN), "101");
    assert_eq!(open(&server, ""), "101");
    assert_eq!(open(&server, "Origin: http://a.evil\r\n"), "400");
    let request = upgrade_head(target, "Origin: http://evil\r\n");
    assert_eq!(refused(&server, &request), raw_400("Forbidden"));
}

#[test]
fn a_cookie_is_set_by_polling_handshakes_only() {
    let server = serve_with(|config| config.engine.cookie = Some(Cookie::default()), |_| {});
    let response = get(&server, "transport=polling");
    let sid = json_string(response.text(), "sid");
    let expected = format!("io={sid}; Path=/; HttpOnly; SameSite=Lax");
    assert_eq!(response.header("set-cookie"), Some(expected.as_str()));
    let socket = WebSocket::upgrade(&server, "/socket.io/?EIO=4&transport=websocket");
    assert!(!socket.head.to_lowercase().contains("set-cookie"));
    let mut poller = handshake_polling(&server);
    assert_eq!(poller.post_for("40").header("set-cookie"), None);
    poller.send_get();
    assert_eq!(poller.getter.response().header("set-cookie"), None);
}

#[test]
fn an_initial_packet_comes_with_the_open_packet() {
    for packet in [InitialPacket::Text("a".to_owned()), InitialPacket::Binary(vec![1, 2, 3])] {
        let is_text = packet == InitialPacket::Text("a".to_owned());
        let server = serve_with(|config| config.engine.initial_packet = Some(packet), |_| {});
        let response = get(&server, "transport=polling");
        let (open, initial) = response.text().split_once('\u{1e}').unwrap();
        assert!(open.starts_with("0{") && open.ends_with('}'), "{open}");
        assert_eq!(initial, if is_text { "4a" } else { "bAQID" });
        let mut socket = WebSocket::open(&server);
        if is_text {
            assert_eq!(socket.text(), "4a");
        } else {
            assert_eq!(socket.binary(), [1, 2, 3]);
        }
    }
}

#[test]
fn a_cookie_has_the_attributes_it_is_given() {
    let server = serve_with(
        |config| {
            let mut cookie = Cookie::default();
            cookie.name = "session".to_owned();
            cookie.domain = Some("example.com".to_owned());
            cookie.partitioned = true;
            cookie.path = None;
            cookie.http_only = false;
            cookie.secure = true;
            cookie.same_site = Some(SameSite::Strict);
            cookie.max_age = Some(Duration::from_secs(60));
            cookie.expires = Some(UNIX_EPOCH + Duration::from_secs(784_111_777));
            cookie.priority = Some(CookiePriority::High);
            config.engine.cookie = Some(cookie);
        },
        |_| {},
    );
    let response = get(&server, "transport=polling");
    let sid = json_string(response.text(), "sid");
    let expected = format!(
        "session={sid}; Max-Age=60; Domain=example.com; Expires=Sun, 06 Nov 1994 08:49:37 GMT; \
         Secure; Partitioned; Priority=High; SameSite=Strict"
    );
    assert_eq!(response.header("set-cookie"), Some(expected.as_str()));
}

#[test]
fn a_cookie_may_end_at_any_time() {
    for (expires, date) in [
        (UNIX_EPOCH - Duration::from_secs(1), "Thu, 01 Jan 1970 00:00:00 GMT"),
        (UNIX_EPOCH + Duration::from_secs(1 << 40), "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let server = serve_with(
            move |config| {
                let mut cookie = Cookie::default();
                cookie.expires = Some(expires);
                config.engine.cookie = Some(cookie);
            },
            |_| {},
        );
        let response = get(&server, "transport=polling");
        let cookie = response.header("set-cookie").unwrap();
        assert!(cookie.contains(&format!("; Path=/; Expires={date}; HttpOnly; ")), "{cookie}");
    }
}

//! What the host is told of Engine.IO and may change of it: refused requests with their
//! context, events of sessions, headers of answers, ids.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling&sid=gone      < 400 {"code":1,...}
//! ```

mod common;

use common::{
    Poller, Running, WebSocket, Wire, engine_get, handshake_polling, json_string, log, serve,
    serve_with, upgrade_head,
};
use throng::config::{Cookie, Cors};
use throng::http::Response;

/// A server that tells of each refused request as JSON.
fn serve_refusing() -> (Running, common::Log) {
    let (tell, told) = log();
    let server = serve_with(
        |config| config.reactor.connections_max = Some(64),
        move |server| {
            server.allow_request(|_, request, decision| {
                match request.query_param("deny").as_deref() {
                    None => decision.allow(),
                    Some("") => drop(decision),
                    Some(why) => decision.refuse(why),
                }
            });
            server.on_connection_error(move |_, error| {
                tell.send(serde_json::to_string(error).unwrap()).unwrap();
            });
        },
    );
    (server, told)
}

#[test]
fn the_host_hears_why_each_request_was_refused() {
    let (server, told) = serve_refusing();
    let poller = handshake_polling(&server);
    let sid = &poller.sid;
    let get = |query: &str| format!("GET /socket.io/?{query} HTTP/1.1\r\nHost: test\r\n\r\n");
    for (request, status, error) in [
        (get("EIO=4"), 400, r#"{"code":0,"message":"Transport unknown","context":{}}"#.to_owned()),
        (
            get("EIO=4&transport=webtransport"),
            400,
            r#"{"code":0,"message":"Transport unknown","context":{"transport":"webtransport"}}"#
                .to_owned(),
        ),
        (
            get("EIO=4&transport=polling&sid=gone"),
            400,
            r#"{"code":1,"message":"Session ID unknown","context":{"sid":"gone"}}"#.to_owned(),
        ),
        (
            get("EIO=4&transport=polling").replace("GET", "HEAD"),
            400,
            r#"{"code":2,"message":"Bad handshake method","context":{"method":"HEAD"}}"#.to_owned(),
        ),
        (
            get(&format!("EIO=4&transport=websocket&sid={sid}")),
            400,
            "{\"code\":3,\"message\":\"Bad request\",\"context\":{\"name\":\"TRANSPORT_MISMATCH\",\
             \"transport\":\"websocket\",\"previousTransport\":\"polling\"}}"
                .to_owned(),
        ),
        (
            get(&format!("EIO=3&transport=polling&sid={sid}")),
            400,
            "{\"code\":3,\"message\":\"Bad request\",\"context\":{\"name\":\"PROTOCOL_MISMATCH\",\
             \"protocol\":3,\"previousProtocol\":4}}"
                .to_owned(),
        ),
        (
            get("EIO=4&transport=websocket"),
            400,
            "{\"code\":3,\"message\":\"Bad request\",\
             \"context\":{\"name\":\"TRANSPORT_HANDSHAKE_ERROR\"}}"
                .to_owned(),
        ),
        (
            get("EIO=4&transport=polling&deny=no%20key"),
            403,
            r#"{"code":4,"message":"Forbidden","context":{"message":"no key"}}"#.to_owned(),
        ),
        (
            get("EIO=4&transport=polling&deny="),
            403,
            r#"{"code":4,"message":"Forbidden","context":{"message":null}}"#.to_owned(),
        ),
        (
            get("transport=polling"),
            400,
            r#"{"code":5,"message":"Unsupported protocol version","context":{"protocol":3}}"#
                .to_owned(),
        ),
    ] {
        let mut wire = Wire::connect(&server);
        wire.send(&request);
        let response =
            if request.starts_with("HEAD") { wire.response_to_head() } else { wire.response() };
        assert_eq!((response.status, told.next()), (status, error), "{request}");
    }
    assert!(told.so_far().is_empty());
}

#[test]
fn refused_upgrades_are_told_of_too() {
    let (server, told) = serve_refusing();
    let refused = |target: &str| {
        let mut wire = Wire::connect(&server);
        wire.send(upgrade_head(target, ""));
        String::from_utf8(wire.read_to_end()).unwrap()
    };
    let text = refused("/socket.io/?EIO=4&transport=websocket&sid=gone");
    assert!(text.ends_with("\r\n\r\nSession ID unknown"), "{text}");
    assert_eq!(
        told.next(),
        r#"{"code":1,"message":"Session ID unknown","context":{"sid":"gone"}}"#
    );
    let text = refused("/socket.io/?EIO=4&transport=websocket&deny=no");
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n") && text.ends_with("\r\n\r\nno"));
    assert_eq!(told.next(), r#"{"code":4,"message":"Forbidden","context":{"message":"no"}}"#);
    let text = refused("/socket.io/?EIO=3&transport=websocket");
    assert!(text.ends_with("\r\n\r\nUnsupported protocol version"), "{text}");
    assert_eq!(
        told.next(),
        r#"{"code":5,"message":"Unsupported protocol version","context":{"protocol":3}}"#
    );
}

#[test]
fn the_host_hears_what_happens_to_sessions_under_socket_io() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let [opened, packet, beat, upgrading, upgraded, closed] =
            std::array::from_fn(|_| tell.clone());
        server
            .engine()
            .on_open(move |session, request| {
                let transport = session.transport().unwrap();
                opened.send(format!("open {transport} {}", request.path())).unwrap();
            })
            .on_packet(move |_, what| packet.send(format!("{what:?}")).unwrap())
            .on_heartbeat(move |_| beat.send("heartbeat".to_owned()).unwrap())
            .on_upgrading(move |_| upgrading.send("upgrading".to_owned()).unwrap())
            .on_upgrade(move |session| {
                upgraded.send(format!("upgrade {}", session.transport().unwrap())).unwrap();
            })
            .on_close(move |session, reason| {
                let is_named = session.sid().is_some_and(|sid| sid.len() == 20);
                let left = session.sockets().is_empty() && session.transport().is_none();
                let detail = session.close_detail();
                closed.send(format!("close {reason} {detail:?} {is_named} {left}")).unwrap();
            });
        server.of("/").on_disconnect(move |socket, reason| {
            let detail = socket.disconnect_detail();
            tell.send(format!("socket {reason} {detail:?}")).unwrap();
        });
    });
    let mut poller = handshake_polling(&server);
    told.expect(&["open polling /socket.io/"]);
    poller.join();
    told.expect(&["Text(\"40\")"]);
    poller.post("3");
    told.expect(&["Text(\"3\")", "heartbeat"]);
    let mut socket = WebSocket::upgrade(&server, &poller.websocket_target());
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    told.expect(&["upgrading"]);
    socket.send("5");
    told.expect(&["upgrade websocket"]);
    socket.send("42[\"x\"]");
    socket.send("2");
    told.expect(&[
        "Text(\"42[\\\"x\\\"]\")",
        "Text(\"2\")",
        "socket transport error Some(\"invalid heartbeat direction\")",
        "close transport error Some(\"invalid heartbeat direction\") true true",
    ]);
}

#[test]
fn an_end_without_more_to_tell_has_no_detail() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server
            .of("/")
            .on("leave", |socket, (): ()| socket.disconnect())
            .on("end", |socket, (): ()| socket.session().unwrap().close())
            .on_disconnect(move |socket, reason| {
                let (detail, there) = (socket.disconnect_detail(), socket.session().is_some());
                tell.send(format!("{reason} {detail:?} {there}")).unwrap();
            });
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"leave\"]");
    told.expect(&["server namespace disconnect None true"]);
    assert_eq!(socket.text(), "41");
    socket.join("/");
    socket.send("42[\"end\"]");
    socket.expect_close(None);
    told.expect(&["forced close None true"]);
}

#[test]
fn the_sockets_of_a_client_share_a_session() {
    let server = serve(|server| {
        for name in ["/", "/other"] {
            server.of(name).on("count", |socket, (): ()| {
                let session = socket.session().unwrap();
                let data = session.data::<std::cell::Cell<usize>>();
                data.set(data.get() + 1);
                let path = session.handshake().url().to_owned();
                socket.emit("count", (&data.get(), &session.sockets().len(), &path));
            });
        }
    });
    let mut socket = WebSocket::joined(&server);
    socket.join("/other");
    let url = "/socket.io/?EIO=4&transport=websocket";
    socket.send("42[\"count\"]");
    assert_eq!(socket.text(), format!("42[\"count\",1,2,\"{url}\"]"));
    socket.send("42/other,[\"count\"]");
    assert_eq!(socket.text(), format!("42/other,[\"count\",2,2,\"{url}\"]"));
}

#[test]
fn a_drain_is_told_when_everything_has_left() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let once = std::cell::Cell::new(true);
        server.engine().on_drain(move |session| {
            tell.send(format!("drained {}", session.transport().unwrap())).unwrap();
            if once.replace(false) {
                session.send_text("more");
            }
        });
    });
    let mut socket = WebSocket::joined(&server);
    told.expect(&["drained websocket", "drained websocket"]);
    assert_eq!(socket.text(), "4more");
}

#[test]
fn a_panic_in_an_engine_handler_costs_its_session() {
    let server = serve(|server| {
        server.engine().on_heartbeat(|_| panic!("a mistake"));
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("3");
    socket.expect_close(None);
    assert_eq!(server.ask(|io| io.socket_counters().handler_panics), 1);
}

/// A server whose first middleware fails and whose second answers, where a header says so.
fn serve_middlewares() -> (Running, common::Log) {
    let (tell, told) = log();
    let server = serve_with(
        |config| config.engine.cors = Some(Cors::default()),
        move |server| {
            let seen = tell.clone();
            server
                .engine()
                .middleware(move |_, request| {
                    let method = request.method_name();
                    let has_sid = request.query_param("sid").is_some();
                    seen.send(format!("{method} sid:{has_sid}")).unwrap();
                    assert!(request.header("x-fail").is_none(), "a mistake");
                    Ok(())
                })
                .middleware(|io, request| match request.header("x-bad") {
                    Some(why) => {
                        Err(Response::new(429).text(format!("{why} {}", io.sessions_len())))
                    }
                    None => Ok(()),
                });
            server.on_connection_error(move |_, error| {
                tell.send(serde_json::to_string(&error.context).unwrap()).unwrap();
            });
        },
    );
    (server, told)
}

fn with_header(request: &str, header: &str) -> String {
    request.replacen("Host: test\r\n", &format!("Host: test\r\n{header}\r\n"), 1)
}

#[test]
fn middlewares_see_every_request_once_and_may_answer_it() {
    let (server, told) = serve_middlewares();
    let poller = handshake_polling(&server);
    told.expect(&["GET sid:false"]);
    let query = format!("transport=polling&sid={}", poller.sid);
    let get = engine_get(&query);
    let post = with_header(&get.replace("GET", "POST"), "Content-Length: 2") + "40";
    let put = with_header(&get.replace("GET", "PUT"), "Content-Length: 2") + "40";
    for (request, seen) in [
        (engine_get("transport=polling"), "GET sid:false"),
        (get, "GET sid:true"),
        (post.clone(), "POST sid:true"),
        (put, "PUT sid:true"),
        (engine_get("transport=none"), "GET sid:false"),
    ] {
        let mut wire = Wire::connect(&server);
        let refused = wire.ask(with_header(&request, "X-Bad: slow down"));
        refused.expect(429, "slow down 1");
        assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
        told.expect(&[seen]);
    }
    let mut wire = Wire::connect(&server);
    wire.ask(post).expect(200, "ok");
    told.expect(&["POST sid:true"]);
    let mut preflight = Wire::connect(&server);
    let request = engine_get("transport=polling").replace("GET", "OPTIONS");
    assert_eq!(preflight.ask(with_header(&request, "X-Bad: no")).status, 204);
    let mut upgrade = Wire::connect(&server);
    upgrade.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", "X-Bad: no\r\n"));
    let answer = String::from_utf8(upgrade.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.ends_with("no 1"), "{answer}");
    told.expect(&["GET sid:false"]);
    assert_eq!(server.ask(|io| io.sessions_len()), 1);
}

#[test]
fn a_middleware_that_fails_makes_it_a_bad_request() {
    let (server, told) = serve_middlewares();
    let failure = "{\"name\":\"MIDDLEWARE_FAILURE\"}";
    let mut wire = Wire::connect(&server);
    let request = with_header(&engine_get("transport=polling"), "X-Fail: yes");
    wire.ask(request).expect_code(400, 3, "Bad request");
    told.expect(&["GET sid:false", failure]);
    let mut upgrade = Wire::connect(&server);
    upgrade.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", "X-Fail: yes\r\n"));
    let answer = String::from_utf8(upgrade.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Bad request"), "{answer}");
    told.expect(&["GET sid:false", failure]);
    assert_eq!(server.ask(|io| io.socket_counters().handler_panics), 2);
}

/// Headers told of: those of the first answer have `X-First` too.
fn serve_headers() -> Running {
    serve_with(
        |config| {
            config.engine.cors = Some(Cors::default());
            config.engine.cookie = Some(Cookie::default());
        },
        |server| {
            server
                .engine()
                .on_initial_headers(|request, headers| {
                    headers.append("X-First", request.header("x-name").unwrap_or("nobody"));
                    headers.append("Set-Cookie", "node=a");
                })
                .on_headers(|request, headers| {
                    let name = request.header("x-name").unwrap_or("nobody");
                    headers.set("X-Every", format!("{} {name}", request.method_name()));
                    headers.remove("Access-Control-Allow-Origin");
                    headers.set("Connection", "close");
                    headers.set("sec-websocket-accept", "wrong");
                });
        },
    )
}

#[test]
fn hooks_change_the_headers_of_polling_answers() {
    let server = serve_headers();
    let named = |request: String| request.replace("Host: test\r\n", "Host: test\r\nX-Name: me\r\n");
    let mut wire = Wire::connect(&server);
    let first = wire.ask(named(engine_get("transport=polling")));
    assert_eq!(first.header("x-first"), Some("me"));
    assert_eq!(first.header("x-every"), Some("GET me"));
    assert_eq!(first.header("access-control-allow-origin"), None);
    assert_eq!(first.head.matches("Set-Cookie").count(), 2, "{}", first.head);
    let sid = json_string(first.text(), "sid");
    let query = format!("transport=polling&sid={sid}");
    wire.send(named(engine_get(&query)));
    let mut poster = Wire::connect(&server);
    let post = named(engine_get(&query)).replace("GET", "POST");
    let post = post.replace("Host: test\r\n", "Host: test\r\nContent-Length: 2\r\n") + "40";
    let answer = poster.ask(post);
    answer.expect(200, "ok");
    assert_eq!(answer.header("x-every"), Some("POST me"));
    let polled = wire.response();
    assert!(polled.text().starts_with("40{"), "{polled:?}");
    assert_eq!(polled.header("x-every"), Some("GET me"));
    assert_eq!(polled.header("x-first"), None);
    let refused = poster.ask(engine_get("transport=polling&sid=gone"));
    assert_eq!(refused.status, 400);
    assert_eq!(refused.header("x-every"), None);
    assert_eq!(refused.header("access-control-allow-origin"), Some("*"));
}

#[test]
fn hooks_change_the_headers_of_upgrades() {
    let server = serve_headers();
    let upgrade = |target: &str| {
        let mut wire = Wire::connect(&server);
        wire.send(upgrade_head(target, "X-Name: me\r\n"));
        wire.response()
    };
    let first = upgrade("/socket.io/?EIO=4&transport=websocket");
    assert_eq!(first.status, 101);
    assert_eq!(first.header("x-first"), Some("me"));
    assert_eq!(first.header("x-every"), Some("GET me"));
    assert_eq!(first.header("access-control-allow-origin"), None);
    assert_eq!(first.header("connection"), Some("Upgrade"));
    assert_eq!(first.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    let poller = handshake_polling(&server);
    let probe = upgrade(&poller.websocket_target());
    assert_eq!((probe.header("x-first"), probe.header("x-every")), (None, Some("GET me")));
}

#[test]
fn a_lost_request_leaves_nothing_behind_for_the_hooks() {
    let server = serve_headers();
    for _ in 0..3 {
        let mut poller = handshake_polling(&server);
        poller.park();
        let Poller { getter, .. } = poller;
        drop(getter);
        server.wait_for_sessions(0);
    }
}

#[test]
fn the_host_may_make_the_ids_of_sessions() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.engine().generate_id(|request| {
            let id = request.header("x-id").map(str::to_owned);
            assert!(id.as_deref() != Some("panic"), "a mistake");
            id.ok_or("no id was given")
        });
        server.on_connection_error(move |_, error| {
            tell.send(serde_json::to_string(&error.context).unwrap()).unwrap();
        });
    });
    let named = |id: &str| {
        let request = engine_get("transport=polling");
        request.replace("Host: test\r\n", &format!("Host: test\r\nX-Id: {id}\r\n"))
    };
    let mut wire = Wire::connect(&server);
    let response = wire.ask(named("room-1_0123456789abc"));
    assert_eq!(json_string(response.text(), "sid"), "room-1_0123456789abc");
    let mut poller = handshake_with(&server, "room-1_0123456789abc");
    assert!(poller.post_for("40").text() == "ok");
    for (request, error) in [
        (named("room-1_0123456789abc"), "the session id is in use"),
        (named("short"), "a session id has 20 characters of A-Z, a-z, 0-9, - and _"),
        (named("AAAAAAAAAAAAAAAAAAAA"), "a session id has 20 characters of A-Z, a-z, 0-9, - and _"),
        (named("panic"), "the generator of ids panicked"),
        (engine_get("transport=polling"), "no id was given"),
    ] {
        wire.ask(request).expect_code(400, 3, "Bad request");
        let context = format!("{{\"name\":\"ID_GENERATION_ERROR\",\"error\":\"{error}\"}}");
        assert_eq!(told.next(), context);
    }
    let mut upgrade = Wire::connect(&server);
    let target = "/socket.io/?EIO=4&transport=websocket";
    upgrade.send(upgrade_head(target, "X-Id: room-2_0123456789abc\r\n"));
    upgrade.read_until(b"room-2_0123456789abc");
    let mut refused = Wire::connect(&server);
    refused.send(upgrade_head(target, "X-Id: room-2_0123456789abc\r\n"));
    let answer = String::from_utf8(refused.read_to_end()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\nBad request"));
    assert_eq!(server.ask(|io| io.sessions_len()), 2);
}

/// A poller of a session that was opened otherwise.
fn handshake_with<'s>(server: &'s Running, sid: &str) -> Poller<'s> {
    let (getter, poster) = (Wire::connect(server), Wire::connect(server));
    Poller { server, sid: sid.to_owned(), getter, poster }
}

//! What the host is told of Engine.IO and may change of it: refused requests with their context.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling&sid=gone      < 400 {"code":1,...}
//! ```

mod common;

use common::{Running, Wire, handshake_polling, log, serve_with, upgrade_head};

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
            r#"{"code":4,"message":"no key","context":{"message":"no key"}}"#.to_owned(),
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
    assert_eq!(told.next(), r#"{"code":4,"message":"no","context":{"message":"no"}}"#);
    let text = refused("/socket.io/?EIO=3&transport=websocket");
    assert!(text.ends_with("\r\n\r\nUnsupported protocol version"), "{text}");
    assert_eq!(
        told.next(),
        r#"{"code":5,"message":"Unsupported protocol version","context":{"protocol":3}}"#
    );
}

//! Clients of EIO 3: framing, the reversed heartbeat, JSONP. What isn't here is as in EIO 4.

use super::*;

const V3: &str = "/socket.io/?EIO=3&transport=polling";
const V3_BASE64: &str = "/socket.io/?EIO=3&transport=polling&b64=1";
const OCTETS: &str = "application/octet-stream";

fn driver() -> Driver {
    Driver::with(|config| config.allow_eio3 = true)
}

fn polling(driver: &mut Driver) -> SessionKey {
    driver.open_polling_with(&get(V3))
}

fn with_sid(driver: &Driver, session: SessionKey, target: &str) -> String {
    format!("{target}&sid={}", driver.engine.sid(session).unwrap())
}

fn queue_binary(driver: &mut Driver, session: SessionKey, bytes: &[u8]) {
    assert!(driver.outboxes.push(session, &Message::binary(bytes), Lane::Soon).is_some());
}

fn body(driver: &mut Driver) -> (Option<String>, Vec<u8>) {
    let response = driver.last_response.take().unwrap();
    (response.header_value("content-type").map(str::to_owned), response.body().to_vec())
}

#[test]
fn what_is_not_version_4_is_version_3_where_that_is_allowed() {
    let mut driver = driver();
    for eio in ["", "&EIO=3", "&EIO=5", "&EIO=4&EIO=2"] {
        let target = format!("/socket.io/?transport=polling{eio}");
        let Ok(Route::Open { protocol, .. }) = driver.engine.route(&get(&target)) else {
            panic!("{eio} opens no session");
        };
        assert_eq!(protocol, Ok(Protocol::V3));
    }
    let session = polling(&mut driver);
    assert_eq!(driver.engine.protocol(session), Some(Protocol::V3));
    let target = with_sid(&driver, session, V3);
    assert_eq!(driver.engine.route(&get(&target)), Ok(Route::Poll(session)));
    let target = with_sid(&driver, session, POLLING);
    let rejection = driver.engine.route(&get(&target)).unwrap_err();
    assert_eq!((rejection.code(), rejection.name()), (3, Some("PROTOCOL_MISMATCH")));
    let target = with_sid(&driver, session, "/socket.io/?EIO=3&transport=websocket&b64=1");
    let route = Ok(Route::Probe(session, Form::WebSocketBase64V3));
    assert_eq!(driver.engine.route(&upgrade(&target)), route);
    assert_eq!(driver.engine.counters().opened_v3, 1);
}

#[test]
fn the_handshake_byte_for_byte() {
    let mut driver = Driver::with(|config| {
        *config = EngineConfig { allow_eio3: true, ..EngineConfig::default() };
    });
    let session = polling(&mut driver);
    let sid = driver.engine.sid(session).unwrap();
    let packet = format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
         \"pingTimeout\":20000,\"maxPayload\":1000000}}"
    );
    let (content_type, body) = body(&mut driver);
    assert_eq!(content_type.as_deref(), Some("text/plain; charset=UTF-8"));
    assert_eq!(String::from_utf8(body).unwrap(), format!("{}:{packet}", packet.len()));
}

#[test]
fn payloads_of_text_both_ways() {
    let mut driver = driver();
    let session = polling(&mut driver);
    driver.queue(session, "a");
    driver.queue(session, "\u{1f600}");
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 2:4a3:4\u{1f600}"]);
    driver.post(session, "3:4\u{1f600}6:b4AQI=1:6");
    assert_eq!(driver.incoming, ["\u{1f600}", "[1, 2]"]);
    assert_eq!(driver.events(), ["3 200 ok"]);
}

#[test]
fn binary_makes_the_whole_payload_bytes() {
    let mut driver = driver();
    let session = polling(&mut driver);
    driver.queue(session, "\u{e9}");
    queue_binary(&mut driver, session, &[1, 2]);
    driver.get(session);
    let (content_type, body) = body(&mut driver);
    assert_eq!(content_type.as_deref(), Some(OCTETS));
    assert_eq!(body, b"\0\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02");
    driver.get(session);
    driver.send(session, "a");
    assert_eq!(driver.events().last().unwrap(), "3 200 2:4a");
}

#[test]
fn a_client_that_asks_for_base64_gets_it() {
    let mut driver = driver();
    let session = driver.open_polling_with(&get(V3_BASE64));
    queue_binary(&mut driver, session, &[1, 2]);
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 6:b4AQI="]);
}

#[test]
fn bytes_are_posted_in_version_3_only() {
    let mut driver = driver();
    let session = polling(&mut driver);
    let bytes = b"\0\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02";
    driver.post_with(session, V3, OCTETS, bytes);
    assert_eq!(driver.incoming, ["\u{e9}", "[1, 2]"]);
    driver.post_with(session, V3, OCTETS, b"");
    assert_eq!(driver.events(), ["2 200 ok", "3 200 ok"]);
    let session = driver.open_polling();
    driver.post_with(session, POLLING, OCTETS, bytes);
    assert_eq!(driver.events(), ["5 400 ", "closed transport_error (invalid content)"]);
}

#[test]
fn what_can_not_be_read_ends_the_session_after_what_could() {
    for (body, content_type) in [
        (&b"2:4a9:4b"[..], "text/plain"),
        (b"2:4a", OCTETS),
        (b"\0\x02\xff4a\x01\x05\xff\x04\x01\x02", OCTETS),
        (b"2:4a1:x", "text/plain"),
        (b"2:4a2:bx", "text/plain"),
    ] {
        let mut driver = driver();
        let session = polling(&mut driver);
        driver.get(session);
        driver.post_with(session, V3, content_type, body);
        assert!(driver.incoming.is_empty() || driver.incoming == ["a"]);
        assert_eq!(driver.events(), ["2 200 1:1", "3 200 ok", "closed parse_error"]);
    }
}

#[test]
fn the_client_pings() {
    let mut driver = driver();
    let (session, connection) = driver.open_websocket_as(Form::WebSocketV3);
    assert_eq!(driver.deadline(session), Some(driver.now + Duration::from_secs(7)));
    driver.advance_ms(6_999);
    driver.text(session, connection, "2");
    driver.advance_ms(6_900);
    driver.text(session, connection, "2probe");
    driver.text(session, connection, "4a");
    assert_eq!(driver.events(), ["1 < 3", "1 < 3"]);
    driver.advance_ms(6_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["1 close", "closed ping_timeout"]);
    assert_eq!((driver.engine.counters().pings_received, driver.engine.counters().pings), (2, 0));
}

#[test]
fn a_pong_is_a_mistake() {
    let mut driver = driver();
    let (session, connection) = driver.open_websocket_as(Form::WebSocketV3);
    driver.text(session, connection, "3");
    let ended = "closed transport_error (invalid heartbeat direction)";
    assert_eq!(driver.events(), ["1 close", ended]);
}

#[test]
fn a_pong_waits_for_its_get_in_its_place_and_is_not_doubled() {
    let mut driver = driver();
    let session = polling(&mut driver);
    driver.queue(session, "a");
    driver.post(session, "1:21:2");
    driver.queue(session, "b");
    driver.get(session);
    assert_eq!(driver.events(), ["2 200 ok", "3 200 2:4a1:32:4b"]);
    driver.get(session);
    driver.post(session, "1:2");
    assert_eq!(driver.events(), ["4 200 1:3", "5 200 ok"]);
}

#[test]
fn binary_frames_have_a_type() {
    let mut driver = driver();
    let (session, connection) = driver.open_websocket_as(Form::WebSocketV3);
    driver.packet(session, connection, RawPacket::Binary(&[4, 1, 2]));
    assert_eq!(driver.incoming, ["[1, 2]"]);
    queue_binary(&mut driver, session, &[1, 2]);
    driver.settle();
    assert_eq!(driver.events(), ["1 << \u{4}\u{1}\u{2}"]);
    driver.packet(session, connection, RawPacket::Binary(&[9, 1, 2]));
    driver.settle();
    assert_eq!(driver.events(), ["1 close", "closed parse_error"]);
}

#[test]
fn what_waits_for_a_poll_becomes_frames_at_the_upgrade() {
    let mut driver = driver();
    let session = polling(&mut driver);
    driver.get(session);
    let connection = driver.connect();
    let now = driver.now();
    let form = Form::WebSocketV3;
    driver.engine.handle_probe(now, session, connection, form, &mut driver.outboxes);
    driver.text(session, connection, "2probe");
    driver.advance_ms(100);
    assert_eq!(driver.events(), ["3 < 3probe", "2 200 1:6"]);
    driver.queue(session, "a");
    driver.post(session, "1:2");
    queue_binary(&mut driver, session, &[7]);
    driver.text(session, connection, "5");
    let events = driver.events();
    assert_eq!(events, ["4 200 ok", "3 < 4a", "3 < 3", "upgraded 3", "3 << \u{4}\u{7}"]);
    driver.advance_ms(6_999);
    assert!(driver.events().is_empty());
    driver.advance_ms(1);
    assert_eq!(driver.events(), ["3 close", "closed ping_timeout"]);
}

#[test]
fn a_close_is_told_in_the_client_s_framing() {
    let reason = DisconnectReason::ForcedClose;
    let mut driver = driver();
    let session = polling(&mut driver);
    driver.get(session);
    driver.close(session, Close::Graceful, reason);
    assert_eq!(driver.events(), ["2 200 1:1", "closed forced_close"]);
    let session = polling(&mut driver);
    driver.close(session, Close::Graceful, reason);
    driver.get(session);
    assert_eq!(driver.events(), ["4 200 1:61:1", "closed forced_close"]);
    let session = polling(&mut driver);
    driver.get(session);
    driver.post(session, "1:1");
    assert_eq!(driver.events(), ["6 200 1:6", "7 200 ok", "closed transport_close"]);
}

#[test]
fn jsonp_wraps_payloads_of_either_version() {
    for (target, answer) in [
        ("/socket.io/?EIO=3&transport=polling&j=7", r#"___eio[7]("4:4\"\u2028\"6:b4AQI=");"#),
        ("/socket.io/?EIO=4&transport=polling&j=7", r#"___eio[7]("4\"\u2028\"\u001ebAQI=");"#),
    ] {
        let mut driver = driver();
        let session = driver.open_polling_with(&get(target));
        let (content_type, open) = body(&mut driver);
        assert_eq!(content_type.as_deref(), Some("text/plain; charset=UTF-8"));
        assert!(open.starts_with(b"___eio[7](\"") && open.ends_with(b"}\");"));
        driver.queue(session, "\"\u{2028}\"");
        queue_binary(&mut driver, session, &[1, 2]);
        driver.get_with(session, &get(target));
        assert_eq!(driver.events(), [format!("2 200 {answer}")]);
        let form = "application/x-www-form-urlencoded";
        let posted = if target.contains("=3") { "d=4%3A4a%5C%5Cn" } else { "d=4a%5C%5Cn" };
        driver.post_with(session, target, form, posted.as_bytes());
        driver.post_with(session, target, form, b"x=1");
        assert_eq!(driver.incoming, ["a\\n"]);
        assert_eq!(driver.events(), ["3 200 ok", "4 200 ok"]);
    }
}

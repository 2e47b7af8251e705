//! A client that speaks as those of Socket.IO 2 do, over each transport.
//!
//! ```text
//! > GET ..?EIO=3&transport=websocket   < 101   < 0{"sid":..}   < 40   > 2   < 3
//! ```

use super::tests::{Trial, dialect_v2, get, ok, post};
use super::{Ending, Lane};
use crate::bench::transports::Transport;

fn get_v2(sid: &str) -> String {
    get(sid).replace("EIO=4", "EIO=3")
}

fn post_v2(sid: &str, body: &str) -> String {
    post(sid, body).replace("EIO=4", "EIO=3")
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[first, length], payload].concat()
}

fn text(payload: &str) -> Vec<u8> {
    frame(0x81, payload.as_bytes())
}

/// A client whose WebSocket has opened a session.
fn opened(namespace: &str, connect: &[&str]) -> Trial {
    let mut trial = Trial::new(Transport::Websocket, dialect_v2(namespace));
    trial.connect(&["open main"]);
    let request = "main GET /socket.io/?EIO=3&transport=websocket HTTP/1.1\\r\\n\
        Host: localhost:3000\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\
        Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n";
    trial.open(Lane::Main, &[request]);
    trial.take(Lane::Main, "HTTP/1.1 101 Switching Protocols\r\n\r\n", &[]);
    trial.take_bytes(Lane::Main, &text("0{\"sid\":\"x\"}"), connect);
    trial
}

/// A client that polls, has a session, and is let into `/`.
fn polling() -> Trial {
    let mut trial = Trial::new(Transport::Polling, dialect_v2("/"));
    trial.connect(&["open main"]);
    trial.open(Lane::Main, &[&get_v2("")]);
    let opened = "0{\"sid\":\"x\",\"upgrades\":[],\"maxPayload\":40}";
    let body = format!("{}:{opened}2:40", opened.len());
    trial.take(Lane::Main, &ok(&body), &[&get_v2("&sid=x")]);
    assert_eq!(std::mem::take(&mut trial.events), ["connected"]);
    trial
}

#[test]
fn a_websocket_is_let_in_unasked() {
    let mut trial = opened("/", &[]);
    assert!(trial.events.is_empty());
    trial.take_bytes(Lane::Main, &text("40"), &[]);
    trial.take_bytes(Lane::Main, &text("42[\"a\"]"), &[]);
    assert_eq!(trial.events, ["connected", "packet 2[\"a\"]"]);
}

#[test]
fn another_namespace_is_asked_for_and_awaited() {
    // "40/chat," is 34 30 2f 63 68 61 74 2c, and masked with 01 02 03 04: 35 32 2c 67 69 63 77 28.
    let connect = "main \\x81\\x88\\x01\\x02\\x03\\x0452,gicw(";
    let mut trial = opened("/chat", &[connect]);
    for message in ["40", "42[\"welcome\"]", "451-[\"a\"]"] {
        trial.take_bytes(Lane::Main, &text(message), &[]);
    }
    assert!(trial.events.is_empty());
    trial.take_bytes(Lane::Main, &text("40/chat,"), &[]);
    assert_eq!(trial.events, ["connected"]);
    let refusal = text("44/chat,\"no\"");
    assert_eq!(opened("/chat", &[connect]).failure_of(Lane::Main, &refusal), Ending::Refused);
}

#[test]
fn the_client_pings_and_the_server_may_not() {
    let mut trial = opened("/", &[]);
    trial.take_bytes(Lane::Main, &text("40"), &[]);
    // "2" is 32, and masked 33.
    trial.ping(&["main \\x81\\x81\\x01\\x02\\x03\\x043"]);
    trial.take_bytes(Lane::Main, &text("3"), &[]);
    assert_eq!(trial.events, ["connected", "pong"]);
    assert_eq!(opened("/", &[]).failure_of(Lane::Main, &text("2")), Ending::BadPacket);
}

#[test]
fn attachments_have_their_type_before_them() {
    let mut trial = opened("/", &[]);
    trial.take_bytes(Lane::Main, &text("40"), &[]);
    trial.take_bytes(Lane::Main, &frame(0x82, &[4, 9, 8]), &[]);
    assert_eq!(trial.events, ["connected", "attachment [9, 8]"]);
    // "451-[]" as in version 4, then 04 09 08: 05 0b 0b.
    let frames = "main \\x81\\x86\\x01\\x02\\x03\\x04572)Z_\
                  \\x82\\x83\\x01\\x02\\x03\\x04\\x05\\x0b\\x0b";
    trial.send("51-[]", Some(&[9, 8]), &[frames]);
}

#[test]
fn bodies_count_their_packets() {
    let mut trial = polling();
    trial.take(Lane::Main, &ok("7:42[\"ä\"]8:42[\"😀\"]1:6"), &[&get_v2("&sid=x")]);
    assert_eq!(trial.events, ["packet 2[\"ä\"]", "packet 2[\"😀\"]"]);
    trial.send("2[\"a\"]", None, &["open post"]);
    trial.open(Lane::Post, &[&post_v2("&sid=x", "7:42[\"a\"]")]);
    trial.ping(&[]);
    trial.send("2[\"\u{10348}ß\"]", None, &[]);
    let body = "1:29:42[\"\u{10348}ß\"]";
    let expected = post_v2("&sid=x", body);
    trial.take(Lane::Post, &ok("ok"), &[&expected]);
    trial.take(Lane::Main, &ok("1:3"), &[&get_v2("&sid=x")]);
    assert_eq!(trial.events.last().map(String::as_str), Some("pong"));
}

#[test]
fn a_body_with_an_attachment_is_octets() {
    let mut trial = polling();
    let body = b"\x00\x06\xff451-[]\x01\x03\xff\x04\xff\x00\x00\x01\xff6";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    trial.take_bytes(Lane::Main, &[head.as_bytes(), body].concat(), &[&get_v2("&sid=x")]);
    assert_eq!(trial.events, ["packet 51-[]", "attachment [255, 0]"]);
    trial.send("51-[]", Some(&[9, 8, 7, 6, 5, 4, 3, 2, 1]), &["open post"]);
    let body =
        "\\x00\\x06\\xff451-[]\\x01\\x01\\x00\\xff\\x04\\t\\x08\\x07\\x06\\x05\\x04\\x03\\x02\\x01";
    let head =
        post_v2("&sid=x", "").replace("text/plain;charset=UTF-8", "application/octet-stream");
    let expected = head.replace("Content-Length: 0", "Content-Length: 23") + body;
    trial.open(Lane::Post, &[&expected]);
}

#[test]
fn attachments_in_base64_are_read_too() {
    let mut trial = polling();
    trial.take(Lane::Main, &ok("6:451-[]6:b4/wA="), &[&get_v2("&sid=x")]);
    assert_eq!(trial.events, ["packet 51-[]", "attachment [255, 0]"]);
}

#[test]
fn a_body_stays_within_what_the_server_takes() {
    let mut trial = polling();
    trial.send("2[1]", None, &["open post"]);
    for number in 2..=6 {
        trial.send(&format!("2[{number}]"), None, &[]);
    }
    // 40 bytes are taken, so that 20 with separators fill one body: 5 + 1 + 5 + 1 + 5.
    trial.open(Lane::Post, &[&post_v2("&sid=x", "5:42[1]5:42[2]5:42[3]")]);
    trial.take(Lane::Post, &ok("ok"), &[&post_v2("&sid=x", "5:42[4]5:42[5]5:42[6]")]);
}

#[test]
fn broken_bodies_end_it() {
    let broken = [
        "",
        "2",
        ":",
        "42[]",
        "3:42",
        "x:2",
        "1:",
        "1:33",
        "01:",
        "4:b4*=",
        "99999999999:2",
        "1:2",
        "\x00",
        "\x00\x02",
        "\x01\x01\x7f",
        "18446744073709551616:2",
    ];
    for body in broken {
        assert_eq!(polling().failure(Lane::Main, &ok(body)), Ending::BadPacket, "{body:?}");
    }
    for body in [&b"\x00\x02\xff3"[..], b"\x01\x01\xff\x05", b"\x01\x00\xff", b"\x00\xff3"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = [head.as_bytes(), body].concat();
        assert_eq!(polling().failure_of(Lane::Main, &answer), Ending::BadPacket, "{body:?}");
    }
    assert_eq!(polling().failure(Lane::Main, &ok("1:1")), Ending::Disconnected);
    assert_eq!(polling().failure(Lane::Main, &ok("2:41")), Ending::Disconnected);
}

#[test]
fn an_upgrade_takes_what_waits_along() {
    let mut trial = Trial::new(Transport::Upgrade, dialect_v2("/"));
    trial.connect(&["open main"]);
    trial.open(Lane::Main, &[&get_v2("")]);
    let opened = "0{\"sid\":\"x\",\"upgrades\":[\"websocket\"]}";
    let body = format!("{}:{opened}", opened.len());
    trial.take(Lane::Main, &ok(&body), &["open probe", &get_v2("&sid=x")]);
    trial.take(Lane::Main, &ok("2:40"), &[&get_v2("&sid=x")]);
    trial.take(Lane::Probe, "HTTP/1.1 101 Switching Protocols\r\n\r\n", &[PROBE]);
    trial.take(Lane::Probe, "3probe", &[]);
    trial.ping(&[]);
    trial.send("51-[]", Some(&[9, 8]), &[]);
    let frames = "probe \\x81\\x81\\x01\\x02\\x03\\x044\
                  \\x81\\x81\\x01\\x02\\x03\\x043\
                  \\x81\\x86\\x01\\x02\\x03\\x04572)Z_\
                  \\x82\\x83\\x01\\x02\\x03\\x04\\x05\\x0b\\x0b";
    trial.take(Lane::Main, &ok("1:6"), &[frames, "close main", "close post"]);
    assert_eq!(trial.events, ["connected"]);
    trial.take(Lane::Probe, "3", &[]);
    assert_eq!(trial.events, ["connected", "pong"]);
}

/// "2probe", masked with 01 02 03 04.
const PROBE: &str = "probe \\x81\\x86\\x01\\x02\\x03\\x043rqkcg";

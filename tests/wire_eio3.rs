//! Clients of Socket.IO v2 on the wire: EIO 3 on both transports, and what they are told of
//! namespaces.
//!
//! ```text
//! > GET ?EIO=3&transport=polling     < 96:0{"sid":"..."}
//! > GET ?EIO=3&...&sid=...           < 2:40
//! > POST 8:42["a"]
//! ```

mod common;

use std::time::Duration;

use common::{Log, Response, Running, SOON, WebSocket, Wire, json_string, log, serve_with};
use throng::{Protocol, Refusal, Server};

const WEBSOCKET: &str = "/socket.io/?EIO=3&transport=websocket";
const POLLING: &str = "/socket.io/?EIO=3&transport=polling";
const OCTETS: &str = "application/octet-stream";

fn declare(server: &mut Server, tell: &std::sync::mpsc::Sender<String>) {
    let io = server.io();
    io.of("/deny").middleware(|_| Err(Refusal::new("\"nope\"")));
    io.of("/data").middleware(|_| Err(Refusal::new("nope").data(&serde_json::json!({"n": 1}))));
    for name in ["/", "/chat"] {
        let told = tell.clone();
        io.of(name)
            .on_raw("echo", |socket, args, ack| match ack {
                Some(ack) => ack.send(args),
                None => {
                    socket.emit("echo", args);
                }
            })
            .on("who", |socket, (): ()| {
                let protocol = socket.protocol().map(Protocol::revision);
                let auth: Option<serde_json::Value> = socket.handshake().auth();
                socket.emit("who", (socket.id(), protocol, auth));
            })
            .on("self", |socket, (): ()| {
                socket.server().of(&socket.namespace().name()).to(socket.id()).emit("self", ());
            })
            .on_disconnect(move |_, reason| {
                let _ = told.send(reason.to_string());
            });
    }
}

fn serving() -> (Running, Log) {
    let (tell, told) = log();
    let server = serve_with(
        |config| {
            config.engine.allow_eio3 = true;
            config.engine.ping_interval = Duration::from_millis(300);
            config.engine.ping_timeout = Duration::from_millis(200);
        },
        move |server| declare(server, &tell),
    );
    (server, told)
}

/// A client on a WebSocket, past the `40` that it didn't ask for.
fn open(server: &Running) -> WebSocket {
    let mut socket = WebSocket::upgrade(server, WEBSOCKET);
    let open = socket.text();
    json_string(&open, "sid").clone_into(&mut socket.sid);
    assert_eq!(socket.text(), "40");
    socket
}

/// A session by polling, one request after the other.
struct Polling {
    wire: Wire,
    target: String,
    sid: String,
}

impl Polling {
    fn open(server: &Running, target: &str) -> Self {
        let wire = Wire::connect(server);
        let mut polling = Self { wire, target: target.to_owned(), sid: String::new() };
        let open = polling.get();
        let body = open.text().replace("\\\"", "\"");
        let body = body.trim_start_matches("___eio[3](\"");
        let (length, packet) = body.split_once(':').unwrap();
        assert!(packet.starts_with("0{"), "{packet}");
        assert_eq!(length.parse(), Ok(packet.trim_end_matches("\");").len()));
        json_string(packet, "sid").clone_into(&mut polling.sid);
        polling.target = format!("{target}&sid={}", polling.sid);
        polling
    }

    fn get(&mut self) -> Response {
        self.wire.ask(format!("GET {} HTTP/1.1\r\nHost: test\r\n\r\n", self.target))
    }

    fn post(&mut self, content_type: &str, body: &[u8]) -> Response {
        let length = body.len();
        let mut bytes = format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\n\
             Content-Length: {length}\r\n\r\n",
            self.target
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        self.wire.ask(bytes)
    }
}

#[test]
fn without_the_option_there_is_no_version_3() {
    let server = serve_with(|_| {}, |_| {});
    let mut wire = Wire::connect(&server);
    let response = wire.ask(format!("GET {POLLING} HTTP/1.1\r\nHost: test\r\n\r\n"));
    response.expect_code(400, 5, "Unsupported protocol version");
}

#[test]
fn a_client_is_in_the_main_namespace_at_once() {
    let (server, told) = serving();
    let mut socket = open(&server);
    socket.send("42[\"who\"]");
    let id = socket.sid.clone();
    assert_eq!(socket.text(), format!("42[\"who\",\"{id}\",3,null]"));
    socket.send("42[\"self\"]");
    socket.send("421[\"echo\",1]");
    socket.expect(&["42[\"self\"]", "431[1]"]);
    socket.send("2");
    assert_eq!(socket.text(), "3");
    // It has been there all the time.
    socket.send("40");
    socket.expect_close(None);
    assert_eq!(told.next(), "forced close");
}

#[test]
fn namespaces_with_a_query_for_credentials() {
    let (server, told) = serving();
    let mut socket = open(&server);
    socket.send("40/chat?token=a%20b&x=1,");
    assert_eq!(socket.text(), "40/chat,");
    socket.send("42/chat,[\"who\"]");
    let id = format!("/chat#{}", socket.sid);
    let who = format!("42/chat,[\"who\",\"{id}\",3,{{\"token\":\"a b\",\"x\":\"1\"}}]");
    assert_eq!(socket.text(), who);
    socket.send("42/chat?token=z,[\"self\"]");
    assert_eq!(socket.text(), "42/chat,[\"self\"]");
    let found = server.ask(move |io| {
        let id = id.parse().unwrap();
        let is_elsewhere = io.of("/").socket(&id).is_some();
        (io.of("/chat").socket(&id).is_some(), is_elsewhere, io.of("/").room(id.as_str()).len())
    });
    assert_eq!(found, (true, false, 0));
    socket.send("41/chat");
    assert_eq!(told.next(), "client namespace disconnect");
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn refusals_are_error_packets_of_their_own_shape() {
    let (server, _) = serving();
    let mut socket = open(&server);
    socket.send("40/deny,");
    socket.send("40/data?a=1,");
    socket.send("40/nope?a=1,");
    socket.expect(&[
        "44/deny,\"\\\"nope\\\"\"",
        "44/data,{\"n\":1}",
        "44/nope,{\"message\":\"Invalid namespace\"}",
    ]);
    socket.send("42/nope,[\"echo\"]");
    socket.expect_close(None);
}

#[test]
fn a_client_that_the_main_namespace_refuses_may_ask_again_or_is_closed() {
    let server = serve_with(
        |config| {
            config.engine.allow_eio3 = true;
            config.socket.connect_timeout = Duration::from_millis(100);
        },
        |server| {
            server.of("/").middleware(|_| Err(Refusal::new("no")));
        },
    );
    let mut socket = WebSocket::upgrade(&server, WEBSOCKET);
    socket.text();
    socket.send("40");
    socket.expect(&["44\"no\"", "44\"no\""]);
    socket.wire.set_patience(SOON);
    socket.expect_close(None);
}

#[test]
fn polling_in_text_and_in_bytes() {
    let (server, _) = serving();
    let mut polling = Polling::open(&server, POLLING);
    polling.get().expect(200, "2:40");
    polling.post("text/plain", "15:42[\"echo\",\"\u{1f600}\"]".as_bytes()).expect(200, "ok");
    polling.get().expect(200, "15:42[\"echo\",\"\u{1f600}\"]");
    let text = b"451-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    let echo = [&b"\0\x04\x02\xff"[..], text, b"\x01\x04\xff\x04\x01\x02\xff"].concat();
    polling.post(OCTETS, &echo).expect(200, "ok");
    let response = polling.get();
    assert_eq!((response.header("content-type"), &response.body), (Some(OCTETS), &echo));
    polling.post("text/plain", b"1:2").expect(200, "ok");
    polling.get().expect(200, "1:3");
}

#[test]
fn a_body_that_can_not_be_read_ends_the_session() {
    for (content_type, body) in [
        (OCTETS, &[1, 5, 255, 4, 1, 2][..]),
        (OCTETS, &[0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 255, 4]),
        ("text/plain", b""),
        ("text/plain", b"99999999999999999999:2"),
        ("text/plain", b"1:7"),
    ] {
        let (server, told) = serving();
        let mut polling = Polling::open(&server, POLLING);
        polling.post(content_type, body).expect(200, "ok");
        assert_eq!(told.next(), "parse error", "{body:?}");
        polling.get().expect_code(400, 1, "Session ID unknown");
    }
}

#[test]
fn an_upgrade_carries_over_what_waits() {
    let (server, told) = serving();
    let mut polling = Polling::open(&server, POLLING);
    let target = format!("{WEBSOCKET}&sid={}", polling.sid);
    let mut socket = WebSocket::upgrade(&server, &target);
    socket.send("2probe");
    assert_eq!(socket.text(), "3probe");
    socket.send("5");
    assert_eq!(socket.text(), "40");
    socket.send("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    socket.send_binary(&[4, 1, 2]);
    assert_eq!(socket.text(), "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(socket.binary(), [4, 1, 2]);
    polling.get().expect_code(400, 3, "Bad request");
    socket.expect_close(None);
    assert_eq!(told.next(), "ping timeout");
}

#[test]
fn one_broadcast_reads_right_for_everybody() {
    let (server, _) = serving();
    let mut old = open(&server);
    let mut old_base64 = WebSocket::upgrade(&server, &format!("{WEBSOCKET}&b64=1"));
    assert!(old_base64.text().starts_with("0{") && old_base64.text() == "40");
    let mut new = WebSocket::joined(&server);
    let mut polling = Polling::open(&server, POLLING);
    polling.get().expect(200, "2:40");
    server.ask(|io| io.emit("b", &throng::BinarySlice(&[0xff])).queued);
    let text = "451-[\"b\",{\"_placeholder\":true,\"num\":0}]";
    for (socket, bytes) in [(&mut old, &[4, 0xff][..]), (&mut new, &[0xff])] {
        assert_eq!(socket.text(), text);
        assert_eq!(socket.binary(), bytes);
    }
    old_base64.expect(&[text, "b4/w=="]);
    let body = polling.get().body;
    let expected = [b"\0\x03\x09\xff", text.as_bytes(), b"\x01\x02\xff\x04\xff"].concat();
    assert_eq!(body, expected);
}

#[test]
fn scripts_poll_by_jsonp() {
    let (server, _) = serving();
    let mut polling = Polling::open(&server, &format!("{POLLING}&b64=1&j=3"));
    polling.get().expect(200, "___eio[3](\"2:40\");");
    let form = "application/x-www-form-urlencoded";
    polling.post(form, b"d=17%3A42%5B%22echo%22%2C%22a%5C%5Cnb%22%5D").expect(200, "ok");
    polling.get().expect(200, r#"___eio[3]("17:42[\"echo\",\"a\\nb\"]");"#);
}

//! Socket.IO packets on the wire: who gets into a namespace, what closes a connection, how events,
//! acknowledgements and attachments read, and the reasons that handlers are told.
//!
//! ```text
//! > 40/chat,{"token":1}      < 40/chat,{"sid":"..."}
//! > 42/chat,7["add",1,2]     < 43/chat,7[3]
//! ```

mod common;

use std::time::Duration;

use common::{
    Running, WebSocket, handshake_polling, json_string, log, masked_frame, serve, serve_with,
};
use throng::{AckError, Args, Refusal, Server};

fn declare(server: &mut Server, tell: &std::sync::mpsc::Sender<String>) {
    let io = server.io();
    io.of("/custom");
    io.of("/deny").middleware(|_| Err(Refusal::new("nope").data(&serde_json::json!({"n": 1}))));
    io.of("/plain").middleware(|_| Err(Refusal::new("\"quoted\"")));
    for name in ["/", "/custom"] {
        let told = tell.clone();
        io.of(name)
            .on_raw("echo", |socket, args, ack| match ack {
                Some(ack) => ack.send(args),
                None => {
                    socket.emit("echo", args);
                }
            })
            .on_raw("error", |socket, args, _| {
                socket.emit("error", args);
            })
            .on_disconnect(move |_, reason| told.send(reason.to_string()).unwrap());
    }
}

fn echoing() -> (Running, common::Log) {
    let (tell, told) = log();
    (serve(move |server| declare(server, &tell)), told)
}

/// The packet closes the connection of a client that has joined `/`.
fn expect_closing(server: &Running, told: &common::Log, packet: &str, reason: &str) {
    let mut socket = WebSocket::joined(server);
    socket.send(packet);
    println!("sent {packet:?}");
    socket.expect_close(None);
    assert_eq!(told.next(), reason, "{packet}");
}

#[test]
fn connect_is_answered_with_the_socket_s_id_alone() {
    let (server, _) = echoing();
    for (packet, prefix) in [
        ("40", "40"),
        ("40{}", "40"),
        ("40{\"token\":1}", "40"),
        ("40/,", "40"),
        ("40/,{\"a\":[]}", "40"),
        ("40/custom,", "40/custom,"),
        ("40/custom", "40/custom,"),
        ("40/custom,{\"x\":{\"y\":null}}", "40/custom,"),
    ] {
        let mut socket = WebSocket::open(&server);
        socket.send(packet);
        let reply = socket.text();
        let id = json_string(&reply, "sid").to_owned();
        assert_eq!(reply, format!("{prefix}{{\"sid\":\"{id}\"}}"), "{packet}");
        assert_eq!(id.len(), 20);
        assert_ne!(id, socket.sid, "the id of a socket is public, that of its session is not");
    }
}

#[test]
fn an_unknown_namespace_is_an_error_and_the_connection_stays() {
    let (server, _) = echoing();
    let mut socket = WebSocket::open(&server);
    for name in ["/random", "/custom?a=b", "/Custom", "/customer", "/custom/", "//", "/__proto__"] {
        socket.send(&format!("40{name},"));
        let expected = format!("44{name},{{\"message\":\"Invalid namespace\"}}");
        assert_eq!(socket.text(), expected);
    }
    socket.join("/");
}

#[test]
fn a_refusal_is_told_with_its_data_and_the_connection_stays() {
    let (server, _) = echoing();
    let mut socket = WebSocket::open(&server);
    socket.send("40/deny,");
    assert_eq!(socket.text(), "44/deny,{\"message\":\"nope\",\"data\":{\"n\":1}}");
    socket.send("40/plain,");
    assert_eq!(socket.text(), "44/plain,{\"message\":\"\\\"quoted\\\"\"}");
    socket.send("40/deny,");
    assert_eq!(socket.text(), "44/deny,{\"message\":\"nope\",\"data\":{\"n\":1}}");
    socket.join("/");
    socket.send("42/deny,[\"echo\"]");
    socket.expect_close(None);
}

#[test]
fn a_client_may_be_in_several_namespaces() {
    let (server, told) = echoing();
    let mut socket = WebSocket::open(&server);
    let ids = [socket.join("/"), socket.join("/custom")];
    assert_ne!(ids[0], ids[1]);
    socket.send("42/custom,[\"echo\",1]");
    socket.send("42[\"echo\",2]");
    socket.expect(&["42/custom,[\"echo\",1]", "42[\"echo\",2]"]);
    socket.send("41/custom,");
    told.expect(&["client namespace disconnect"]);
    socket.send("42[\"echo\",3]");
    assert_eq!(socket.text(), "42[\"echo\",3]");
    socket.join("/custom");
    drop(socket);
    told.expect(&["transport close", "transport close"]);
}

#[test]
fn connecting_twice_closes_the_connection() {
    let (server, told) = echoing();
    expect_closing(&server, &told, "40", "forced close");
    expect_closing(&server, &told, "40{\"token\":1}", "forced close");
}

#[test]
fn packets_for_a_namespace_that_was_not_joined_close_the_connection() {
    let (server, told) = echoing();
    for packet in
        ["42/custom,[\"echo\"]", "43/custom,1[]", "41/custom,", "42/random,[\"echo\"]", "41/x"]
    {
        expect_closing(&server, &told, packet, "forced close");
    }
    let mut socket = WebSocket::open(&server);
    socket.send("42[\"echo\"]");
    socket.expect_close(None);
}

#[test]
fn connect_errors_from_a_client_close_the_connection() {
    let (server, told) = echoing();
    for packet in ["44", "44{}", "44\"x\"", "44/custom,{\"message\":\"x\"}"] {
        expect_closing(&server, &told, packet, "forced close");
    }
}

#[test]
fn undecodable_packets_close_the_connection() {
    let (server, told) = echoing();
    for packet in UNDECODABLE {
        expect_closing(&server, &told, packet, "forced close");
    }
    let decode_errors = server.ask(|io| io.socket_counters().decode_errors);
    let refused = u64::try_from(UNDECODABLE.len()).unwrap();
    assert!(decode_errors >= refused - 3, "{decode_errors} of {refused}");
}

/// What isn't decoded, or is out of place wherever it comes.
const UNDECODABLE: &[&str] = &[
    // No packet, or none of the seven types.
    "4",
    "47",
    "4x",
    "49[\"echo\"]",
    "4 2[\"echo\"]",
    "4\u{e9}",
    // Payloads of another shape.
    "40[]",
    "40\"x\"",
    "40null",
    "401{}x",
    "41{}",
    "41[]",
    "41/custom,{}",
    "42[]",
    "42[true]",
    "42[null]",
    "42[{}]",
    "42[[]]",
    "42{}",
    "42\"echo\"",
    "42null",
    "42[{\"toString\":\"foo\"}]",
    "43{}",
    "431{}",
    "43\"x\"",
    "44[]",
    "441",
    // Names that sockets emit themselves.
    "42[\"connect\"]",
    "42[\"connect_error\"]",
    "42[\"disconnect\"]",
    "42[\"disconnecting\"]",
    "42[\"newListener\"]",
    "42[\"removeListener\"]",
    "42[\"conn\\u0065ct\"]",
    // JSON that isn't, and what follows it.
    "42[\"echo\"",
    "42[\"echo\",]",
    "42[\"echo\"]x",
    "42[\"echo\"][]",
    "42[\"echo\",01]",
    "42['echo']",
    "42[\"echo\",\"\n\"]",
    "42[\"echo\",NaN]",
    "42[\"echo\",\"\\x\"]",
    "42/custom[\"echo\"]",
    "42,[\"echo\"]",
    "42-1[\"echo\"]",
    "42 [\"echo\"]x",
    // Announced attachments: whole, at least one, at most ten, with their hyphen.
    "45",
    "451",
    "451[\"echo\"]",
    "45-[\"echo\"]",
    "450-[\"echo\"]",
    "460-1[]",
    "45-1-[\"echo\"]",
    "451.5-[\"echo\"]",
    "455-1-[\"echo\"]",
    "4551e3-[\"echo\"]",
    "455 1-[\"echo\"]",
    "4511-[\"echo\"]",
    "455999999-[\"echo\"]",
    "45invalid",
    "46invalid",
    "45x-[\"echo\"]",
    "4518446744073709551617-[\"echo\"]",
];

#[test]
fn packets_without_a_payload_are_harmless() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    for packet in
        ["42", "421", "431", "43[]", "43", "421[\"nobody\"]", "42[1]", "42[1.5,\"x\"]", "42[-0]"]
    {
        socket.send(packet);
    }
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn odd_event_names_are_names() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"error\",{\"message\":\"x\"}]");
    assert_eq!(socket.text(), "42[\"error\",{\"message\":\"x\"}]");
    for name in ["", "__proto__", "constructor", "toString", "\\u0000", "hasOwnProperty", "Connect"]
    {
        socket.send(&format!("42[\"{name}\",1]"));
    }
    socket.send("42[\"\\u0065cho\",1]");
    assert_eq!(socket.text(), "42[\"echo\",1]");
}

#[test]
fn acknowledgements_carry_the_client_s_id_as_a_number() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    socket.join("/custom");
    for (sent, answered) in [
        ("420[\"echo\",1]", "430[1]"),
        ("427[\"echo\",1,[2],null]", "437[1,[2],null]"),
        ("42007[\"echo\"]", "437[]"),
        ("42/custom,12[\"echo\",\"x\"]", "43/custom,12[\"x\"]"),
        ("42/,12[\"echo\",\"x\"]", "4312[\"x\"]"),
        ("429007199254740991[\"echo\"]", "439007199254740991[]"),
        ("429007199254740993[\"echo\"]", "439007199254740992[]"),
        ("42123456789012345678901[\"echo\"]", "43123456789012345680000[]"),
        ("421234567890123456789012[\"echo\"]", "431.2345678901234568e+24[]"),
    ] {
        socket.send(sent);
        // Beyond 21 digits JavaScript writes an exponent.
        let answer = socket.text();
        let written = answer == answered || sent.len() > 25 && answer.starts_with("431.2345");
        assert!(written, "{sent}: {answer} is not {answered}");
    }
}

#[test]
fn an_acknowledgement_is_sent_once() {
    let server = serve(|server| {
        server
            .of("/")
            .on_with_ack("twice", |_, (): ()| 1)
            .on_with_ack("twice", |_, (): ()| 2)
            .on_with_ack("none", |_, (): ()| ());
    });
    let mut socket = WebSocket::joined(&server);
    socket.send("420[\"twice\"]");
    assert_eq!(socket.text(), "430[1]");
    socket.send("42[\"twice\"]");
    socket.send("421[\"none\"]");
    assert_eq!(socket.text(), "431[null]");
}

#[test]
fn acknowledgements_by_the_client_reach_their_callback_once() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on_connect(move |socket| {
            for name in ["a", "b"] {
                let tell = tell.clone();
                socket.emit_with_raw_ack(name, &1, move |_, answer| {
                    let shown = answer.map(|args: Args<'_>| args.json().into_owned());
                    tell.send(format!("{name} {shown:?}")).unwrap();
                });
            }
        });
    });
    let mut socket = WebSocket::joined(&server);
    socket.expect(&["420[\"a\",1]", "421[\"b\",1]"]);
    socket.send("431[\"x\",{}]");
    socket.send("431[\"again\"]");
    socket.send("4399[]");
    socket.send("430[]");
    told.expect(&["b Ok(\"\\\"x\\\",{}\")", "a Ok(\"\")"]);
    // One counter for the namespace.
    let mut second = WebSocket::joined(&server);
    second.expect(&["422[\"a\",1]", "423[\"b\",1]"]);
    socket.send("432[\"not mine\"]");
    second.send("432[\"mine\"]");
    told.expect(&["a Ok(\"\\\"mine\\\"\")"]);
    drop(second);
    told.expect(&["b Err(Disconnected)"]);
    let unknown = server.ask(|io| io.socket_counters().acks_unknown);
    assert_eq!(unknown, 3);
}

#[test]
fn an_acknowledgement_that_does_not_come_in_time_is_an_error() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.of("/").on_connect(move |socket| {
            let tell = tell.clone();
            let patient = socket.timeout(Duration::from_millis(50));
            patient.emit_with_ack::<()>("a", (), move |socket, answer| {
                assert_eq!(answer, Err(AckError::Timeout));
                tell.send(format!("timeout of {}", socket.is_connected())).unwrap();
            });
        });
    });
    let mut socket = WebSocket::joined(&server);
    assert_eq!(socket.text(), "420[\"a\"]");
    told.expect(&["timeout of true"]);
    socket.send("430[]");
    server.wait_until(|io| io.socket_counters().acks_unknown == 1);
    assert_eq!(server.ask(|io| io.socket_counters().ack_timeouts), 1);
}

#[test]
fn attachments_are_put_where_their_placeholders_stand() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let placeholder = |number| format!("{{\"_placeholder\":true,\"num\":{number}}}");
    // Out of order, twice, unreferenced.
    for (count, args) in [
        (2, format!("{},{}", placeholder(1), placeholder(0))),
        (1, format!("{0},{0}", placeholder(0))),
        (2, placeholder(1)),
        (1, "1".to_owned()),
    ] {
        socket.send(&format!("45{count}-9[\"echo\",{args}]"));
        for number in 0..count {
            socket.send_binary(&[number]);
        }
        let answer = socket.text();
        let (head, rest) = answer.split_at(2);
        assert!(head == "46" || head == "43", "{answer}");
        if head == "46" {
            let attached: usize = rest.split('-').next().unwrap().parse().unwrap();
            for _ in 0..attached {
                socket.binary();
            }
        }
    }
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn ten_attachments_are_the_most() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let list: Vec<String> =
        (0..10).map(|number| format!("{{\"_placeholder\":true,\"num\":{number}}}")).collect();
    let packet = format!("4510-[\"echo\",{}]", list.join(","));
    socket.send(&packet);
    for number in 0..10 {
        socket.send_binary(&[number]);
    }
    assert_eq!(socket.text(), packet);
    for number in 0..10 {
        assert_eq!(socket.binary(), [number]);
    }
}

#[test]
fn placeholders_of_a_plain_event_are_left_alone() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let packet = "42[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    socket.send(packet);
    assert_eq!(socket.text(), packet);
}

#[test]
fn illegal_placeholders_close_the_connection() {
    let (server, told) = echoing();
    for number in ["1", "-1", "\"0\"", "\"splice\"", "0.5", "null", "{}", "1e9", "true"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(&format!("451-[\"echo\",{{\"_placeholder\":true,\"num\":{number}}}]"));
        // A decoder may say so before the attachment or behind it.
        socket.wire.send_anyway(masked_frame(0x82, &[1]));
        let frame = socket.frame();
        assert_eq!(frame.first_byte, 0x88, "{number}: {frame:?}");
        assert_eq!(told.next(), "forced close", "{number}");
    }
}

#[test]
fn text_while_attachments_are_awaited_closes_the_connection() {
    let (server, told) = echoing();
    let head = "452-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    for packet in ["42[\"echo\"]", "40/custom,", head, "41"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(head);
        socket.send_binary(&[1]);
        socket.send(packet);
        socket.expect_close(None);
        told.expect(&["forced close"]);
    }
    // Engine.IO's own packets are none of them.
    let mut socket = WebSocket::joined(&server);
    socket.send("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    socket.send("3");
    socket.send_frame(0x89, b"");
    assert_eq!(socket.frame().first_byte, 0x8a);
    socket.send_binary(&[1]);
    assert!(socket.text().starts_with("451-[\"echo\""));
}

#[test]
fn binary_without_a_header_closes_the_connection() {
    let (server, told) = echoing();
    let mut socket = WebSocket::joined(&server);
    socket.send_binary(&[1]);
    socket.expect_close(None);
    told.expect(&["forced close"]);
    // One attachment too many is one without a header.
    let mut socket = WebSocket::joined(&server);
    socket.send("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    socket.send_binary(&[1]);
    socket.send_binary(&[2]);
    socket.text();
    assert_eq!(socket.binary(), [1]);
    socket.expect_close(None);
    told.expect(&["forced close"]);
}

#[test]
fn a_disconnect_packet_gets_no_reply_and_the_connection_stays() {
    let (server, told) = echoing();
    for packet in ["41", "41/,"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(packet);
        told.expect(&["client namespace disconnect"]);
        socket.join("/");
        drop(socket);
        told.expect(&["transport close"]);
    }
}

#[test]
fn a_connection_without_a_namespace_is_closed_in_time() {
    let server = serve_with(
        |config| config.socket.connect_timeout = Duration::from_millis(150),
        |server| {
            server.of("/");
            server.of("/deny").middleware(|_| Err(Refusal::new("no")));
        },
    );
    let mut silent = WebSocket::open(&server);
    let mut refused = WebSocket::open(&server);
    refused.send("40/deny,");
    assert_eq!(refused.text(), "44/deny,{\"message\":\"no\"}");
    let mut polling = handshake_polling(&server);
    polling.send_get();
    let mut joined = WebSocket::joined(&server);
    joined.send("41");
    silent.expect_close(None);
    refused.expect_close(None);
    assert_eq!(polling.polled(), "1");
    assert_eq!(server.ask(|io| io.socket_counters().connect_timeouts), 3);
    // Joining once is enough: the timer isn't armed again.
    joined.join("/");
}

#[test]
fn events_behind_a_connect_in_the_same_read_are_accepted() {
    let (server, _) = echoing();
    let mut poller = handshake_polling(&server);
    poller.post("40\x1e42[\"echo\",1]\x1e420[\"echo\",2]");
    let all = poller.poll();
    let packets: Vec<&str> = all.split('\x1e').collect();
    assert!(packets[0].starts_with("40{"));
    assert_eq!(packets[1..], ["42[\"echo\",1]", "430[2]"]);
    let mut socket = WebSocket::open(&server);
    let mut bytes = masked_frame(0x81, b"40");
    bytes.extend(masked_frame(0x81, b"42[\"echo\",1]"));
    socket.wire.send(bytes);
    assert!(socket.text().starts_with("40{"));
    assert_eq!(socket.text(), "42[\"echo\",1]");
}

#[test]
fn what_a_middleware_emits_comes_before_the_connect_reply() {
    let server = serve(|server| {
        server
            .of("/")
            .middleware(|socket| {
                socket.emit("session", "x");
                Ok(())
            })
            .on_connect(|socket| {
                socket.emit("welcome", ());
            });
    });
    let mut socket = WebSocket::open(&server);
    socket.send("40");
    assert_eq!(socket.text(), "42[\"session\",\"x\"]");
    assert!(socket.text().starts_with("40{"));
    assert_eq!(socket.text(), "42[\"welcome\"]");
}

#[test]
fn the_server_s_disconnects_read_as_in_the_reference() {
    let (tell, told) = log();
    let server = serve(move |server| {
        for name in ["/", "/custom"] {
            let tell = tell.clone();
            server
                .of(name)
                .on("leave", |socket, (): ()| socket.disconnect())
                .on("close", |socket, (): ()| socket.disconnect_client())
                .on_disconnect(move |_, reason| tell.send(reason.to_string()).unwrap());
        }
    });
    let mut socket = WebSocket::joined(&server);
    socket.join("/custom");
    socket.send("42/custom,[\"leave\"]");
    assert_eq!(socket.text(), "41/custom,");
    told.expect(&["server namespace disconnect"]);
    socket.join("/custom");
    socket.send("42/custom,[\"close\"]");
    socket.expect(&["41", "41/custom,"]);
    socket.expect_close(None);
    told.expect(&["server namespace disconnect", "server namespace disconnect"]);
}

#[test]
fn auth_and_handshake_are_what_the_client_brought() {
    let server = serve(|server| {
        server.of("/").on_connect(|socket| {
            let handshake = socket.handshake();
            socket.emit("auth", handshake.auth_json());
            socket.emit("query", &handshake.query("a"));
            socket.emit("header", &handshake.header("X-A"));
            let token: Option<std::collections::HashMap<String, String>> = handshake.auth();
            socket.emit("token", &token);
            let whole = serde_json::to_value(&handshake).unwrap();
            socket.emit("whole", &whole);
        });
    });
    let mut wire = common::Wire::connect(&server);
    let target = "/socket.io/?EIO=4&transport=websocket&a=1&a=%C3%A9";
    wire.send(common::upgrade_head(target, "X-A: b\r\nOrigin: http://o\r\n"));
    let mut socket = WebSocket::upgraded(wire);
    socket.text();
    socket.send("40{\"token\":\"t\"}");
    socket.text();
    socket.expect(&[
        "42[\"auth\",\"{\\\"token\\\":\\\"t\\\"}\"]",
        "42[\"query\",\"\u{e9}\"]",
        "42[\"header\",\"b\"]",
        "42[\"token\",{\"token\":\"t\"}]",
    ]);
    let whole = socket.text();
    let whole: serde_json::Value = serde_json::from_str(&whole[2..]).unwrap();
    let whole = &whole[1];
    assert_eq!(whole["address"], "127.0.0.1");
    assert_eq!(whole["xdomain"], true);
    assert_eq!(whole["secure"], false);
    assert_eq!(whole["url"], target);
    assert_eq!(whole["query"]["transport"], "websocket");
    assert_eq!(whole["query"]["a"], "\u{e9}");
    assert_eq!(whole["headers"]["x-a"], "b");
    assert_eq!(whole["auth"]["token"], "t");
    assert!(whole["issued"].as_u64().unwrap() > 1_700_000_000_000);
    let keys: Vec<&String> = whole.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 9, "{keys:?}");
}

#[test]
fn json_comes_back_as_it_was_sent() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    for value in [
        "{\"__proto__\":{\"x\":1},\"constructor\":null}",
        "\"\\ud800\"",
        "\"\u{2028}\u{7f}\\u0000\"",
        "[[[[[]]]]]",
        "12345678901234567890",
        "1.0",
        "{\"a\":1,\"a\":2}",
    ] {
        socket.send(&format!("42[\"echo\",{value}]"));
        assert_eq!(socket.text(), format!("42[\"echo\",{value}]"));
    }
}

#[test]
fn deep_json_is_no_harm() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let deep = format!("42[\"echo\",{}{}]", "[".repeat(100_000), "]".repeat(100_000));
    socket.send(&deep);
    let frame = socket.frame();
    // Either it passes through untouched or the decoder gives up: both cost this session at most.
    assert!(
        frame.first_byte == 0x81 && frame.payload == deep.as_bytes() || frame.first_byte == 0x88
    );
    WebSocket::joined(&server);
}

//! Sessions on a WebSocket: messages and their fragments, control frames, and the codes with
//! which a peer that breaks RFC 6455 or a limit is closed.
//!
//! ```text
//! > 81 85 <mask> 42["echo"]      < 81 0a 42["echo"]
//! ```

mod common;

use common::{
    Frame, Running, WebSocket, Wire, declare_echo, log, masked_frame, serve, serve_with,
    upgrade_head,
};
use throng::Binary;
use throng::config::Config;

fn echoing() -> (Running, common::Log) {
    configured(|_| {})
}

fn configured(configure: impl FnOnce(&mut Config) + Send + 'static) -> (Running, common::Log) {
    let (tell, told) = log();
    (serve_with(configure, move |server| declare_echo(server, tell)), told)
}

#[test]
fn messages_go_both_ways() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    for text in ["", "x", "\u{e9}\u{1f600}", "\\u0000\\\"", &"y".repeat(125), &"z".repeat(70_000)] {
        let message = format!("42[\"echo\",\"{text}\"]");
        socket.send(&message);
        assert_eq!(socket.text(), message);
    }
}

#[test]
fn binary_travels_in_binary_frames() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let head = "452-[\"echo\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]";
    socket.send(head);
    socket.send_binary(&[0, 1, 2, 0xff]);
    socket.send_binary(&[]);
    assert_eq!(socket.text(), head);
    assert_eq!(socket.binary(), [0, 1, 2, 0xff]);
    assert!(socket.binary().is_empty());
}

#[test]
fn base64_text_is_accepted_too_and_b64_asks_the_server_for_it() {
    let server = serve(|server| {
        server.of("/").on("echo", |socket, bytes: Binary| {
            socket.emit("echo", &bytes);
        });
    });
    let head = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    let mut socket = WebSocket::joined(&server);
    socket.send(head);
    socket.send("bAQID");
    assert_eq!(socket.text(), head);
    assert_eq!(socket.binary(), [1, 2, 3]);
    let mut socket = WebSocket::upgrade(&server, "/socket.io/?EIO=4&transport=websocket&b64=1");
    socket.text();
    socket.join("/");
    socket.send(head);
    socket.send_binary(&[1, 2, 3]);
    socket.expect(&[head, "bAQID"]);
}

#[test]
fn many_messages_in_one_segment_are_answered_in_order() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let messages: Vec<String> = (0..3_000).map(|n| format!("42[\"echo\",{n}]")).collect();
    let bytes: Vec<u8> =
        messages.iter().flat_map(|message| masked_frame(0x81, message.as_bytes())).collect();
    let mut writer = socket.wire.stream.try_clone().unwrap();
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &bytes));
    for message in &messages {
        assert_eq!(socket.text(), *message);
    }
    writing.join().unwrap().unwrap();
}

#[test]
fn frames_in_single_bytes_are_read() {
    let (server, _) = echoing();
    let mut wire = Wire::connect(&server);
    wire.dribble(upgrade_head("/socket.io/?EIO=4&transport=websocket", ""));
    let mut socket = WebSocket::upgraded(wire);
    socket.text();
    socket.wire.dribble(masked_frame(0x81, b"40"));
    assert!(socket.text().starts_with("40{"));
    let message = format!("42[\"echo\",\"{}\"]", "x".repeat(300));
    socket.wire.dribble(masked_frame(0x81, message.as_bytes()));
    assert_eq!(socket.text(), message);
}

#[test]
fn fragments_make_one_message_with_control_frames_between_them() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    socket.send_frame(0x01, b"42[\"ec");
    socket.send_frame(0x89, b"between");
    // Within a character of several bytes a fragment may end.
    socket.send_frame(0x00, b"ho\",\"\xf0\x9f");
    socket.send_frame(0x00, b"");
    socket.send_frame(0x80, b"\x98\x80\"]");
    assert_eq!(socket.frame(), Frame { first_byte: 0x8a, payload: b"between".to_vec() });
    assert_eq!(socket.text(), "42[\"echo\",\"\u{1f600}\"]");
}

#[test]
fn a_burst_of_pings_is_answered_whole() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    let burst: Vec<u8> = (0..200_u8).flat_map(|number| masked_frame(0x89, &[number])).collect();
    socket.wire.send(burst);
    for number in 0..200_u8 {
        assert_eq!(socket.frame(), Frame { first_byte: 0x8a, payload: vec![number] });
    }
}

#[test]
fn a_ping_is_answered_with_its_very_bytes_and_a_pong_ignored() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    for payload in [&b""[..], b"x", &[0xff; 125]] {
        socket.send_frame(0x89, payload);
        assert_eq!(socket.frame(), Frame { first_byte: 0x8a, payload: payload.to_vec() });
    }
    socket.send_frame(0x8a, b"unasked");
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn a_message_that_is_too_large_is_1009() {
    let (server, told) = configured(|config| config.engine.payload_bytes_max = 1_000);
    let exact = format!("42[\"echo\",\"{}\"]", "x".repeat(1_000 - 13));
    let mut socket = WebSocket::joined(&server);
    socket.send(&exact);
    assert_eq!(socket.text(), exact);
    socket.send(&format!("{exact} "));
    socket.expect_close(Some(1009));
    told.expect(&["transport error"]);
    // The head alone tells; nothing of the announced bytes has to come.
    let mut socket = WebSocket::joined(&server);
    socket.wire.send(&masked_frame(0x81, &[b'4'; 2_000])[..8]);
    socket.expect_close(Some(1009));
    told.expect(&["transport error"]);
    let mut socket = WebSocket::joined(&server);
    socket.wire.send([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    socket.expect_close(Some(1009));
    told.expect(&["transport error"]);
    // Fragments are summed up.
    let mut socket = WebSocket::joined(&server);
    socket.send_frame(0x01, &[b'4'; 600]);
    socket.send_frame(0x00, &[b'4'; 600]);
    socket.expect_close(Some(1009));
    told.expect(&["transport error"]);
}

#[test]
fn broken_frames_are_1002() {
    let (server, told) = echoing();
    let unmasked = b"\x81\x03422".to_vec();
    let long_ping = masked_frame(0x89, &[0; 126]);
    let frames: Vec<(&str, Vec<u8>)> = vec![
        ("unmasked", unmasked),
        ("RSV1", masked_frame(0xc1, b"4")),
        ("RSV2", masked_frame(0xa1, b"4")),
        ("RSV3", masked_frame(0x91, b"4")),
        ("reserved data frame", masked_frame(0x83, b"4")),
        ("reserved control frame", masked_frame(0x8b, b"4")),
        ("continuation of nothing", masked_frame(0x80, b"4")),
        ("fragmented ping", masked_frame(0x09, b"4")),
        ("long ping", long_ping),
        ("length with its top bit", vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        ("close with one byte", masked_frame(0x88, &[3])),
        ("close with code 1005", masked_frame(0x88, &1005_u16.to_be_bytes())),
        ("close with code 999", masked_frame(0x88, &999_u16.to_be_bytes())),
    ];
    for (name, bytes) in frames {
        let mut socket = WebSocket::joined(&server);
        socket.wire.send(&bytes);
        let frame = socket.frame();
        let code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        let is_expected = matches!((name, code), (_, Some(1002)))
            || name == "length with its top bit" && code == Some(1009);
        assert!(frame.first_byte == 0x88 && is_expected, "{name}: {frame:?}");
        socket.wire.expect_end();
        // A close frame is a close frame, even if its code may not be sent.
        let reason = if name.contains("code") { "transport close" } else { "transport error" };
        assert_eq!(told.next(), reason, "{name}");
    }
    let mut socket = WebSocket::joined(&server);
    socket.send_frame(0x01, b"4");
    socket.send_frame(0x81, b"4");
    socket.expect_close(Some(1002));
    told.expect(&["transport error"]);
}

#[test]
fn invalid_utf8_is_1007() {
    let (server, told) = echoing();
    for payload in [&b"4\xff"[..], b"4\xc0\x80", b"4\xed\xa0\x80", b"4\xf0\x9f\x98"] {
        let mut socket = WebSocket::joined(&server);
        socket.send_frame(0x81, payload);
        socket.expect_close(Some(1007));
        told.expect(&["transport error"]);
    }
    let mut socket = WebSocket::joined(&server);
    socket.send_frame(0x01, b"4\xf0\x9f");
    socket.send_frame(0x80, b"x");
    socket.expect_close(Some(1007));
    told.expect(&["transport error"]);
}

#[test]
fn too_many_fragments_are_1008() {
    let (server, told) = configured(|config| config.engine.fragments_max = 8);
    let mut socket = WebSocket::joined(&server);
    socket.send_frame(0x01, b"42[\"echo\"");
    for _ in 0..6 {
        socket.send_frame(0x00, b"");
    }
    socket.send_frame(0x80, b"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
    socket.send_frame(0x01, b"4");
    for _ in 0..8 {
        socket.wire.send_anyway(masked_frame(0x00, b""));
    }
    socket.expect_close(Some(1008));
    told.expect(&["transport error"]);
}

#[test]
fn a_close_frame_is_answered_with_its_code() {
    let (server, told) = echoing();
    for payload in [&b""[..], &1000_u16.to_be_bytes(), b"\x03\xe9going", &4_000_u16.to_be_bytes()] {
        let mut socket = WebSocket::joined(&server);
        socket.send_frame(0x88, payload);
        let frame = socket.frame();
        assert_eq!(frame.first_byte, 0x88);
        assert_eq!(frame.payload.get(..2), payload.get(..2));
        socket.wire.expect_end();
        told.expect(&["transport close"]);
    }
}

#[test]
fn a_connection_that_ends_or_is_reset_ends_the_session() {
    let (server, told) = echoing();
    drop(WebSocket::joined(&server));
    told.expect(&["transport close"]);
    let mut socket = WebSocket::joined(&server);
    socket.wire.shut_down();
    told.expect(&["transport close"]);
    socket.wire.expect_end();
    WebSocket::joined(&server).wire.reset();
    let reason = told.next();
    assert!(reason == "transport error", "{reason}");
    server.wait_for_sessions(0);
}

#[test]
fn messages_before_a_close_frame_in_the_same_segment_are_handled() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .on("say", move |_, text: String| tell.send(text).unwrap())
            .on_disconnect(move |_, reason| also.send(reason.to_string()).unwrap());
    });
    let mut socket = WebSocket::joined(&server);
    let mut bytes = masked_frame(0x81, b"42[\"say\",\"1\"]");
    bytes.extend(masked_frame(0x81, b"42[\"say\",\"2\"]"));
    bytes.extend(masked_frame(0x88, b""));
    bytes.extend(masked_frame(0x81, b"42[\"say\",\"3\"]"));
    socket.wire.send(bytes);
    told.expect(&["1", "2", "transport close"]);
    socket.expect_close(None);
    server.wait_for_sessions(0);
    assert!(told.so_far().is_empty());
}

#[test]
fn an_invalid_packet_is_an_empty_close_frame() {
    let (server, told) = echoing();
    for packet in ["", "7", "x", "\u{e9}"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(packet);
        socket.expect_close(None);
        told.expect(&["parse error"]);
    }
}

#[test]
fn a_ping_packet_is_an_empty_close_frame() {
    let (server, told) = echoing();
    for packet in ["2", "2probe"] {
        let mut socket = WebSocket::joined(&server);
        socket.send(packet);
        socket.expect_close(None);
        told.expect(&["transport error"]);
    }
}

#[test]
fn close_open_upgrade_and_noop_packets_are_ignored() {
    let (server, _) = echoing();
    let mut socket = WebSocket::joined(&server);
    for packet in ["1", "0", "0{}", "5", "6", "3"] {
        socket.send(packet);
    }
    socket.send("42[\"echo\"]");
    assert_eq!(socket.text(), "42[\"echo\"]");
}

#[test]
fn what_follows_a_close_by_the_server_is_ignored() {
    let (tell, told) = log();
    let server = serve(move |server| {
        let also = tell.clone();
        server
            .of("/")
            .on("leave", |socket, (): ()| socket.disconnect_client())
            .on("say", move |_, text: String| tell.send(text).unwrap())
            .on_disconnect(move |_, reason| also.send(reason.to_string()).unwrap());
    });
    let mut socket = WebSocket::joined(&server);
    let mut bytes = masked_frame(0x81, b"42[\"leave\"]");
    bytes.extend(masked_frame(0x81, b"42[\"say\",\"late\"]"));
    socket.wire.send(bytes);
    assert_eq!(socket.text(), "41");
    socket.send("42[\"say\",\"later\"]");
    socket.expect_close(None);
    told.expect(&["server namespace disconnect"]);
    assert!(told.so_far().is_empty());
}

#[test]
fn a_peer_that_does_not_answer_the_close_is_cut_off() {
    let server = serve_with(
        |config| {
            config.reactor.close_timeout = std::time::Duration::from_millis(100);
            config.reactor.linger_timeout = std::time::Duration::from_millis(100);
        },
        |server| {
            server.of("/").on("leave", |socket, (): ()| socket.disconnect_client());
        },
    );
    let mut socket = WebSocket::joined(&server);
    socket.send("42[\"leave\"]");
    assert_eq!(socket.text(), "41");
    assert_eq!(socket.frame(), Frame { first_byte: 0x88, payload: Vec::new() });
    socket.wire.expect_end();
    server.wait_for_sessions(0);
}

#[test]
fn a_closing_server_sends_empty_close_frames() {
    let (server, told) = echoing();
    let mut socket = WebSocket::joined(&server);
    server.ask(|io| io.close());
    socket.expect_close(None);
    told.expect(&["server shutting down"]);
    server.join();
}

#[test]
fn a_raw_endpoint_speaks_websocket_without_engine_io() {
    let (tell, told) = log();
    let server = serve(move |server| {
        server.websocket("/raw", 100, move |socket, event| {
            use throng::WebSocketEvent as Event;
            match event {
                Event::Open => socket.send_text("hello"),
                Event::Text("bye") => socket.close(Some(4_001), "so long"),
                Event::Text("panic") => panic!("a handler's mistake"),
                Event::Text(text) => socket.send_text(text),
                Event::Binary(bytes) => socket.send_binary(bytes),
                _ => tell.send("closed".to_owned()).unwrap(),
            }
        });
    });
    let mut socket = WebSocket::upgrade(&server, "/raw?x=1");
    assert_eq!(socket.text(), "hello");
    socket.send("\u{e9}");
    assert_eq!(socket.text(), "\u{e9}");
    socket.send_binary(&[0, 255]);
    assert_eq!(socket.binary(), [0, 255]);
    socket.send_frame(0x89, b"p");
    assert_eq!(socket.frame(), Frame { first_byte: 0x8a, payload: b"p".to_vec() });
    socket.send("bye");
    let frame = socket.frame();
    assert_eq!(frame, Frame { first_byte: 0x88, payload: b"\x0f\xa1so long".to_vec() });
    socket.wire.send(masked_frame(0x88, &frame.payload));
    socket.wire.expect_end();
    told.expect(&["closed"]);
    let mut socket = WebSocket::upgrade(&server, "/raw");
    socket.text();
    socket.send("panic");
    socket.expect_close(Some(1011));
    told.expect(&["closed"]);
    let mut socket = WebSocket::upgrade(&server, "/raw");
    socket.text();
    socket.send(&"x".repeat(101));
    socket.expect_close(Some(1009));
    told.expect(&["closed"]);
    let mut wire = Wire::connect(&server);
    assert_eq!(wire.ask(upgrade_head("/other", "")).status, 404);
}

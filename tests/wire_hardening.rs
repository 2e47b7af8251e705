//! Attacks, each after a public vulnerability or bug of a server of this kind. A peer may cost
//! itself its own session, never the process, another client's session, or unbounded memory or
//! time; after every attack an ordinary client still gets service.
//!
//! ```text
//! > 42["echo","still there?"]      < 42["echo","still there?"]
//! ```

mod common;

use std::io::{ErrorKind, Read as _, Write};
use std::time::{Duration, Instant};

use common::{
    Running, SOON, WebSocket, Wire, engine_get, handshake_polling, json_string, log, masked_frame,
    serve, serve_with, upgrade_head,
};
use throng::config::Config;
use throng::http::Response;
use throng::{DisconnectReason, WebSocketEvent};

fn declare(server: &mut throng::Server) {
    server.of("/").on_raw("echo", |socket, args, _| {
        socket.emit("echo", args);
    });
    server.http().get("/large", |_, _| Response::ok().text("x".repeat(1_000_000)));
    server.websocket("/raw", 100_000, |socket, event| {
        if let WebSocketEvent::Binary(bytes) = event {
            socket.send_binary(bytes);
        }
    });
}

fn victim() -> Running {
    serve(declare)
}

fn victim_with(configure: impl FnOnce(&mut Config) + Send + 'static) -> Running {
    serve_with(configure, declare)
}

/// An ordinary client of each transport gets service, and in time.
fn expect_service(server: &Running) {
    let started = Instant::now();
    let message = "42[\"echo\",\"still there?\"]";
    let mut socket = WebSocket::joined(server);
    socket.send(message);
    assert_eq!(socket.text(), message);
    let mut poller = handshake_polling(server);
    poller.join();
    poller.post(message);
    assert_eq!(poller.poll(), message);
    poller.post("1");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// What the process holds in memory at this moment; server and clients share it.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

/// How many descriptors the process has open.
fn descriptors_len() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn octet_stream_posts_leak_no_descriptors() {
    let server = victim();
    let mut opener = Wire::connect(&server);
    let mut most_open = 0;
    let started = Instant::now();
    for round in 0..10_000 {
        let response = opener.ask(engine_get("transport=polling"));
        let sid = json_string(response.text(), "sid");
        let mut wire = Wire::connect(&server);
        wire.ask(format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: h\r\n\
             Content-Type: application/octet-stream\r\nContent-Length: 2\r\n\r\n40"
        ))
        .expect(400, "");
        if round == 1_000 {
            most_open = descriptors_len();
        }
    }
    // A body that nobody reads must cost nothing either: it once cost 40 ms of the loop.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    // Other tests of this suite open and close at the same time.
    assert!(descriptors_len() < most_open + 300, "{} now", descriptors_len());
    assert_eq!(server.ask(|io| io.sessions_len()), 0);
    server.wait_until(|io| io.engine_counters().closed(DisconnectReason::TransportError) == 10_000);
    expect_service(&server);
}

#[test]
fn odd_session_ids_are_unknown_ones() {
    let server = victim();
    let mut wire = Wire::connect(&server);
    let long = "A".repeat(4_000);
    for sid in ["__proto__", "constructor", "toString", "..", "%2e%2e%2f", "%00%ff", "a%26b", &long]
    {
        wire.ask(engine_get(&format!("transport=polling&sid={sid}"))).expect_code(
            400,
            1,
            "Session ID unknown",
        );
    }
    for byte in 0..=255_u8 {
        let sid = format!("AAAAAAAAAAAAAAAAAAA%{byte:02x}");
        wire.ask(engine_get(&format!("transport=polling&sid={sid}"))).expect_code(
            400,
            1,
            "Session ID unknown",
        );
    }
    expect_service(&server);
}

#[test]
fn upgrades_to_other_protocols_do_no_harm() {
    let server = victim();
    for (upgrade, lines) in
        [("h2c", "HTTP2-Settings: AAMAAABk\r\n"), ("constructor", ""), ("websocket2", ""), ("", "")]
    {
        for target in ["/socket.io/?EIO=4&transport=websocket", "/raw", "/nothing"] {
            let request = upgrade_head(target, lines)
                .replace("Upgrade: websocket", &format!("Upgrade: {upgrade}"));
            let mut wire = Wire::connect(&server);
            wire.send(request);
            let head = String::from_utf8(wire.read_until(b"\r\n\r\n")).unwrap();
            assert!(head.starts_with("HTTP/1.1 4"), "{upgrade} {target}: {head:?}");
        }
    }
    expect_service(&server);
}

#[test]
fn a_reset_at_any_byte_costs_that_connection_alone() {
    let server = victim();
    let mut requests = vec![
        upgrade_head("/socket.io/?EIO=4&transport=websocket", "").into_bytes(),
        engine_get("transport=polling").into_bytes(),
    ];
    requests[0].extend(masked_frame(0x81, b"40"));
    requests[0].extend(masked_frame(0x81, b"451-[\"echo\",{\"_placeholder\":true,\"num\":0}]"));
    requests[0].extend(masked_frame(0x82, b"attached"));
    requests[0].extend(masked_frame(0x88, b""));
    for request in &requests {
        for bytes in 0..=request.len() {
            let mut wire = Wire::connect(&server);
            wire.send(&request[..bytes]);
            wire.reset();
        }
    }
    let poller = handshake_polling(&server);
    let post = poller.post_bytes("40");
    for bytes in 0..post.len() {
        let poller = handshake_polling(&server);
        let post = poller.post_bytes("40");
        let mut wire = Wire::connect(&server);
        wire.send(&post[..bytes]);
        wire.reset();
    }
    expect_service(&server);
}

#[test]
fn bytes_behind_an_upgrade_request_are_a_bad_frame_and_no_more() {
    let server = victim();
    let mut poller = handshake_polling(&server);
    poller.join();
    for target in ["/socket.io/?EIO=4&transport=websocket", &poller.websocket_target(), "/raw"] {
        let mut wire = Wire::connect(&server);
        wire.send(upgrade_head(target, "") + "test");
        let all = wire.read_to_end();
        assert!(all.starts_with(b"HTTP/1.1 101 "));
        // A close frame with 1002 is the last that is said.
        assert!(all.ends_with(b"\x88\x02\x03\xea"), "{:?}", String::from_utf8_lossy(&all));
    }
    poller.post("42[\"echo\",1]");
    assert_eq!(poller.poll(), "42[\"echo\",1]");
    expect_service(&server);
}

#[test]
fn long_numbers_and_names_take_linear_time() {
    let server = victim();
    let digits = "9".repeat(900_000);
    let started = Instant::now();
    for packet in [
        format!("45{digits}-[\"echo\"]"),
        format!("45{digits}"),
        format!("42{digits}[\"echo\""),
        format!("43{digits}[]"),
        format!("40/{digits},"),
        format!("40/{digits}"),
        format!("42[\"{digits}\"]"),
        format!("42[\"echo\",{digits}"),
        format!("42[\"echo\",\"{}", "\\".repeat(900_000)),
        format!("42[{}", "[".repeat(900_000)),
        format!("42[\"echo\",{}", "{\"a\":".repeat(180_000)),
        format!("b{}", "=".repeat(900_000)),
    ] {
        let mut socket = WebSocket::joined(&server);
        socket.send(&packet);
        server.ask(|_| ());
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    expect_service(&server);
}

#[test]
fn a_post_of_tiny_packets_does_not_stop_the_others() {
    let server = victim();
    let mut poller = handshake_polling(&server);
    poller.join();
    let bytes = poller.post_bytes(vec!["6"; 499_999].join("\x1e"));
    poller.poster.send(bytes);
    expect_service(&server);
    poller.poster.response().expect(200, "ok");
}

#[test]
fn content_length_may_lie() {
    let server = victim_with(|config| {
        config.http.body_timeout = Duration::from_millis(200);
        config.engine.payload_bytes_max = 10_000;
    });
    let poller = handshake_polling(&server);
    let query = poller.query();
    let head = format!("POST /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: h\r\nContent-Length:");
    // Too much is refused before it comes.
    let mut wire = Wire::connect(&server);
    wire.ask(format!("{head} 18446744073709551615\r\n\r\n")).expect(413, "");
    // What never comes ends in time.
    let mut wire = Wire::connect(&server);
    wire.send(format!("{head} 9000\r\n\r\n4"));
    assert_eq!(wire.response().status, 408);
    // What comes beyond it is another request, and none.
    let poller = handshake_polling(&server);
    let mut wire = Wire::connect(&server);
    let post = poller.post_bytes("40");
    wire.send([&post[..], b"4000000\r\n\r\n"].concat());
    wire.response().expect(200, "ok");
    assert_eq!(wire.response().status, 400);
    expect_service(&server);
}

#[test]
fn empty_and_tiny_fragments_are_capped() {
    let server = victim();
    for payload in [&b""[..], b"x"] {
        let mut socket = WebSocket::joined(&server);
        let mut bytes = masked_frame(0x01, b"4");
        for _ in 0..5_000 {
            bytes.extend(masked_frame(0x00, payload));
        }
        socket.wire.send_anyway(bytes);
        socket.expect_close(Some(1_008));
    }
    expect_service(&server);
}

#[test]
fn too_many_headers_hide_no_upgrade() {
    let server = victim();
    let many = "X: y\r\n".repeat(200);
    for request in [
        upgrade_head("/socket.io/?EIO=4&transport=websocket", &many),
        upgrade_head("/socket.io/?EIO=4&transport=websocket", "")
            .replace("Connection: Upgrade\r\n", &format!("{many}Connection: Upgrade\r\n")),
    ] {
        let mut wire = Wire::connect(&server);
        assert_eq!(wire.ask(request).status, 431);
        wire.expect_end();
    }
    expect_service(&server);
}

#[test]
fn long_lists_in_headers_take_linear_time() {
    let server = victim();
    let started = Instant::now();
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Connection"] {
        for value in
            [" ".repeat(8_000) + "x", ", ".repeat(4_000), "a,".repeat(4_000), "constructor".into()]
        {
            let mut wire = Wire::connect(&server);
            let lines = format!("{name}: {value}\r\n");
            wire.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", &lines));
            let head = wire.read_until(b"\r\n\r\n");
            assert!(head.starts_with(b"HTTP/1.1 "));
        }
    }
    assert!(started.elapsed() < SOON);
    expect_service(&server);
}

#[test]
fn a_dribbled_head_costs_no_more_than_its_bytes() {
    let server = victim_with(|config| config.http.head_timeout = Duration::from_secs(60));
    let mut wire = Wire::connect(&server);
    wire.send("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n");
    let started = Instant::now();
    for _ in 0..20_000 {
        // Bytes that belong to one long header, until it is too long.
        if wire.stream.write_all(b"X").is_err() {
            break;
        }
    }
    assert_eq!(wire.response().status, 431);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    expect_service(&server);
}

#[test]
fn a_slow_head_has_a_deadline_however_steadily_it_comes() {
    let server = victim_with(|config| config.http.head_timeout = Duration::from_millis(300));
    let mut wire = Wire::connect(&server);
    let started = Instant::now();
    wire.send("GET / HTTP/1.1\r\nX: ");
    while started.elapsed() < Duration::from_millis(600) {
        wire.send_anyway("x");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(wire.response().status, 408);
    expect_service(&server);
}

#[test]
fn a_promised_length_takes_no_memory() {
    let server = victim();
    let before = resident_bytes();
    let mut sockets: Vec<WebSocket> = (0..200).map(|_| WebSocket::joined(&server)).collect();
    for socket in &mut sockets {
        // A frame that claims 900 KB, of which almost nothing comes.
        socket.wire.send(&masked_frame(0x82, &vec![0; 900_000])[..20]);
    }
    server.ask(|_| ());
    expect_service(&server);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 150_000_000, "{grown} bytes");
}

/// Writes until the peer takes no more for a while; `false` if it takes all.
fn is_held_back(wire: &mut Wire, bytes: &[u8], bytes_max: usize) -> bool {
    wire.stream.set_write_timeout(Some(Duration::from_millis(700))).unwrap();
    let mut written = 0;
    while written < bytes_max {
        match wire.stream.write(bytes) {
            Ok(count) => written += count,
            Err(_) => return true,
        }
    }
    false
}

#[test]
fn whoever_pings_without_reading_is_not_read_either() {
    let server = victim();
    let mut socket = WebSocket::joined(&server);
    let pings = masked_frame(0x89, &[b'x'; 125]).repeat(1_000);
    assert!(is_held_back(&mut socket.wire, &pings, 64_000_000));
    expect_service(&server);
}

#[test]
fn a_raw_websocket_that_does_not_read_is_not_read_either() {
    let server = victim();
    let mut socket = WebSocket::upgrade(&server, "/raw");
    let frames = masked_frame(0x82, &vec![b'x'; 50_000]).repeat(4);
    assert!(is_held_back(&mut socket.wire, &frames, 64_000_000));
    expect_service(&server);
    // Once it reads again it is read again: a whole frame was cut off at an unknown byte, so that
    // what is left of the echo arrives and nothing is lost of it.
    let echoed = socket.binary();
    assert_eq!(echoed, vec![b'x'; 50_000]);
}

#[test]
fn pipelined_requests_for_large_answers_take_no_memory() {
    let server = victim();
    let before = resident_bytes();
    let mut wire = Wire::connect(&server);
    wire.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n".repeat(1_000));
    expect_service(&server);
    std::thread::sleep(Duration::from_millis(300));
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 150_000_000, "{grown} bytes");
    // They are answered when they are read.
    for _ in 0..100 {
        assert_eq!(wire.response().body.len(), 1_000_000);
    }
}

/// A server of small limits with a client that doesn't read, and what it is told.
fn slow_consumer(configure: impl FnOnce(&mut Config) + Send + 'static) -> (Running, common::Log) {
    let (tell, told) = log();
    let server = serve_with(
        |config| {
            config.reactor.send_buffer_bytes = Some(8 * 1_024);
            configure(config);
        },
        |server| {
            declare(server);
            server.of("/").on_disconnect(move |_, reason| {
                drop(tell.send(format!("{} {reason}", reason.label())));
            });
        },
    );
    (server, told)
}

fn joined_slowly(server: &Running) -> WebSocket {
    let socket = WebSocket::joined(server);
    socket2::SockRef::from(&socket.wire.stream).set_recv_buffer_size(8 * 1_024).unwrap();
    socket
}

/// Broadcasts until something has been told, at most so many messages of 10 kB.
fn broadcast_until_told(server: &Running, told: &common::Log, messages_max: usize) -> String {
    for _ in 0..messages_max {
        server.ask(|io| {
            io.emit("n", &"x".repeat(10_000));
        });
        if let Some(line) = told.so_far().pop() {
            return line;
        }
    }
    told.next()
}

#[test]
fn a_slow_consumer_over_the_hard_limit_is_cut_off_at_once() {
    let (server, told) = slow_consumer(|config| {
        config.outgoing.hard_bytes_max = 500_000;
        config.outgoing.soft_bytes_max = 400_000;
    });
    let mut slow = joined_slowly(&server);
    let line = broadcast_until_told(&server, &told, 2_000);
    assert_eq!(line, "slow_consumer_hard forced close");
    // The system doesn't keep for it what the server threw away.
    let end = slow.wire.stream.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    let (closed, queued) = server.ask(|io| {
        (io.engine_counters().closed(DisconnectReason::SlowConsumerHard), io.queued_bytes())
    });
    assert_eq!((closed, queued), (1, 0));
    expect_service(&server);
}

#[test]
fn a_single_message_beyond_the_hard_limit_is_delivered() {
    let (server, told) = slow_consumer(|config| {
        config.outgoing.hard_bytes_max = 100_000;
        config.outgoing.soft_bytes_max = 50_000;
    });
    let mut socket = joined_slowly(&server);
    server.ask(|io| {
        io.emit("n", &"x".repeat(900_000));
    });
    assert_eq!(socket.text().len(), 900_010);
    assert!(told.so_far().is_empty());
}

#[test]
fn a_slow_consumer_over_the_soft_limit_for_long_is_cut_off() {
    let (server, told) = slow_consumer(|config| {
        config.outgoing.soft_bytes_max = 20_000;
        config.outgoing.soft_time_max = Duration::from_millis(300);
        config.outgoing.stall_time_max = Duration::from_secs(60);
    });
    let _slow = joined_slowly(&server);
    for _ in 0..200 {
        server.ask(|io| {
            io.emit("n", &"x".repeat(10_000));
        });
    }
    assert_eq!(told.next(), "slow_consumer_soft forced close");
    expect_service(&server);
}

#[test]
fn a_consumer_that_stalls_is_cut_off_and_one_that_catches_up_is_not() {
    let (server, told) =
        slow_consumer(|config| config.outgoing.stall_time_max = Duration::from_millis(1_500));
    let _stalled = joined_slowly(&server);
    let mut late = joined_slowly(&server);
    for _ in 0..60 {
        server.ask(|io| {
            io.emit("n", &"x".repeat(10_000));
        });
    }
    for _ in 0..60 {
        assert_eq!(late.text().len(), 10_010);
    }
    assert_eq!(told.next(), "slow_consumer_stalled forced close");
    server.ask(|io| {
        io.emit("n", &1);
    });
    assert_eq!(late.text(), "42[\"n\",1]");
    assert!(told.so_far().is_empty());
}

#[test]
fn the_largest_go_first_when_all_together_are_too_many() {
    let (server, told) = slow_consumer(|config| config.outgoing.total_bytes_max = 600_000);
    let _slow: Vec<WebSocket> = (0..3).map(|_| joined_slowly(&server)).collect();
    let mut healthy = WebSocket::joined(&server);
    let mut sent = 0;
    while told.so_far().is_empty() {
        server.ask(|io| {
            io.emit("n", &"x".repeat(10_000));
        });
        assert_eq!(healthy.text().len(), 10_010);
        sent += 1;
        assert!(sent < 2_000);
    }
    let closed = server.ask(|io| io.engine_counters().closed(DisconnectReason::SlowConsumerBudget));
    assert!(closed >= 1);
    let queued = server.ask(|io| io.queued_bytes());
    assert!(queued <= 600_000, "{queued}");
    expect_service(&server);
}

#[test]
fn a_polling_client_that_never_polls_is_a_slow_consumer_too() {
    let (server, told) = slow_consumer(|config| config.outgoing.hard_bytes_max = 300_000);
    let mut poller = handshake_polling(&server);
    poller.join();
    let line = broadcast_until_told(&server, &told, 100);
    assert_eq!(line, "slow_consumer_hard forced close");
    assert_eq!(server.ask(|io| io.queued_bytes()), 0);
    poller.expect_gone();
    expect_service(&server);
}

#[test]
fn a_connection_beyond_the_most_waits_for_its_turn() {
    let server = victim_with(|config| config.reactor.connections_max = Some(4));
    let mut open: Vec<WebSocket> = (0..4).map(|_| WebSocket::joined(&server)).collect();
    let mut waiting = Wire::connect(&server);
    waiting.send(upgrade_head("/socket.io/?EIO=4&transport=websocket", ""));
    waiting.expect_silence();
    drop(open.pop());
    WebSocket::upgraded(waiting);
    let last = open.last_mut().unwrap();
    last.send("42[\"echo\"]");
    assert_eq!(last.text(), "42[\"echo\"]");
}

#[test]
fn keys_of_connections_are_not_mixed_up_when_they_are_reused() {
    let server = victim();
    for _ in 0..30 {
        let mut open: Vec<WebSocket> = (0..10).map(|_| WebSocket::joined(&server)).collect();
        for (index, socket) in open.iter_mut().enumerate() {
            socket.send(&format!("42[\"echo\",{index}]"));
        }
        // Half of them go while their answers are on the way.
        let mut index = 0;
        open.retain(|_| {
            index += 1;
            index % 2 == 0
        });
        for (place, socket) in open.iter_mut().enumerate() {
            assert_eq!(socket.text(), format!("42[\"echo\",{}]", place * 2 + 1));
        }
    }
    server.wait_for_sessions(0);
    expect_service(&server);
}

/// The program in a process of its own, so that its descriptors can be limited.
#[test]
fn running_out_of_descriptors_neither_ends_nor_spins_the_server() {
    use std::io::{BufRead, BufReader};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};

    let program = env!("CARGO_BIN_EXE_throng");
    let script =
        format!("ulimit -n 40; exec {program} --host 127.0.0.1 --port 0 --max-connections 500");
    let mut process =
        Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = lines
        .find_map(|line| Some(line.unwrap().strip_prefix("Listening on http://")?.to_owned()))
        .unwrap();
    let open: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    std::thread::sleep(Duration::from_millis(300));
    let busy_before = cpu_ticks(process.id());
    std::thread::sleep(Duration::from_secs(1));
    let busy = cpu_ticks(process.id()) - busy_before;
    drop(open);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
    let mut status = String::new();
    let answered = BufReader::new(stream).read_line(&mut status);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(answered.is_ok() && status.starts_with("HTTP/1.1 200"), "{answered:?} {status:?}");
    assert!(busy < 30, "{busy} of 100 ticks");
}

/// Hundredths of a second that a process has been running on a processor.
fn cpu_ticks(process: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

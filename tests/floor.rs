//! The floor of the benches, over TCP: one that loses bytes, or answers wrongly, is no floor.
//!
//! ```text
//! 40  ->  40{"sid":".."}    42["chat",1]  ->  42["chat",1] to everybody
//! ```

#[path = "../benches/floor/server.rs"]
mod server;
#[path = "../benches/floor/wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use server::{Floor, Sending};
use tungstenite::{Message, WebSocket};
use wire::{Frame, Packet, Refused, Speaks, TEXT, Upgrade, frame};

type Client = WebSocket<TcpStream>;

const SENDINGS: [Sending; 3] = [Sending::Bare, Sending::Looking(2), Sending::Joined];

/// A floor in a thread that ends with the test's process.
fn floor(sending: Sending) -> SocketAddr {
    let Ok(mut floor) = Floor::bind(SocketAddr::from(([127, 0, 0, 1], 0)), sending) else {
        panic!("no floor")
    };
    let Ok(address) = floor.local_address() else { panic!("no address") };
    std::thread::spawn(move || floor.run());
    address
}

fn connect(address: SocketAddr, path: &str) -> Client {
    let stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("takes a timeout");
    let url = format!("ws://{address}{path}");
    tungstenite::client(url, stream).expect("upgrades").0
}

fn join(address: SocketAddr) -> Client {
    let mut client = connect(address, "/socket.io/?EIO=4&transport=websocket");
    let open = hear(&mut client);
    assert!(open.starts_with("0{\"sid\":\""), "{open}");
    assert!(open.contains("\"pingInterval\":3000000,\"pingTimeout\":20000"), "{open}");
    say(&mut client, "40");
    assert!(hear(&mut client).starts_with("40{\"sid\":\""));
    client
}

fn say(client: &mut Client, text: &str) {
    client.send(Message::text(text)).expect("is sent");
}

fn hear(client: &mut Client) -> String {
    client.read().expect("is there").into_text().expect("is text").to_string()
}

#[test]
fn answers_as_the_application_does() {
    for sending in SENDINGS {
        let address = floor(sending);
        let mut clients = [join(address), join(address), join(address), join(address)];
        let [first, ..] = &mut clients;
        say(first, "42[\"echo\",1,\"two\"]");
        assert_eq!(hear(first), "42[\"echo\",1,\"two\"]");
        say(first, "4217[\"ack-echo\",1,\"two\"]");
        assert_eq!(hear(first), "4317[1,\"two\"]");
        say(first, "4218[\"ack-echo\"]");
        assert_eq!(hear(first), "4318[]");
        say(first, "42[\"join\",\"room\"]");
        for number in 0..5 {
            say(first, &format!("42[\"chat\",{number}]"));
        }
        for client in &mut clients {
            for number in 0..5 {
                assert_eq!(hear(client), format!("42[\"chat\",{number}]"), "{sending:?}");
            }
        }
    }
}

#[test]
fn echoes_on_any_other_path_and_says_nothing_first() {
    let mut client = connect(floor(Sending::Bare), "/raw");
    say(&mut client, "hello");
    assert_eq!(hear(&mut client), "hello");
    say(&mut client, "40");
    assert_eq!(hear(&mut client), "40");
}

/// Far more than the sockets' buffers hold is sent to one that doesn't read before all is said.
#[test]
fn loses_no_byte_where_a_socket_is_full() {
    for sending in SENDINGS {
        let address = floor(sending);
        let (mut reader, mut talker) = (join(address), join(address));
        let padding = "x".repeat(100_000);
        for number in 0..200 {
            say(&mut talker, &format!("42[\"chat\",{number},\"{padding}\"]"));
            let own = hear(&mut talker);
            assert_eq!(own.len(), format!("42[\"chat\",{number},\"\"]").len() + padding.len());
        }
        for number in 0..200 {
            let expected = format!("42[\"chat\",{number},\"{padding}\"]");
            assert!(hear(&mut reader) == expected, "{sending:?}, message {number}");
        }
    }
}

#[test]
fn closes_on_binary_and_serves_the_others() {
    let address = floor(Sending::Bare);
    let (mut one, mut other) = (join(address), join(address));
    one.send(Message::binary(vec![1, 2, 3])).expect("is sent");
    assert!(one.read().is_err());
    say(&mut other, "42[\"chat\",1]");
    assert_eq!(hear(&mut other), "42[\"chat\",1]");
}

#[test]
fn understands_what_comes_byte_by_byte() {
    let mut stream = TcpStream::connect(floor(Sending::Bare)).expect("connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("takes a timeout");
    stream.set_nodelay(true).expect("takes an option");
    let head = b"GET /raw HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for &byte in head.iter().chain(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58") {
        stream.write_all(&[byte]).expect("is sent");
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x05Hello") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("answers");
        answer.extend_from_slice(&byte);
    }
    let accept = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05Hello";
    assert!(answer.ends_with(accept));
}

#[test]
fn a_frame_is_whole_or_awaited_and_is_unmasked_where_it_lies() {
    // "Hello", as RFC 6455 has it in 5.7, and the first byte of a frame after it.
    let bytes = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x81";
    for end in 0..11 {
        assert_eq!(Frame::parse(&mut bytes[..end].to_vec()), Ok(None), "{end} bytes");
    }
    let mut input = bytes.to_vec();
    let expected = Frame { opcode: TEXT, payload: b"Hello", bytes: 11 };
    assert_eq!(Frame::parse(&mut input), Ok(Some(expected)));
}

#[test]
fn refuses_what_it_would_have_to_remember() {
    for bytes in [
        // In the clear, the first of several, and two gigabytes long.
        &b"\x81\x05Hello"[..],
        b"\x01\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        b"\x81\xff\0\0\0\0\x80\0\0\0\0\0\0\0",
    ] {
        assert_eq!(Frame::parse(&mut bytes.to_vec()), Err(Refused), "{bytes:x?}");
    }
}

#[test]
fn makes_frames_of_every_length() {
    assert_eq!(frame(TEXT, &[b"4", b"3"]), b"\x81\x0243");
    assert_eq!(frame(TEXT, &[&[b'x'; 126]])[..5], *b"\x81\x7e\x00\x7ex");
    assert_eq!(frame(TEXT, &[&vec![b'x'; 65_536]])[..11], *b"\x81\x7f\0\0\0\0\0\x01\0\0x");
}

#[test]
fn knows_the_packets_of_the_application() {
    let ack = |args| Packet::AckEcho { id: b"17", args };
    for (text, packet) in [
        ("40", Packet::Connect),
        ("40{\"token\":1}", Packet::Connect),
        ("42[\"chat\",{\"at\":1}]", Packet::Chat),
        ("42[\"echo\",1]", Packet::Echo),
        ("4217[\"ack-echo\",1,\"]\"]", ack(b"1,\"]\"]")),
        ("4217[\"ack-echo\"]", ack(b"]")),
        ("42[\"ack-echo\",1]", Packet::Other),
        ("42[\"join\",\"room\"]", Packet::Other),
        ("3", Packet::Other),
        ("", Packet::Other),
        ("41", Packet::Close),
        ("1", Packet::Close),
    ] {
        assert_eq!(Packet::parse(text.as_bytes()), packet, "{text}");
    }
}

#[test]
fn reads_a_head_in_any_number_of_pieces() {
    let head = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for end in 0..head.len() {
        assert_eq!(Upgrade::parse(&head[..end]), Ok(None), "{end} bytes");
    }
    let key = b"dGhlIHNhbXBsZSBub25jZQ==".to_vec();
    let expected = Upgrade { speaks: Speaks::SocketIo, key: key.clone(), bytes: head.len() };
    assert_eq!(Upgrade::parse(head), Ok(Some(expected)));
    let raw = String::from_utf8_lossy(head).replace("/socket.io/", "/raw");
    let expected = Upgrade { speaks: Speaks::Raw, key, bytes: raw.len() };
    assert_eq!(Upgrade::parse(raw.as_bytes()), Ok(Some(expected)));
    assert_eq!(Upgrade::parse(b"GET / HTTP/1.1\r\n\r\n"), Err(Refused));
}

const PATIENCE: Duration = Duration::from_secs(20);

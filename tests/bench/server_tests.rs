//! The scripted server itself, against an independent WebSocket client: who checks the checker.
//!
//! ```text
//! < 0{"sid":..}   > 40   < 40{"sid":..}   > 42["chat","~tb1.."]   < 42["chat","~tb1.."]
//! ```

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};

use crate::payload::{Mark, Unmarked};
use crate::server::{Deed, Ending, Refusal, Script, ScriptedServer};

/// A client in a namespace.
struct Client {
    socket: WebSocket<TcpStream>,
}

impl Client {
    fn open(server: &ScriptedServer) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address());
        let (socket, _) = tungstenite::client(url, stream).unwrap();
        let mut client = Self { socket };
        assert!(client.read().starts_with("0{\"sid\""));
        client
    }

    fn join(server: &ScriptedServer) -> Self {
        let mut client = Self::open(server);
        client.send("40");
        assert!(client.read().starts_with("40{\"sid\""));
        client
    }

    fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    fn read(&mut self) -> String {
        self.socket.read().unwrap().into_text().unwrap().to_string()
    }

    /// Reads until the connection ends; gives how many messages came.
    fn read_to_end(&mut self) -> usize {
        std::iter::from_fn(|| self.socket.read().ok()).filter(Message::is_text).count()
    }

    /// The sequence numbers of the next events, `None` for what is corrupted.
    fn sequences<const N: usize>(&mut self) -> [Option<u32>; N] {
        [(); N].map(|()| read_mark(&self.read()).ok().map(|mark| mark.sequence))
    }
}

fn mark(sequence: u32) -> Mark {
    Mark { run: 7, stream: 0, sequence, intended_ns: 1, sent_ns: 2 }
}

fn event(name: &str, sequence: u32) -> String {
    format!("42[\"{name}\",{}]", payload(sequence))
}

fn payload(sequence: u32) -> String {
    let mut payload = Vec::new();
    mark(sequence).write(64, &mut payload);
    format!("\"{}\"", String::from_utf8(payload).unwrap())
}

fn read_mark(text: &str) -> Result<Mark, Unmarked> {
    let from = crate::payload::find(text.as_bytes(), 0).ok_or(Unmarked::Absent)?;
    let payload = text[from..].split('"').next().unwrap();
    Mark::read(payload.as_bytes(), 64)
}

/// Two clients, the first of which sends three broadcasts: deliveries 1 to 6, odd for the first.
fn three_broadcasts(script: Script) -> (Client, Client, ScriptedServer) {
    let server = ScriptedServer::start(script);
    let (mut first, second) = (Client::join(&server), Client::join(&server));
    (0..3).for_each(|sequence| first.send(&event("chat", sequence)));
    (first, second, server)
}

#[test]
fn everybody_gets_each_broadcast_in_order_and_the_record_tells_when() {
    let (mut first, mut second, server) = three_broadcasts(Script::new());
    assert_eq!(first.read(), event("chat", 0));
    assert_eq!(first.sequences(), [Some(1), Some(2)]);
    assert_eq!(second.sequences(), [Some(0), Some(1), Some(2)]);
    let record = server.stop();
    assert_eq!((record.attempts, record.joined, record.due()), (2, 2, 6));
    let to: Vec<_> = record.deliveries.iter().map(|delivery| delivery.client).collect();
    assert_eq!(to, [0, 1, 0, 1, 0, 1]);
    let (least, most) = record.latency_bounds();
    assert_eq!((least.len(), most.len()), (6, 6));
}

#[test]
fn echoes_acks_and_attachments_come_back_as_they_were() {
    let server = ScriptedServer::start(Script::new());
    let mut client = Client::open(&server);
    client.send("40/admin,");
    assert!(client.read().starts_with("40/admin,{\"sid\""));
    client.send(&format!("42/admin,[\"echo\",{}]", payload(0)));
    assert_eq!(client.read(), format!("42/admin,[\"echo\",{}]", payload(0)));
    client.send("42/admin,[\"echo\",\"hello\"]");
    assert_eq!(client.read(), "42/admin,[\"echo\",\"hello\"]");
    client.send("42/admin,17[\"ack-echo\",\"hello\",1]");
    assert_eq!(client.read(), "43/admin,17[\"hello\",1]");
    client.send("451-/admin,[\"chat\",{\"_placeholder\":true,\"num\":0}]");
    client.socket.send(Message::binary(vec![1, 2, 3])).unwrap();
    assert_eq!(client.read(), "451-/admin,[\"chat\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(client.socket.read().unwrap().into_data(), vec![1, 2, 3]);
    assert_eq!(server.stop().due(), 1, "what has no mark is no delivery of the run");
}

#[test]
fn one_is_dropped_one_comes_twice_and_two_change_places() {
    let (mut first, mut second, _server) =
        three_broadcasts(Script::new().at(2, Deed::Drop).at(3, Deed::Twice));
    assert_eq!(second.sequences(), [Some(1), Some(2)]);
    assert_eq!(first.sequences(), [Some(0), Some(1), Some(1), Some(2)]);
    let (mut first, mut second, _server) = three_broadcasts(Script::new().at(1, Deed::Swap));
    assert_eq!(first.sequences(), [Some(1), Some(0), Some(2)]);
    assert_eq!(second.sequences(), [Some(0), Some(1), Some(2)]);
}

#[test]
fn payloads_are_spoiled_and_former_runs_come_back() {
    let script = Script::new().at(1, Deed::Corrupt(20)).at(3, Deed::Truncate(1));
    let (mut first, _second, _server) = three_broadcasts(script.at(5, Deed::FormerRun));
    assert_eq!(first.sequences(), [None, None]);
    let former = read_mark(&first.read()).unwrap();
    assert_eq!((former.run, former.sequence), (6, 2));
    assert_eq!(read_mark(&first.read()).unwrap(), mark(2));
}

#[test]
fn a_delivery_is_held_back_and_a_stall_holds_back_everything() {
    let begin = Instant::now();
    let script = Script::new().at(1, Deed::Delay(Duration::from_millis(60)));
    let (mut first, _second, _server) = three_broadcasts(script);
    assert_eq!(first.sequences(), [Some(0), Some(1), Some(2)]);
    assert!(begin.elapsed() >= Duration::from_millis(60));
    let begin = Instant::now();
    let script = Script::new().at(1, Deed::Stall(Duration::from_millis(60)));
    let (_first, mut second, _server) = three_broadcasts(script);
    assert_eq!(second.sequences(), [Some(0), Some(1), Some(2)]);
    assert!(begin.elapsed() >= Duration::from_millis(60));
}

#[test]
fn a_room_is_for_its_members_and_once_for_a_stranger() {
    let server = ScriptedServer::start(Script::new().at(2, Deed::Stray));
    let (mut member, mut stranger) = (Client::join(&server), Client::join(&server));
    member.send("42[\"join\",\"blue\"]");
    member.send(&format!("42[\"room\",\"blue\",{}]", payload(0)));
    member.send(&format!("42[\"room\",\"blue\",{}]", payload(1)));
    assert_eq!(member.sequences(), [Some(0), Some(1)]);
    assert_eq!(stranger.sequences(), [Some(1)]);
    assert_eq!(server.stop().due(), 2);
}

#[test]
fn however_messages_are_cut_they_are_the_same() {
    let script = Script::new().at(1, Deed::Fragment).at(3, Deed::Dribble).at(2, Deed::Join);
    let (mut first, mut second, _server) = three_broadcasts(script);
    assert_eq!(first.sequences(), [Some(0), Some(1), Some(2)]);
    assert_eq!(second.sequences(), [Some(0), Some(1), Some(2)]);
}

#[test]
fn connections_are_closed_by_frame_and_by_reset() {
    let script = Script::new().at(3, Deed::Close(Ending::Frame)).at(4, Deed::Close(Ending::Reset));
    let (mut first, mut second, server) = three_broadcasts(script);
    assert_eq!(first.read_to_end(), 1);
    assert!(second.read_to_end() <= 1, "a reset may eat what was on its way");
    assert_eq!(server.stop().closed, 2);
}

#[test]
fn attempts_are_refused_each_in_its_way() {
    let script = Script::new().refuse(1, Refusal::Unavailable).refuse(2, Refusal::Reset);
    let server = ScriptedServer::start(script.refuse(3, Refusal::Namespace));
    let address = server.address();
    let attempt = move || {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        tungstenite::client(url, TcpStream::connect(address).unwrap())
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert!(attempt().unwrap_err().contains("503"));
    attempt().unwrap_err();
    let mut client = Client::open(&server);
    client.send("40");
    assert_eq!(client.read(), "44{\"message\":\"refused\"}");
    let record = server.stop();
    assert_eq!((record.attempts, record.refused, record.joined), (3, 3, 0));
}

#[test]
fn who_answers_pings_stays_and_who_doesnt_is_closed() {
    let (interval, timeout) = (Duration::from_millis(20), Duration::from_millis(500));
    let server = ScriptedServer::start(Script::new().heartbeat(interval, timeout));
    let mut client = Client::join(&server);
    for _ in 0..3 {
        assert_eq!(client.read(), "2");
        client.send("3");
    }
    assert_eq!(client.read_to_end(), 1, "a ping, and then the end");
    let record = server.stop();
    assert_eq!((record.pings, record.pongs, record.pongs_missed), (4, 3, 1));
}

#[test]
fn polling_delivers_and_upgrades() {
    let server = ScriptedServer::start(Script::new());
    let ask = |request: String| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = head.split("Content-Length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    };
    let get = |query: &str| ask(format!("GET /socket.io/?EIO=4{query} HTTP/1.1\r\n\r\n"));
    let post = |body: &str| {
        let length = body.len();
        ask(format!("POST /socket.io/?sid=0 HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{body}"))
    };
    assert!(get("").starts_with("0{\"sid\":\"0\",\"upgrades\":[\"websocket\"]"));
    assert_eq!(post("40\u{1e}42[\"echo\",1]"), "ok");
    assert!(get("&sid=0").starts_with("40{\"sid\""));
    assert_eq!(get("&sid=0"), "42[\"echo\",1]");
    post("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID");
    assert!(get("&sid=0").ends_with("]\u{1e}bAQID"));
    let url = format!("ws://{}/socket.io/?EIO=4&sid=0", server.address());
    let stream = TcpStream::connect(server.address()).unwrap();
    let mut client = Client { socket: tungstenite::client(url, stream).unwrap().0 };
    client.send("2probe");
    assert_eq!(client.read(), "3probe");
    client.send("5");
    client.send("42[\"echo\",2]");
    assert_eq!(client.read(), "42[\"echo\",2]");
    assert_eq!(server.stop().upgraded, 1);
}

#[test]
fn clients_of_engine_io_3_are_let_in_and_answered() {
    let server = ScriptedServer::start(Script::new());
    let stream = TcpStream::connect(server.address()).unwrap();
    let url = format!("ws://{}/socket.io/?EIO=3&transport=websocket", server.address());
    let mut client = Client { socket: tungstenite::client(url, stream).unwrap().0 };
    assert!(client.read().starts_with("0{\"sid\""));
    assert_eq!(client.read(), "40");
    client.send("2");
    assert_eq!(client.read(), "3");
    client.send("40/news,");
    assert_eq!(client.read(), "40/news,");
    client.send("451-/news,[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    client.socket.send(Message::binary(vec![4, 1, 2, 3])).unwrap();
    assert!(client.read().starts_with("451-/news,[\"echo\""));
    assert_eq!(client.socket.read().unwrap().into_data(), [4, 1, 2, 3].as_slice());
    let record = server.stop();
    assert_eq!((record.joined, record.pings, record.pongs), (1, 1, 1));
}

#[test]
fn a_bare_websocket_is_echoed_or_passed_on() {
    for passes_on in [false, true] {
        let script = if passes_on { Script::new().passes_on() } else { Script::new() };
        let server = ScriptedServer::start(script);
        let open = || {
            let stream = TcpStream::connect(server.address()).unwrap();
            let url = format!("ws://{}/any", server.address());
            Client { socket: tungstenite::client(url, stream).unwrap().0 }
        };
        let (mut one, mut other) = (open(), open());
        one.send("hello");
        assert_eq!(one.read(), "hello");
        other.send("world");
        if passes_on {
            assert_eq!(other.read(), "hello");
        }
        assert_eq!(other.read(), "world");
    }
}

//! Servers whose packets are not JSON: msgpack, and parsers of the host's own, good and bad.
//!
//! ```text
//! > 82 .. {"type":2,"nsp":"/","data":["echo",1]}
//! < 82 .. {"type":2,"nsp":"/","data":["echo",1]}
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};
use throng::config::Config;
use throng::{
    Binary, EncodedPacket, IncomingPacket, JsonParser, MsgpackParser, OutgoingPacket, OwnedArgs,
    PacketKind, Parser, ParserError, ParserLimits, Partial, RawMessage, Refusal,
};

use super::handlers::Log;
use super::{UPGRADE, World, frame};

fn world(parser: impl Parser) -> World {
    let mut world = World::new(Config::default());
    world.server.set_parser(parser);
    world
}

impl World {
    fn upgrade(&mut self) -> usize {
        let client = self.connect();
        self.send(client, UPGRADE);
        self.settle();
        self.received(client);
        client
    }

    fn say_binary(&mut self, client: usize, bytes: &[u8]) {
        let length = u8::try_from(bytes.len()).unwrap();
        assert!(length <= 125);
        self.send(client, [&[0x82, 0x80 | length, 0, 0, 0, 0], bytes].concat());
        self.settle();
    }

    fn say_msgpack(&mut self, client: usize, packet: &Value) {
        self.say_binary(client, &rmp_serde::to_vec(packet).unwrap());
    }

    /// The packets in the binary frames that came, which must be all that came.
    fn hear_msgpack(&mut self, client: usize) -> Vec<Value> {
        let received = self.server.net_mut().received(client);
        let mut rest = &received[..];
        let mut packets = Vec::new();
        while let [0x82, length @ 0..=125, behind @ ..] = rest {
            let (packet, behind) = behind.split_at(usize::from(*length));
            packets.push(rmp_serde::from_slice(packet).unwrap());
            rest = behind;
        }
        assert!(rest.is_empty(), "{rest:?}");
        packets
    }

    fn join_msgpack(&mut self) -> usize {
        let client = self.upgrade();
        self.say_msgpack(client, &json!({ "type": 0, "nsp": "/" }));
        let reply = self.hear_msgpack(client);
        assert_eq!(reply.len(), 1);
        assert_eq!((&reply[0]["type"], &reply[0]["nsp"]), (&json!(0), &json!("/")));
        assert_eq!(reply[0]["data"]["sid"].as_str().unwrap().len(), 20);
        client
    }
}

#[test]
fn clients_and_server_may_talk_in_msgpack() {
    let mut world = world(MsgpackParser);
    let log = Log::default();
    let told = log.clone();
    world
        .server
        .of("/")
        .on_raw("echo", |socket, args, _| {
            socket.emit("echo", args);
        })
        .on_with_ack("add", |_, (a, b): (i64, i64)| a + b)
        .on("keys", move |_, (map, bytes): (BTreeMap<String, u8>, Binary)| {
            told.tell(format!("{map:?} {bytes:?}"));
        })
        .on("ask", |socket, (): ()| {
            socket.emit_with_raw_ack("question", (), |socket, answer| {
                socket.emit("answered", answer.unwrap());
            });
        });
    let client = world.join_msgpack();
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": ["echo", { "a": [1.5] }] }));
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": ["add", 1, 2.0], "id": 7 }));
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": ["keys", { "k": 1 }, [2]] }));
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": ["ask"] }));
    world.say_msgpack(client, &json!({ "type": 3, "nsp": "/", "data": ["yes", 1], "id": 0 }));
    assert_eq!(
        world.hear_msgpack(client),
        [
            json!({ "type": 2, "nsp": "/", "data": ["echo", { "a": [1.5] }] }),
            json!({ "type": 3, "nsp": "/", "id": 7, "data": [3] }),
            json!({ "type": 2, "nsp": "/", "id": 0, "data": ["question"] }),
            json!({ "type": 2, "nsp": "/", "data": ["answered", "yes", 1] }),
        ]
    );
    assert_eq!(log.take(), ["{\"k\": 1} Binary([2])"]);
}

#[test]
fn namespaces_are_refused_and_left_in_msgpack() {
    let mut world = world(MsgpackParser);
    world.server.of("/deny").middleware(|socket| {
        let auth: Value = socket.handshake().auth().unwrap();
        Err(Refusal::new("no").data(&auth))
    });
    world.server.of("/").on("leave", |socket, (): ()| socket.disconnect());
    let client = world.join_msgpack();
    world.say_msgpack(client, &json!({ "type": 0, "nsp": "/none" }));
    world.say_msgpack(client, &json!({ "type": 0, "nsp": "/deny", "data": { "a": [1] } }));
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": ["leave"] }));
    assert_eq!(
        world.hear_msgpack(client),
        [
            json!({ "type": 4, "nsp": "/none", "data": { "message": "Invalid namespace" } }),
            json!({ "type": 4, "nsp": "/deny", "data": { "message": "no", "data": { "a": [1] } } }),
            json!({ "type": 1, "nsp": "/" }),
        ]
    );
}

#[test]
fn what_is_no_packet_in_msgpack_costs_its_session_alone() {
    let mut world = world(MsgpackParser);
    world.server.of("/").on("a", |socket, (): ()| {
        socket.emit("b", ());
    });
    let served = world.join_msgpack();
    let deep = [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x91\xa1a"[..], &[0x91; 99]].concat();
    for bytes in [&b""[..], b"\xc1", b"\x80", b"\xdf\xff\xff\xff\xff\xa4type", b"2[\"a\"]", &deep] {
        let client = world.join_msgpack();
        world.say_binary(client, bytes);
        assert_eq!(world.server.of("/").sockets_len(), 1, "{bytes:?}");
    }
    let client = world.join_msgpack();
    world.send(client, frame(0x81, "42[\"a\"]"));
    world.settle();
    assert_eq!(world.server.of("/").sockets_len(), 1);
    assert_eq!(world.server.io().socket_counters().decode_errors, 7);
    world.say_msgpack(served, &json!({ "type": 2, "nsp": "/", "data": ["a"] }));
    assert_eq!(world.hear_msgpack(served).len(), 1);
}

#[test]
fn bytes_are_sent_within_the_packet() {
    let mut world = world(MsgpackParser);
    let client = world.upgrade();
    world.say_msgpack(client, &json!({ "type": 0, "nsp": "/" }));
    world.hear_msgpack(client);
    let emitted = world.server.emit("a", &Binary(vec![1]));
    assert_eq!(emitted.queued, 1);
    world.settle();
    let received = world.server.net_mut().received(client);
    assert!(received.ends_with(b"\x92\xa1a\xc4\x01\x01"), "{received:?}");
}

/// `[kind,namespace,id,data]` in JSON; a packet with `true` as its first argument comes in two
/// messages, the second of which is thrown away.
struct Plain;

impl Parser for Plain {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        let OutgoingPacket { kind, namespace, id, data, .. } = packet;
        match data.get::<String>(0).as_deref() {
            Ok("error") => return Err("as the event says".into()),
            Ok("panic") => panic!("as the event says"),
            _ => {}
        }
        let text = serde_json::to_string(&(kind.number(), namespace, id, data.as_seq()))?;
        Ok(EncodedPacket::text(text))
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        _: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        let text = match message {
            RawMessage::Text("panic") => panic!("as the message says"),
            RawMessage::Text("more") => {
                let count = partial.take::<usize>().unwrap_or_default();
                partial.keep(count + 1);
                return Ok(None);
            }
            RawMessage::Text("count") => {
                let count = partial.take::<usize>().unwrap_or_default();
                let data = OwnedArgs::new(("echo", &count))?;
                return Ok(Some(IncomingPacket::new(PacketKind::Event, "/", None, data)));
            }
            RawMessage::Text(text) => text,
            RawMessage::Binary(_) => return Err("binary".into()),
        };
        let (kind, namespace, id, data): (u8, String, Option<u64>, OwnedArgs) =
            serde_json::from_str(text)?;
        let kind = PacketKind::from_number(kind).ok_or("unknown type")?;
        Ok(Some(IncomingPacket::new(kind, namespace, id, data)))
    }
}

/// A server that speaks `Plain`, and a client that has joined.
fn plain() -> (World, usize) {
    let mut world = world(Plain);
    world.server.of("/").on_raw("echo", |socket, args, ack| match ack {
        Some(ack) => ack.send(args),
        None => {
            socket.emit("echo", args);
        }
    });
    let client = world.upgrade();
    world.say(client, "[0,\"/\",null,[{\"token\":1}]]");
    let received = world.received(client);
    assert!(received.contains("4[0,\"/\",null,[{\"sid\":\""), "{received}");
    (world, client)
}

#[test]
fn a_parser_of_the_host_s_own_is_all_a_client_needs() {
    let (mut world, client) = plain();
    world.server.of("/").on_connect(|socket| {
        let auth: Value = socket.handshake().auth().unwrap_or_default();
        socket.emit("auth", &auth);
    });
    world.say(client, "[2,\"/\",null,[\"echo\",{\"a\":1}]]");
    assert!(world.received(client).ends_with("4[2,\"/\",null,[\"echo\",{\"a\":1}]]"));
    world.say(client, "[2,\"/\",9,[\"echo\",1,2]]");
    assert!(world.received(client).ends_with("4[3,\"/\",9,[1,2]]"));
    world.say(client, "[0,\"/none\",null,[]]");
    let refused = "4[4,\"/none\",null,[{\"message\":\"Invalid namespace\"}]]";
    assert!(world.received(client).ends_with(refused));
    world.say(client, "[1,\"/\",null,[]]");
    assert_eq!(world.server.of("/").sockets_len(), 0);
    world.say(client, "[0,\"/\",null,[{\"token\":1}]]");
    assert!(world.received(client).ends_with("4[2,\"/\",null,[\"auth\",{\"token\":1}]]"));
}

#[test]
fn a_packet_of_several_messages_is_kept_until_it_is_whole() {
    let (mut world, client) = plain();
    let other = world.upgrade();
    world.say(other, "[0,\"/\",null,[]]");
    world.say(client, "more");
    world.say(other, "count");
    world.say(client, "more");
    world.say(client, "count");
    assert!(world.received(client).ends_with("[\"echo\",2]]"));
    assert!(world.received(other).ends_with("[\"echo\",0]]"));
    // One message more than a packet may have: eleven, by default.
    for _ in 0..12 {
        world.say(client, "more");
    }
    assert_eq!(world.server.of("/").sockets_len(), 1);
    assert_eq!(world.server.io().socket_counters().decode_errors, 1);
}

#[test]
fn a_parser_that_fails_or_panics_costs_one_session() {
    for bad in ["panic", "[9,\"/\",null,[]]", "{", "[0,\"/x\",null,[1]]", "[4,\"/\",null,[\"no\"]]"]
    {
        let (mut world, client) = plain();
        let other = world.upgrade();
        world.say(other, "[0,\"/\",null,[]]");
        world.say(client, bad);
        assert_eq!(world.server.of("/").sockets_len(), 1, "{bad}");
        world.say(other, "[2,\"/\",null,[\"echo\"]]");
        assert!(world.received(other).ends_with("[\"echo\"]]"), "{bad}");
    }
    let (mut world, client) = plain();
    world.server.emit("error", ());
    world.server.emit("panic", &1);
    world.server.emit("fine", ());
    world.settle();
    assert_eq!(world.received(client).matches("4[").count(), 1);
    assert_eq!(world.server.io().socket_counters().encode_errors, 2);
}

/// The parser within, its messages with a mark in front.
struct Marked<P>(P);

impl<P: Parser> Parser for Marked<P> {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        let encoded = self.0.encode(packet)?;
        let mut messages = encoded.messages();
        let first = match messages.next() {
            Some(RawMessage::Text(text)) => EncodedPacket::text(format!("!{text}")),
            Some(RawMessage::Binary(bytes)) => EncodedPacket::binary([b"!", bytes].concat()),
            None => return Err("empty".into()),
        };
        Ok(messages.fold(first, |packet, message| match message {
            RawMessage::Binary(bytes) => packet.attachment(bytes),
            RawMessage::Text(text) => packet.attachment(text),
        }))
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        limits: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        let message = match message {
            RawMessage::Text(text) => RawMessage::Text(text.strip_prefix('!').ok_or("no mark")?),
            RawMessage::Binary(bytes) => {
                RawMessage::Binary(bytes.strip_prefix(b"!").unwrap_or(bytes))
            }
        };
        self.0.decode(message, partial, limits)
    }
}

#[test]
fn the_parsers_that_come_with_the_library_may_be_wrapped() {
    let mut world = world(Marked(JsonParser));
    world.server.of("/").on_raw("echo", |socket, args, _| {
        socket.emit("echo", args);
    });
    let client = world.upgrade();
    world.say(client, "!0");
    assert!(world.received(client).contains("4!0{\"sid\":\""));
    world.say(client, "!51-[\"echo\",{\"_placeholder\":true,\"num\":0}]");
    world.say_binary(client, &[1, 2]);
    let received = world.received(client);
    let expected = "4!51-[\"echo\",{\"_placeholder\":true,\"num\":0}]";
    assert!(received.contains(expected) && received.ends_with("\u{2}\u{1}\u{2}"), "{received:?}");

    let mut world = self::world(Marked(MsgpackParser));
    let client = world.upgrade();
    world.say_binary(client, b"!\x82\xa4type\x00\xa3nsp\xa1/");
    let received = world.received(client);
    assert!(received.contains("!\u{fffd}\u{fffd}type\u{0}\u{fffd}nsp\u{fffd}/"), "{received:?}");
    assert_eq!(world.server.of("/").sockets_len(), 1);
}

#[test]
fn events_that_are_pulled_keep_their_msgpack_and_answer_in_it() {
    let mut world = world(MsgpackParser);
    world.server.of("/").pull();
    let client = world.join_msgpack();
    assert!(matches!(world.server.next_event(), Some(throng::Event::Connected(_))));
    let data = json!(["add", 1, 2]);
    world.say_msgpack(client, &json!({ "type": 2, "nsp": "/", "data": data, "id": 7 }));
    let Some(throng::Event::Message(message)) = world.server.next_event() else {
        panic!("a message")
    };
    let (a, b): (i64, i64) = message.parse().unwrap();
    message.answer(&(a + b));
    world.settle();
    let answer = world.hear_msgpack(client);
    assert_eq!(answer, [json!({ "type": 3, "nsp": "/", "data": [3], "id": 7 })]);
}

//! The bytes are those that `socket.io-msgpack-parser` 3.0.2 (with notepack.io 2.2.0) writes,
//! unless it is said otherwise.

use serde_json::{Value, json};

use super::super::encode_event;
use super::*;
use crate::socketio::payload::{Binary, BinarySlice, OwnedArgs};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// A packet as one line, or why it is none.
fn shown(bytes: &[u8]) -> String {
    let id = |id: Option<AckId>| id.map_or("-".to_owned(), |id| id.to_string());
    match decode_msgpack(bytes, &mut Vec::new()) {
        Ok(Packet::Connect { namespace, payload }) => {
            format!("connect {namespace} {}", payload.as_deref().unwrap_or("-"))
        }
        Ok(Packet::Disconnect { namespace }) => format!("disconnect {namespace}"),
        Ok(Packet::Event { namespace, id: ack, name, args }) => {
            let name = name.as_deref().unwrap_or("-");
            format!("event {namespace} {} {name} {}:{}", id(ack), args.len(), args.json())
        }
        Ok(Packet::Ack { namespace, id: ack, args }) => {
            format!("ack {namespace} {} {}:{}", id(ack), args.len(), args.json())
        }
        Ok(Packet::ConnectError { namespace, payload }) => {
            format!("error {namespace} {}", payload.as_deref().unwrap_or("-"))
        }
        Err(error) => format!("{error:?}"),
    }
}

/// A packet of other libraries: any map that serde can write.
fn packed(packet: &Value) -> Vec<u8> {
    rmp_serde::to_vec(packet).unwrap()
}

#[test]
fn the_packets_of_the_reference_are_read() {
    for (hex, expected) in [
        ("83a47479706500a464617461d40000a36e7370a12f", "connect / -"),
        (
            "83a47479706500a46461746181a5746f6b656ea178a36e7370a62f61646d696e",
            "connect /admin {\"token\":\"x\"}",
        ),
        (
            "83a47479706500a46461746182a3736964a3616263a3706964d40000a36e7370a12f",
            "connect / {\"sid\":\"abc\"}",
        ),
        ("82a47479706501a36e7370a12f", "disconnect /"),
        (
            "84a47479706502a46461746199a463686174a2686901ffcb3ff8000000000000c3c0d4000082a161d40000\
             a16292d40000d7000000000000000000a76f7074696f6e7381a8636f6d7072657373c3a36e7370a12f",
            "event / - chat 8:\"hi\",1,-1,1.5,true,null,null,\
             {\"b\":[null,\"1970-01-01T00:00:00.000Z\"]}",
        ),
        (
            "85a47479706502a46461746191a463686174a76f7074696f6e7381a8636f6d7072657373c3a2696407\
             a36e7370a12f",
            "event / 7 chat 0:",
        ),
        ("84a47479706503a2696407a4646174619101a36e7370a12f", "ack / 7 1:1"),
        (
            "83a47479706504a46461746182a76d657373616765a26e6fa46461746181a4636f646501a36e7370a2\
             2f78",
            "error /x {\"message\":\"no\",\"data\":{\"code\":1}}",
        ),
    ] {
        assert_eq!(shown(&bytes(hex)), expected);
    }
}

#[test]
fn bytes_of_every_kind_come_through() {
    let packet = bytes("83a47479706502a46461746194a162c403010203c702000405c7010006a36e7370a12f");
    let mut scratch = Vec::new();
    let Ok(Packet::Event { args, .. }) = decode_msgpack(&packet, &mut scratch) else {
        panic!("not an event");
    };
    let parts: [Binary; 3] = args.parse().unwrap();
    assert_eq!(parts.map(|part| part.0), [vec![1, 2, 3], vec![4, 5], vec![6]]);
}

#[test]
fn an_ordinary_event_is_not_copied() {
    let packet = packed(&json!({ "type": 2, "nsp": "/", "data": ["a", [1, "2"], 1.5] }));
    let mut scratch = Vec::new();
    let decoded = decode_msgpack(&packet, &mut scratch).unwrap();
    assert!(matches!(decoded, Packet::Event { name: Some(Cow::Borrowed("a")), .. }));
    assert_eq!(scratch.capacity(), 0);
}

#[test]
fn packets_are_checked_as_the_reference_checks_them() {
    for (packet, expected) in [
        (json!({ "type": 2, "nsp": "/", "data": [] }), "event / - - 0:"),
        (json!({ "type": 2, "nsp": "/", "data": ["disconnect"] }), "event / - disconnect 0:"),
        (json!({ "type": 2, "nsp": "/", "data": [5, "x"] }), "event / - 5 1:\"x\""),
        (json!({ "type": 2, "nsp": "/", "data": [{}, "x"] }), "event / - - 1:\"x\""),
        (json!({ "type": 2, "nsp": "", "data": ["a"], "id": -1 }), "event  -1 a 0:"),
        (json!({ "type": 2.0, "nsp": "/", "data": ["a"], "id": 3.0 }), "event / 3 a 0:"),
        (json!({ "type": 3, "nsp": "/", "data": [] }), "ack / - 0:"),
        (json!({ "type": 0, "nsp": "/" }), "connect / -"),
        (json!({ "type": 4, "nsp": "/", "data": "no" }), "error / \"no\""),
        (json!({ "type": 1, "nsp": "/", "more": [1], "options": { "a": 1 } }), "disconnect /"),
        (json!({ "type": 5, "nsp": "/", "data": ["a"] }), "UnknownType"),
        (json!({ "type": -1, "nsp": "/", "data": ["a"] }), "UnknownType"),
        (json!({ "type": 1.5, "nsp": "/" }), "UnknownType"),
        (json!({ "type": "2", "nsp": "/", "data": ["a"] }), "UnknownType"),
        (json!({ "nsp": "/", "data": ["a"] }), "UnknownType"),
        (json!({ "type": 2, "data": ["a"] }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": 1, "data": ["a"] }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": null, "data": ["a"] }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": "/", "data": ["a"], "id": 1.5 }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": "/", "data": ["a"], "id": "1" }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": "/", "data": ["a"], "id": null }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": "/" }), "InvalidPayload"),
        (json!({ "type": 2, "nsp": "/", "data": {} }), "InvalidPayload"),
        (json!({ "type": 3, "nsp": "/", "data": "a" }), "InvalidPayload"),
        (json!({ "type": 0, "nsp": "/", "data": null }), "InvalidPayload"),
        (json!({ "type": 0, "nsp": "/", "data": [] }), "InvalidPayload"),
        (json!({ "type": 0, "nsp": "/", "data": "a" }), "InvalidPayload"),
        (json!({ "type": 1, "nsp": "/", "data": null }), "InvalidPayload"),
        (json!({ "type": 4, "nsp": "/" }), "InvalidPayload"),
        (json!({ "type": 4, "nsp": "/", "data": [1] }), "InvalidPayload"),
        (json!([2, "/", ["a"]]), "InvalidPayload"),
        (json!("2[\"a\"]"), "InvalidPayload"),
        (json!({}), "InvalidPayload"),
    ] {
        assert_eq!(shown(&packed(&packet)), expected, "{packet}");
    }
}

#[test]
fn of_several_with_one_key_the_last_counts() {
    let packet = bytes("84 a474797065 02 a36e7370 a12f a474797065 01 a36e7370 a22f61");
    assert_eq!(shown(&packet), "disconnect /a");
    // A number as a key is nothing that the reference asks for.
    assert_eq!(shown(&bytes("83 02 02 a474797065 01 a36e7370 a12f")), "disconnect /");
}

#[test]
fn nothing_may_be_missing_or_follow() {
    let packet = packed(&json!({ "type": 2, "nsp": "/", "data": ["a", { "k": [1, "b"] }] }));
    for end in 0..packet.len() {
        assert_eq!(shown(&packet[..end]), "InvalidPayload", "{end}");
    }
    assert_eq!(shown(&[&packet[..], &[0xc0]].concat()), "InvalidPayload");
    assert_eq!(shown(&bytes("dfffffffff")), "InvalidPayload");
}

fn payload(message: &Message) -> &[u8] {
    message.payload_binary().unwrap()
}

#[test]
fn packets_are_written_for_the_reference() {
    let id = Some(AckId::new(7));
    for (message, expected) in [
        (
            encode_msgpack_control(PacketKind::Connect, "/", Some("{\"sid\":\"a\"}")),
            "83a47479706500a36e7370a12fa46461746181a3736964a161",
        ),
        (
            encode_msgpack_control(PacketKind::Disconnect, "/a", None),
            "82a47479706501a36e7370a22f61",
        ),
        (
            encode_msgpack_control(PacketKind::ConnectError, "/", Some("{\"message\":\"no\"}")),
            "83a47479706504a36e7370a12fa46461746181a76d657373616765a26e6f",
        ),
        (
            encode_msgpack_event("/", "chat", None, ("hi", BinarySlice(&[1]))).unwrap().finish(),
            "83a47479706502a36e7370a12fa46461746193a463686174a26869c40101",
        ),
        (
            encode_msgpack_event("/", "a", id, ()).unwrap().finish(),
            "84a47479706502a36e7370a12fa2696407a46461746191a161",
        ),
        (
            encode_msgpack_ack("/", AckId::new(300), &1).unwrap(),
            "84a47479706503a36e7370a12fa26964cd012ca4646174619101",
        ),
        (
            encode_msgpack_ack("/", AckId::from_number(-1.0), ()).unwrap(),
            "84a47479706503a36e7370a12fa26964cbbff0000000000000a46461746190",
        ),
    ] {
        assert_eq!(payload(&message), bytes(expected), "{expected}");
    }
}

#[test]
fn a_list_of_any_length_gets_the_header_it_needs() {
    for (len, header) in [(14, "9f"), (15, "dc0010"), (65_534, "dcffff"), (65_535, "dd00010000")] {
        let numbers = "1,".repeat(len);
        let args = OwnedArgs::from_deserializer(&mut serde_json::Deserializer::from_str(&format!(
            "[{}]",
            numbers.trim_end_matches(',')
        )))
        .unwrap();
        let message = encode_msgpack_event("/", "a", None, &args).unwrap().finish();
        let start = bytes("83a47479706502a36e7370a12fa464617461");
        let expected = [start, bytes(header), bytes("a161")].concat();
        assert!(payload(&message).starts_with(&expected), "{len}");
        assert_eq!(
            shown(payload(&message)),
            format!("event / - a {len}:{}", args.as_args().json())
        );
    }
}

#[test]
fn a_last_argument_may_be_appended_and_all_be_read_back() {
    let mut draft = encode_msgpack_event("/", "na\"me", None, (1, BinarySlice(&[2]))).unwrap();
    draft.append("Q7_Nb4W");
    draft.set_compress(false);
    let (name, args) = draft.event().unwrap();
    assert_eq!((&*name, args.len()), ("na\"me", 3));
    let (number, bytes, offset): (u8, Binary, String) = args.parse().unwrap();
    assert_eq!((number, &bytes[..], &*offset), (1, &[2][..], "Q7_Nb4W"));
    let message = draft.finish();
    assert!(!message.compress());
    let mut scratch = Vec::new();
    let Ok(Packet::Event { args, .. }) = decode_msgpack(payload(&message), &mut scratch) else {
        panic!("not an event");
    };
    assert_eq!(args.get::<String>(2).unwrap(), "Q7_Nb4W");
}

#[test]
fn what_is_decoded_is_echoed_to_the_byte_and_into_json() {
    let packet = packed(&json!({ "type": 2, "nsp": "/", "data": ["a", [1, "\u{e9}"], null, 1.5] }));
    let mut scratch = Vec::new();
    let Ok(Packet::Event { args, name, .. }) = decode_msgpack(&packet, &mut scratch) else {
        panic!("not an event");
    };
    let name = name.unwrap();
    let echo = encode_msgpack_event("/", &name, None, args).unwrap().finish();
    assert_eq!(shown(payload(&echo)), shown(&packet));
    let echo = encode_event("/", &name, None, args).unwrap().finish();
    assert_eq!(echo.payload_text(), Some("2[\"a\",[1,\"\u{e9}\"],null,1.5]"));
}

#[test]
fn a_failed_serialize_gives_no_packet() {
    struct Refusing;
    impl serde::Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }
    assert!(encode_msgpack_event("/", "a", None, &Refusing).is_err());
    assert!(encode_msgpack_ack("/", AckId::new(1), &Refusing).is_err());
}

/// Mutates valid packets: whatever comes out must decode or not, and its arguments be whole.
#[test]
fn random_packets_never_panic() {
    let packets = [
        packed(&json!({ "type": 2, "nsp": "/", "data": ["a", { "k": [1, "b", 1.5] }], "id": 1 })),
        bytes(
            "83a47479706503a46461746193d7000000000000000000d700000000dd9d5a0c95d40000a36e7370a12f",
        ),
        bytes("83a47479706502a46461746194a162c403010203c702000405c7010006a36e7370a12f"),
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 65_536).unwrap()
    };
    for _ in 0..50_000 {
        let mut packet = packets[random() % packets.len()].clone();
        for _ in 0..=random() % 3 {
            let at = random() % packet.len();
            packet[at] = u8::try_from(random() % 256).unwrap();
        }
        let mut scratch = Vec::new();
        if let Ok(Packet::Event { args, .. } | Packet::Ack { args, .. }) =
            decode_msgpack(&packet, &mut scratch)
        {
            assert_eq!(args.skip(args.len()).len(), 0);
            args.json();
            for index in 0..args.len().min(100) {
                args.get::<serde::de::IgnoredAny>(index).unwrap();
            }
        }
    }
}

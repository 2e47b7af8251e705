//! The grammar as the reference has it, with the examples of its documents and its own tests.

use std::rc::Rc;

use super::super::payload::{Binary, BinarySlice, IntoArgs, OwnedArgs};
use super::*;
use crate::message::Message;
use crate::socketio::format::Format;

/// A packet as one line, so that tables stay readable.
fn shown(packet: &Packet<'_>) -> String {
    let id = |id: &Option<AckId>| id.map_or("-".to_owned(), |id| id.to_string());
    match packet {
        Packet::Connect { namespace, payload } => {
            format!("connect {namespace} {}", payload.as_deref().unwrap_or("-"))
        }
        Packet::Disconnect { namespace } => format!("disconnect {namespace}"),
        Packet::Event { namespace, id: ack, name, args } => {
            let name = name.as_deref().unwrap_or("-");
            format!("event {namespace} {} {name} {}:{}", id(ack), args.len(), args.json())
        }
        Packet::Ack { namespace, id: ack, args } => {
            format!("ack {namespace} {} {}:{}", id(ack), args.len(), args.json())
        }
        Packet::ConnectError { namespace, payload } => {
            format!("error {namespace} {}", payload.as_deref().unwrap_or("-"))
        }
    }
}

fn decoded(text: &str) -> String {
    match decode(text, 10) {
        Ok(Decoded::Complete(packet)) => shown(&packet),
        Ok(Decoded::Incomplete(incomplete)) => {
            let Incomplete { namespace, subject, id, args, attachments } = incomplete;
            format!("{attachments} {}", shown(&subject.into_packet(namespace, id, args)))
        }
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn the_examples_of_the_protocol_document() {
    for (text, expected) in [
        ("0", "connect / -"),
        (
            "0/admin,{\"sid\":\"oSO0OpakMV_3jnilAAAA\"}",
            "connect /admin {\"sid\":\"oSO0OpakMV_3jnilAAAA\"}",
        ),
        ("0/admin,", "connect /admin -"),
        ("4{\"message\":\"Not authorized\"}", "error / {\"message\":\"Not authorized\"}"),
        ("2[\"foo\"]", "event / - foo 0:"),
        ("2/admin,[\"bar\"]", "event /admin - bar 0:"),
        ("212[\"foo\"]", "event / 12 foo 0:"),
        ("3/admin,13[\"bar\"]", "ack /admin 13 1:\"bar\""),
        ("1/admin,", "disconnect /admin"),
        (
            "51-[\"baz\",{\"_placeholder\":true,\"num\":0}]",
            "1 event / - baz 1:{\"_placeholder\":true,\"num\":0}",
        ),
        (
            r#"52-/admin,["baz",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
            r#"2 event /admin - baz 2:{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#,
        ),
        (
            "61-15[\"bar\",{\"_placeholder\":true,\"num\":0}]",
            "1 ack / 15 2:\"bar\",{\"_placeholder\":true,\"num\":0}",
        ),
    ] {
        assert_eq!(decoded(text), expected, "{text}");
    }
}

#[test]
fn the_packets_that_the_reference_accepts() {
    for (text, expected) in [
        ("1", "disconnect /"),
        ("1/nsp", "disconnect /nsp"),
        ("0/custom?a=b,{\"c\":1}", "connect /custom?a=b {\"c\":1}"),
        ("0/,", "connect / -"),
        ("05{}", "connect / {}"),
        ("0 {\"a\" : 1}\n", "connect / {\"a\" : 1}"),
        ("4\"refused\"", "error / \"refused\""),
        ("4", "error / -"),
        ("2", "event / - - 0:"),
        ("2/", "event / - - 0:"),
        ("27", "event / 7 - 0:"),
        ("2007[\"a\"]", "event / 7 a 0:"),
        ("2[\"\"]", "event / -  0:"),
        ("2[1,\"a\",{}]", "event / - 1 2:\"a\",{}"),
        ("2[-1.50e1]", "event / - -15 0:"),
        ("2[1e400]", "event / - Infinity 0:"),
        ("2[\"error\"]", "event / - error 0:"),
        ("2[\"__proto__\",1]", "event / - __proto__ 1:1"),
        ("2[\"a\\u0062\\n\"]", "event / - ab\n 0:"),
        ("2[\"\\ud83d\\ude00\"]", "event / - \u{1f600} 0:"),
        (
            "2[\"a\",\"\\ud800\",12345678901234567890123]",
            "event / - a 2:\"\\ud800\",12345678901234567890123",
        ),
        ("2 [ \"a\" , 1 , [ ] ] ", "event / - a 2:1 , [ ]"),
        ("2[\"a\",{\"k\":1,\"k\":2}]", "event / - a 1:{\"k\":1,\"k\":2}"),
        (
            "2[\"a\",{\"_placeholder\":true,\"num\":9}]",
            "event / - a 1:{\"_placeholder\":true,\"num\":9}",
        ),
        ("2/\u{e9},[\"\u{e9}\"]", "event /\u{e9} - \u{e9} 0:"),
        ("31", "ack / 1 0:"),
        ("3[]", "ack / - 0:"),
        ("30[]", "ack / 0 0:"),
        ("31[null]", "ack / 1 1:null"),
        ("510-[\"a\"]", "10 event / - a 0:"),
        ("5001-[\"a\"]", "1 event / - a 0:"),
        ("51-/nsp", "1 event /nsp - - 0:"),
        ("61-", "1 ack / - 0:"),
    ] {
        assert_eq!(decoded(text), expected, "{text}");
    }
}

#[test]
fn unknown_types_are_refused() {
    for text in ["", "7", "9", "999", "a", " ", "-", "\u{e9}", "\u{1f600}", "[\"a\"]"] {
        assert_eq!(decoded(text), "UnknownType", "{text}");
    }
}

#[test]
fn illegal_counts_of_attachments_are_refused() {
    for text in [
        "5",
        "51",
        "5-",
        "5a-",
        "51.23-",
        "51.5-",
        "5-1-",
        "5 1-",
        "51 -",
        "5+1-",
        "51e3-",
        "50-",
        "5000-[\"a\"]",
        "60-[]",
        "5invalid",
        "5[\"a\"]",
        "5/nsp,1-[\"a\"]",
        "51\u{e9}-",
    ] {
        assert_eq!(decoded(text), "IllegalAttachments", "{text}");
    }
    for text in ["511-[\"a\"]", "5999999-[\"x\"]", "599999999999999999999999999-[]"] {
        assert_eq!(decoded(text), "TooManyAttachments", "{text}");
    }
    let long = format!("5{}-", "9".repeat(1_000_000));
    assert_eq!(decoded(&long), "TooManyAttachments");
    assert_eq!(decoded(&long[..1_000_000]), "IllegalAttachments");
    let text = "53-[\"hello\"]";
    assert_eq!(decode(text, 2).unwrap_err(), DecodeError::TooManyAttachments);
}

#[test]
fn invalid_payloads_are_refused() {
    for text in [
        "442[\"some\",\"data\"",
        "0/admin,\"invalid\"",
        "0[]",
        "0null",
        "0{",
        "0{}x",
        "01 x",
        "1/admin,{}",
        "1{}",
        "1[]",
        "1null",
        "1 ",
        "2/admin,\"invalid",
        "2/admin,{}",
        "2{}",
        "2[{\"toString\":\"foo\"}]",
        "2[true,\"foo\"]",
        "2[null,\"bar\"]",
        "2[[\"a\"]]",
        "2[]",
        "2[\"connect\"]",
        "2[\"disconnect\",\"123\"]",
        "2[\"connect_error\"]",
        "2[\"disconnecting\"]",
        "2[\"newListener\"]",
        "2[\"removeListener\"]",
        "2[\"c\\u006fnnect\"]",
        "2[\"a\"]]",
        "2[\"a\"] 1",
        "2[\"a\",]",
        "2[\"a\" 1]",
        "2[\"a\",01]",
        "2[\"a\",.5]",
        "2[\"a\",NaN]",
        "2[\"a\",'b']",
        "2[\"a\",\"\n\"]",
        "2[\"\t\"]",
        "2[\"a\",\"\\x\"]",
        "2[\"a\",\"\\u12\"]",
        "2\u{a0}[\"a\"]",
        "2\u{feff}[\"a\"]",
        "2-1[\"a\"]",
        "2[\"a\",{k:1}]",
        "2[\"a\",{\"k\"}]",
        "2 ",
        "2x",
        "3{}",
        "3\"a\"",
        "3null",
        "3[1",
        "4[]",
        "4null",
        "41.5",
        "51-{}",
        "51-[true]",
        "51-[{\"_placeholder\":true,\"num\":0}]",
        "61-{}",
        "51-[\"connect\"]",
    ] {
        assert_eq!(decoded(text), "InvalidPayload", "{text}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let open = "[".repeat(1_000_000);
    let close = "]".repeat(1_000_000);
    for text in [
        format!("2{open}"),
        format!("2[\"a\",{open}"),
        format!("3{open}"),
        format!("3[1,{open}"),
        format!("0{}", "{\"a\":".repeat(1_000_000)),
        format!("51-[\"a\",{open}"),
        format!("2{open}{close}"),
    ] {
        assert_eq!(decoded(&text), "InvalidPayload");
    }
    let text = format!("2[\"a\",{open}{close}]");
    let Ok(Decoded::Complete(Packet::Event { args, .. })) = decode(&text, 10) else {
        panic!("deep but valid");
    };
    assert_eq!(args.len(), 1);
    let error = args.parse::<serde_json::Value>().unwrap_err().to_string();
    assert!(error.starts_with("argument 1: recursion limit exceeded"), "{error}");
}

#[test]
fn long_parts_take_linear_time() {
    let long = "7".repeat(1_000_000);
    assert_eq!(decoded(&format!("2{long}[\"a\"]")), "event / Infinity a 0:");
    assert_eq!(decoded(&format!("2/{long}")), format!("event /{long} - - 0:"));
    assert_eq!(decoded(&format!("3{long}")), "ack / Infinity 0:");
}

#[test]
fn a_lone_surrogate_in_a_name_is_replaced() {
    let text = "2[\"a\\ud800\"]";
    let Ok(Decoded::Complete(Packet::Event { name: Some(name), .. })) = decode(text, 10) else {
        panic!("valid for JSON.parse");
    };
    assert!(name.starts_with("a\u{fffd}"), "{name}");
}

#[test]
fn names_without_escapes_are_borrowed() {
    let Ok(Decoded::Complete(Packet::Event { name: Some(name), .. })) = decode("2[\"a\"]", 10)
    else {
        panic!("not an event");
    };
    assert!(matches!(name, Cow::Borrowed("a")));
}

fn finished(draft: Result<EventDraft, super::super::payload::EncodeError>) -> Rc<Message> {
    draft.unwrap().finish()
}

#[test]
fn packets_are_encoded_as_the_reference_does() {
    let id = |id| Some(AckId::new(id));
    let place = "{\"_placeholder\":true,\"num\":0}";
    for (message, expected) in [
        (
            encode_control(PacketKind::Connect, "/", Some("{\"sid\":\"a\"}")),
            "0{\"sid\":\"a\"}".to_owned(),
        ),
        (
            encode_control(PacketKind::Connect, "/woot", Some("{\"token\":\"123\"}")),
            "0/woot,{\"token\":\"123\"}".to_owned(),
        ),
        (encode_control(PacketKind::Disconnect, "/", None), "1".to_owned()),
        (encode_control(PacketKind::Disconnect, "/woot", None), "1/woot,".to_owned()),
        (
            Format::Json.encode_connect_error("/random", "Invalid namespace", None),
            "4/random,{\"message\":\"Invalid namespace\"}".to_owned(),
        ),
        (
            Format::Json.encode_connect_error("/", "a\"b", Some("{\"code\":1}")),
            "4{\"message\":\"a\\\"b\",\"data\":{\"code\":1}}".to_owned(),
        ),
        (finished(encode_event("/", "a", None, (1, [0; 0]))), "2[\"a\",1,[]]".to_owned()),
        (finished(encode_event("/", "a", None, ())), "2[\"a\"]".to_owned()),
        (finished(encode_event("/", "\"\n", None, ())), "2[\"\\\"\\n\"]".to_owned()),
        (finished(encode_event("/test", "a", id(1), "b")), "2/test,1[\"a\",\"b\"]".to_owned()),
        (encode_ack("/", AckId::new(123), ("a", 1)).unwrap(), "3123[\"a\",1]".to_owned()),
        (encode_ack("/b", AckId::new(0), ()).unwrap(), "3/b,0[]".to_owned()),
        (
            finished(encode_event("/cool", "a", id(23), &BinarySlice(b"abc"))),
            format!("51-/cool,23[\"a\",{place}]"),
        ),
        (
            encode_ack("/back", AckId::new(127), ("a", BinarySlice(b"xxx"), [(); 0])).unwrap(),
            format!("61-/back,127[\"a\",{place},[]]"),
        ),
    ] {
        assert_eq!(message.payload_text(), Some(&*expected));
    }
}

#[test]
fn the_attachments_of_an_event_follow_it() {
    let args = ("x", BinarySlice(b"1"), BinarySlice(b"22"));
    let message = finished(encode_event("/", "a", None, args));
    let attachments: Vec<_> = message.attachments().iter().map(|bytes| bytes.to_vec()).collect();
    assert_eq!(attachments, [b"1".to_vec(), b"22".to_vec()]);
}

#[test]
fn a_failed_serialize_gives_no_packet() {
    let refused = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(encode_event("/", "a", None, &refused).is_err());
}

/// Decodes what was encoded, attachments included, and hands the packet to `check`.
fn redecode(message: &Message, check: impl FnOnce(Packet<'_>)) {
    match decode(message.payload_text().unwrap(), 10).unwrap() {
        Decoded::Complete(packet) => check(packet),
        Decoded::Incomplete(incomplete) => {
            let mut reconstructor = incomplete.reconstructor(10_000).unwrap();
            let (last, others) = message.attachments().split_last().unwrap();
            assert!(others.iter().all(|bytes| reconstructor.push(bytes) == Ok(false)));
            assert_eq!(reconstructor.push(last), Ok(true));
            check(reconstructor.packet().unwrap());
        }
    }
}

fn assert_round_trip(args: impl IntoArgs) {
    let args = OwnedArgs::new(args).unwrap();
    let id = AckId::new(u64::try_from(args.as_args().len()).unwrap());
    let event = finished(encode_event("/n", "na\"me", Some(id), &args));
    redecode(&event, |packet| {
        let Packet::Event { namespace: "/n", id: Some(ack), name: Some(name), args } = packet
        else {
            panic!("{packet:?}");
        };
        assert_eq!((ack, &*name), (id, "na\"me"));
        let echo = finished(encode_event("/n", &name, Some(ack), args));
        assert_eq!(
            echo.form(crate::message::Form::Polling),
            event.form(crate::message::Form::Polling)
        );
    });
    let ack = encode_ack("/", id, &args).unwrap();
    redecode(&ack, |packet| {
        let Packet::Ack { namespace: "/", id: Some(id), args } = packet else {
            panic!("{packet:?}");
        };
        let echo = encode_ack("/", id, args).unwrap();
        assert_eq!(
            echo.form(crate::message::Form::Polling),
            ack.form(crate::message::Form::Polling)
        );
    });
}

#[test]
fn what_is_encoded_is_decoded_and_echoed_to_the_byte() {
    assert_round_trip(());
    assert_round_trip("text \" \\ \u{1f600}");
    assert_round_trip((1, "2", [3.5], Some(()), u64::MAX));
    assert_round_trip((BinarySlice(b""), vec![BinarySlice(b"\x00\xff"); 3], "x"));
}

#[test]
fn an_echo_keeps_the_bytes_that_a_peer_chose() {
    for args in ["\"\\ud800\"", "1.0,-0,12345678901234567890", "{\"k\":1,\"k\":2}", " [ 1 , 2 ] "] {
        let text = format!("2[\"a\",{args}]");
        let Ok(Decoded::Complete(Packet::Event { args: passed, .. })) = decode(&text, 10) else {
            panic!("{text}");
        };
        let echo = finished(encode_event("/", "a", None, passed));
        assert_eq!(echo.payload_text().unwrap(), format!("2[\"a\",{}]", args.trim()));
    }
}

/// Mutates valid packets: whatever comes out must decode or not, within bounds, but never panic,
/// and what decodes must be JSON to serde too.
#[test]
fn random_packets_never_panic() {
    let seed = random_seed();
    println!("seed {seed}");
    let mut random = Random(seed);
    for _ in 0..20_000 {
        let mut text = SEEDS[random.below(SEEDS.len())].to_owned().into_bytes();
        for _ in 0..random.below(6) {
            let at = random.below(text.len() + 1);
            let piece = PIECES[random.below(PIECES.len())].as_bytes();
            let end = (at + random.below(4)).min(text.len());
            text.splice(at..end, piece.iter().copied());
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        check_random(&text, &mut random);
    }
}

/// The hasher of the standard library is keyed at random, without a clock.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(()) | 1
}

fn check_random(text: &str, random: &mut Random) {
    match decode(text, 3) {
        Ok(Decoded::Complete(packet)) => check_packet(&packet),
        Ok(Decoded::Incomplete(incomplete)) => {
            let Ok(mut reconstructor) = incomplete.reconstructor(random.below(200)) else { return };
            while let Ok(done) = reconstructor.push(b"bytes") {
                if done {
                    check_packet(&reconstructor.packet().unwrap());
                }
            }
        }
        Err(_) => {}
    }
}

fn check_packet(packet: &Packet<'_>) {
    let (Packet::Event { args, .. } | Packet::Ack { args, .. }) = packet else { return };
    let array = format!("[{}]", args.json());
    assert_eq!(serde_json::from_str::<Vec<IgnoredAny>>(&array).unwrap().len(), args.len());
    for index in 0..args.len() {
        let raw = args.raw_json(index).unwrap();
        serde_json::from_str::<IgnoredAny>(raw).unwrap();
        assert_eq!(args.skip(index).raw_json(0), Some(raw));
        let _ = args.get::<serde_json::Value>(index);
        let _ = args.get::<Binary>(index);
        let _ = args.get::<Option<Vec<Binary>>>(index);
    }
    let _ = args.parse::<(String, Option<f64>, Vec<Binary>)>();
}

/// A xorshift generator: enough to wander through a grammar, and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }
}

const SEEDS: [&str; 8] = [
    "0/admin,{\"token\":1}",
    "1/admin,",
    "2/n,12[\"a\",1,[2,{\"k\":\"v\"}],null]",
    "312[\"a\",{\"_placeholder\":true,\"num\":0}]",
    "4{\"message\":\"m\"}",
    "51-/n,[\"a\",{\"_placeholder\":true,\"num\":0},\"\\u00e9\\\"\"]",
    "62-7[{\"k\":[{\"_placeholder\":true,\"num\":1}]},{\"num\":0,\"_placeholder\":true}]",
    "53-[\"a\",[[[]]],{\"a\":{\"b\":1.5e3}},-7,true,\"\u{1f600}\"]",
];
const PIECES: [&str; 26] = [
    "",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\\",
    ",",
    ":",
    "-",
    "/",
    " ",
    "0",
    "9",
    "1e5",
    "true",
    "null",
    "\\ud800",
    "\u{e9}",
    "{\"_placeholder\":true,\"num\":0}",
    "_placeholder",
    "num",
    "\n",
    "\u{0}",
    "[[]]",
    ".",
];

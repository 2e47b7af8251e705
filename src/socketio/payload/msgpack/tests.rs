//! The bytes are those that notepack.io 2.2.0 writes, the library within
//! `socket.io-msgpack-parser` 3.0.2, unless it is said otherwise.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Args, ArgsWriter, Binary, BinarySlice, IntoArgs};
use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Whether the value was normal already, and its normal form.
fn normal(value: &[u8]) -> (bool, Vec<u8>) {
    let mut reader = Reader::new(value);
    let checked = check(&mut reader).unwrap();
    assert!(reader.rest().is_empty());
    let mut out = Vec::new();
    normalise(checked.bytes, &mut out);
    assert!(!checked.is_normal || out == value);
    assert!(check(&mut Reader::new(&out)).unwrap().is_normal);
    (checked.is_normal, out)
}

fn parsed<T: DeserializeOwned>(hex: &str) -> T {
    Args::msgpack(&normal(&bytes(hex)).1, 1).parse().unwrap()
}

fn written(args: impl IntoArgs) -> (Vec<u8>, usize) {
    let mut buffer = Vec::new();
    let mut writer = ArgsWriter::msgpack(&mut buffer);
    writer.extend(args).unwrap();
    let len = writer.elements();
    (buffer, len)
}

#[test]
fn ordinary_values_are_left_as_they_are() {
    for (hex, expected) in [
        ("c0", json!(null)),
        ("c3", json!(true)),
        ("7f", json!(127)),
        ("cc80", json!(128)),
        ("cdffff", json!(65_535)),
        ("ce00010000", json!(65_536)),
        ("cf001fffffffffffff", json!(9_007_199_254_740_991_u64)),
        ("e0", json!(-32)),
        ("d080", json!(-128)),
        ("d1ff7f", json!(-129)),
        ("d2ffff7fff", json!(-32_769)),
        ("d3ffe0000000000001", json!(-9_007_199_254_740_991_i64)),
        ("cb3ff8000000000000", json!(1.5)),
        ("a6f09f9880c3a9", json!("\u{1f600}\u{e9}")),
        ("d901 61", json!("a")),
        ("93a16191c280", json!(["a", [false], {}])),
        ("dc0001 de0001 a161 dd00000001 df00000000", json!([{ "a": [{}] }])),
    ] {
        assert!(normal(&bytes(hex)).0, "{hex}");
        assert_eq!(parsed::<Value>(hex), expected, "{hex}");
    }
}

#[test]
fn what_javascript_calls_undefined_is_null_or_left_out() {
    #[derive(Deserialize)]
    struct Options {
        #[serde(default)]
        retries: u32,
    }
    assert_eq!(parsed::<Value>("d40000"), Value::Null);
    assert_eq!(parsed::<Option<u8>>("d40000"), None);
    assert_eq!(parsed::<Value>("92 d40000 01"), json!([null, 1]));
    assert_eq!(parsed::<Value>("82 a161 d40000 a162 92 d40000 c0"), json!({ "b": [null, null] }));
    assert_eq!(parsed::<Value>("81 a161 81 a162 d40000"), json!({ "a": {} }));
    assert_eq!(parsed::<Value>("de0002 a161 d40000 a162 02"), json!({ "b": 2 }));
    assert_eq!(parsed::<Value>("df00000002 a161 01 a162 d40000"), json!({ "a": 1 }));
    assert_eq!(parsed::<Options>("81 a7 72657472696573 d40000").retries, 0);
}

#[test]
fn dates_are_text_as_in_json() {
    assert_eq!(parsed::<String>("d700 0000000000000000"), "1970-01-01T00:00:00.000Z");
    assert_eq!(parsed::<String>("d700 000000dd9d5a0c95"), "2000-02-29T12:34:56.789Z");
    assert_eq!(parsed::<String>("d700 ffffffffffffffff"), "1969-12-31T23:59:59.999Z");
    assert_eq!(parsed::<Option<String>>("d700 7fffffffffffffff"), None);
    // The timestamps of msgpack itself, as other libraries write them.
    assert_eq!(parsed::<String>("d6ff 00000001"), "1970-01-01T00:00:01.000Z");
    assert_eq!(parsed::<String>("d7ff 7735940038bbbcf0"), "2000-02-29T12:34:56.500Z");
    assert_eq!(parsed::<String>("c70cff 3b9ac9ff ffffffffffffffff"), "1969-12-31T23:59:59.999Z");
    assert_eq!(parsed::<Option<String>>("c70cff 00000000 7fffffffffffffff"), None);
}

#[test]
fn all_kinds_of_bytes_are_bytes() {
    assert_eq!(*parsed::<Binary>("c403 010203"), [1, 2, 3]);
    assert_eq!(*parsed::<Binary>("c70200 0405"), [4, 5]);
    // An array buffer of one byte, or of eight, is neither undefined nor a date.
    assert_eq!(*parsed::<Binary>("c70100 06"), [6]);
    assert_eq!(*parsed::<Binary>("c70800 0000000000000000"), [0; 8]);
    assert_eq!(*parsed::<Binary>("c80001 00 07"), [7]);
    assert_eq!(*parsed::<Binary>("c900000000 00"), [0; 0]);
    assert_eq!(parsed::<serde_bytes::ByteBuf>("c401ff").as_ref(), b"\xff");
    let list = bytes("c40101 81a16b92c40202 02a161 c400");
    let args = Args::msgpack(&list, 3);
    assert_eq!(args.attachments().collect::<Vec<_>>(), [&[1][..], &[2, 2], &[]]);
}

#[test]
fn an_unknown_extension_is_its_type_and_its_bytes() {
    assert_eq!(parsed::<((i8, Binary),)>("d405 09").0.0, 5);
}

#[test]
fn numbers_without_a_fraction_are_integers() {
    assert_eq!(parsed::<i64>("cb3ff0000000000000"), 1);
    assert_eq!(parsed::<u8>("ca40000000"), 2);
    assert_eq!(parsed::<i32>("cbc000000000000000"), -2);
    assert_eq!(parsed::<u8>("cb8000000000000000"), 0);
    assert_eq!(parsed::<f64>("01").to_bits(), 1.0_f64.to_bits());
    assert!(parsed::<f64>("cb7ff0000000000000").is_infinite());
    assert!(parsed::<f64>("cb7ff8000000000000").is_nan());
    assert!(Args::msgpack(&bytes("cb3ff8000000000000"), 1).parse::<i64>().is_err());
}

#[test]
fn text_that_is_not_unicode_is_replaced() {
    assert_eq!(parsed::<String>("a2 61ff"), "a\u{fffd}");
    assert_eq!(parsed::<Value>("81 a1ff 01"), json!({ "\u{fffd}": 1 }));
}

#[test]
fn what_is_not_whole_is_refused() {
    for hex in [
        "",
        "c1",
        "91",
        "81a161",
        "81",
        "a261",
        "c402 01",
        "cb3ff0",
        "d4",
        "d400",
        "c7",
        "c702",
        "c70200 01",
        "dc00",
        "dd7fffffff",
        "df7fffffff",
        "dfffffffff01",
        "ddffffffff01",
        "dbffffffff",
        "c6ffffffff",
        "c9ffffffff00",
        "92c1c0",
    ] {
        assert_eq!(check(&mut Reader::new(&bytes(hex))), None, "{hex}");
    }
}

#[test]
fn depth_is_bounded_and_costs_no_stack() {
    #[derive(Debug, Deserialize)]
    enum Recursive {
        A(#[expect(dead_code, reason = "its depth counts")] Box<Recursive>),
        B,
    }
    for header in [0x91, 0x81] {
        let nested = |levels: usize| {
            let level: &[u8] = if header == 0x91 { &[0x91] } else { &[0x81, 0xa0] };
            [level.repeat(levels).as_slice(), &[0xc0]].concat()
        };
        // The list of arguments is one level more than an argument.
        let deepest = nested(LEVELS_MAX + 1);
        assert!(check(&mut Reader::new(&deepest)).is_some());
        assert!(check(&mut Reader::new(&nested(LEVELS_MAX + 2))).is_none());
        assert!(check(&mut Reader::new(&nested(1_000_000))).is_none());
        assert!(Args::msgpack(&nested(LEVELS_MAX), 1).parse::<Value>().is_ok());
        assert_eq!(Reader::new(&nested(1_000_000)).take_value().len(), nested(1_000_000).len());
    }
    let nested = [b"\x81\xa1A".repeat(LEVELS_MAX).as_slice(), b"\xa1B"].concat();
    assert!(matches!(Args::msgpack(&nested, 1).parse().unwrap(), Recursive::A(_)));
    assert!(matches!(Args::msgpack(b"\xa1B", 1).parse().unwrap(), Recursive::B));
}

#[test]
fn values_of_every_depth_are_taken_whole_with_what_follows_within_them() {
    for depth in 1..=LEVELS_MAX + 1 {
        // `[[[1, 2], 2], 2]`: each level goes on when the one in it has ended.
        let value = [vec![0x92; depth], vec![0x01], vec![0x02; depth]].concat();
        let message = [&value[..], b"\x03"].concat();
        let mut reader = Reader::new(&message);
        assert_eq!(check(&mut reader).map(|checked| checked.bytes), Some(&value[..]), "{depth}");
        assert_eq!(reader.rest(), b"\x03");
        assert!(check(&mut Reader::new(&value[..2 * depth])).is_none(), "{depth}");
    }
}

#[test]
fn arguments_are_dealt_out_as_in_json() {
    let list = bytes("a26869 01 93010203 c0");
    let args = Args::msgpack(&list, 4);
    assert_eq!((args.len(), args.parse::<String>().unwrap()), (4, "hi".to_owned()));
    let (text, number, array): (String, u8, [u8; 3]) = args.parse().unwrap();
    assert_eq!((&*text, number, array), ("hi", 1, [1, 2, 3]));
    assert_eq!(args.get::<[u8; 3]>(2).unwrap(), [1, 2, 3]);
    assert_eq!(args.get::<Option<u8>>(3).unwrap(), None);
    assert_eq!(args.get::<Option<u8>>(4).unwrap(), None);
    assert_eq!(args.get::<u8>(4).unwrap_err().index(), Some(4));
    assert_eq!(args.parse::<(String, String)>().unwrap_err().index(), Some(1));
    assert_eq!(args.skip(2).parse::<[u8; 1]>().unwrap_err().index(), Some(0));
    assert_eq!(args.skip(2).skip(1).len(), 1);
    assert!(args.skip(9).is_empty());
    args.parse::<()>().unwrap();
    assert_eq!(args.json(), "\"hi\",1,[1,2,3],null");
    assert_eq!(args.raw_json(0), None);
    assert_eq!(format!("{args:?}"), format!("{:?}", args.to_owned()));
    assert_eq!(args.to_owned().as_args().get::<u8>(1).unwrap(), 1);
}

#[test]
fn types_with_a_readable_form_come_as_text() {
    let address: std::net::IpAddr = "127.0.0.1".parse().unwrap();
    let (list, len) = written(&address);
    assert_eq!(list, b"\xa9127.0.0.1");
    assert_eq!(Args::msgpack(&list, len).parse::<std::net::IpAddr>().unwrap(), address);
}

#[test]
fn values_are_written_as_javascript_reads_them() {
    #[derive(Serialize)]
    struct Named<'a> {
        n: u64,
        data: BinarySlice<'a>,
    }
    for (list, hex) in [
        (written(()), ""),
        (written("hi"), "a26869"),
        (written((1, -1, 1.5, true, Some(7), None::<u8>)), "01 ff cb3ff8000000000000 c3 07 c0"),
        (
            written(&Named { n: 300, data: BinarySlice(&[1, 2]) }),
            "82 a16e cd012c a464617461 c4020102",
        ),
        (written(&(u64::MAX, i64::MIN)), "92 cfffffffffffffffff d38000000000000000"),
        (written(&BTreeMap::from([("k", [1, 2])])), "81 a16b 920102"),
        (written(&json!({ "a": [null] })), "81 a161 91c0"),
    ] {
        assert_eq!(list.0, bytes(hex), "{hex}");
    }
}

#[test]
fn arguments_change_their_format_and_keep_their_bytes() {
    let args =
        (&"\u{e9}", &json!({ "a": [1, null, 1.5] }), BinarySlice(&[7]), vec![Binary(vec![8])]);
    let (list, len) = written(args.clone());
    let owned = Args::msgpack(&list, len).to_owned();
    let as_json = super::super::OwnedArgs::new(args).unwrap();
    // Msgpack to JSON and back, and untouched.
    assert_eq!(owned.as_args().json(), as_json.as_args().json());
    assert_eq!(written(&as_json), (list.clone(), len));
    assert_eq!(written(&owned), (list, len));
    let again = super::super::OwnedArgs::new(&owned).unwrap();
    assert_eq!(again.as_args().json(), as_json.as_args().json());
    assert_eq!(again.as_args().attachments().collect::<Vec<_>>(), [[7], [8]]);
    // Into any format of serde, and out of it.
    let packed = rmp_serde::to_vec(&owned.as_args().as_seq()).unwrap();
    let unpacked: super::super::OwnedArgs = rmp_serde::from_slice(&packed).unwrap();
    assert_eq!(unpacked.as_args().json(), as_json.as_args().json());
    assert_eq!(unpacked.as_args().attachments().len(), 2);
}

#[test]
fn what_json_has_no_form_for_is_null_there() {
    let list = bytes("81 92 01 02 03 a161");
    let args = Args::msgpack(&list, 2);
    assert_eq!(args.json(), "null,\"a\"");
    assert!(super::super::OwnedArgs::new(args).is_err());
}

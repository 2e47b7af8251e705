//! Arguments parsed into types, with and without attachments, and back.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use serde_json::Value;

use super::*;

/// Arguments as they would have come in, their text written out.
struct Incoming {
    json: &'static str,
    len: usize,
    attachments: Vec<Rc<[u8]>>,
}

impl Incoming {
    fn args(&self) -> Args<'_> {
        Args::new(self.json, self.len, &self.attachments)
    }
}

fn plain(json: &'static str, len: usize) -> Incoming {
    Incoming { json, len, attachments: Vec::new() }
}

/// With two attachments, `zero` and `one`.
fn binary(json: &'static str, len: usize) -> Incoming {
    let attachments = vec![Rc::from(*b"zero"), Rc::from(*b"one")];
    assert!(placeholders_are_legal(json, 2));
    Incoming { json, len, attachments }
}

/// Parses the same arguments through both deserializers, which must agree.
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
fn assert_parses<T: DeserializeOwned + PartialEq + Debug>(
    json: &'static str,
    len: usize,
    expected: T,
) {
    assert_eq!(plain(json, len).args().parse::<T>().unwrap(), expected, "plain {json}");
    assert_eq!(binary(json, len).args().parse::<T>().unwrap(), expected, "binary {json}");
}

#[track_caller]
fn assert_fails<T: DeserializeOwned + Debug>(json: &'static str, len: usize, expected: &str) {
    for incoming in [plain(json, len), binary(json, len)] {
        let error = incoming.args().parse::<T>().unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: Option<i32>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pair(String, i32);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(i32),
    Tuple(i32, String),
    Struct { a: i32 },
}

#[test]
fn the_first_argument_is_what_any_other_type_takes() {
    let point = Point { x: 1, y: None };
    assert_parses("\"hi\",1", 2, "hi".to_owned());
    assert_parses("\"a\\\"\\u00e9\"", 1, "a\"\u{e9}".to_owned());
    assert_parses("\"x\"", 1, 'x');
    assert_parses("true,false", 2, true);
    assert_parses("-7", 1, -7_i8);
    assert_parses("18446744073709551615", 1, u64::MAX);
    assert_parses("-170141183460469231731687303715884105728", 1, i128::MIN);
    assert_parses("340282366920938463463374607431768211455", 1, u128::MAX);
    assert_parses("1", 1, 1.0_f64);
    assert_parses("1.5e3", 1, 1500.0_f32);
    assert_parses("12345678901234567890123", 1, 12_345_678_901_234_567_890_123.0_f64);
    assert_parses("[1,2,3],4", 2, vec![1, 2, 3]);
    assert_parses("[]", 1, Vec::<i32>::new());
    assert_parses("{\"x\":1}", 1, point);
    assert_parses("{\"y\":2,\"more\":[{}],\"x\":1}", 1, Point { x: 1, y: Some(2) });
    assert_parses("[1,2]", 1, Some(vec![1, 2]));
    assert_parses("null,1", 2, None::<i32>);
    assert_parses("5", 1, Some(5));
    assert_parses("2.5", 1, Meters(2.5));
    assert_parses("{\"a\":1,\"b\":2}", 1, BTreeMap::from([("a".to_owned(), 1), ("b".into(), 2)]));
    assert_parses("{\"-1\":\"a\",\"2\":\"b\"}", 1, BTreeMap::from([(-1, 'a'), (2, 'b')]));
    assert_parses(
        "{\"Unit\":1,\"true\":2}",
        1,
        BTreeMap::from([("Unit".to_owned(), 1), ("true".into(), 2)]),
    );
    assert_parses("{\"Unit\":1}", 1, BTreeMap::from([(Shape::Unit, 1)]));
    assert_parses("{\"true\":1}", 1, BTreeMap::from([(true, 1)]));
    assert_parses(
        "[1,\"2\",{\"k\":[null,true]}]",
        1,
        serde_json::json!([1, "2", {"k": [null, true]}]),
    );
}

#[test]
fn enums_in_all_their_forms() {
    assert_parses("\"Unit\"", 1, Shape::Unit);
    assert_parses("{\"Unit\":null}", 1, Shape::Unit);
    assert_parses("{\"Newtype\":1}", 1, Shape::Newtype(1));
    assert_parses("{ \"Tuple\" : [ 1 , \"a\" ] }", 1, Shape::Tuple(1, "a".into()));
    assert_parses("{\"Struct\":{\"a\":1}}", 1, Shape::Struct { a: 1 });
    assert_fails::<Shape>("\"Other\"", 1, "argument 1: unknown variant `Other`");
    assert_fails::<Shape>("{}", 1, "argument 1: ");
    assert_fails::<Shape>("{\"Unit\":null,\"Newtype\":1}", 1, "argument 1: ");
    assert_fails::<Shape>("7", 1, "argument 1: ");
}

#[test]
fn tuples_take_as_many_arguments_as_they_have_elements() {
    assert_parses("\"a\",1,true", 3, ("a".to_owned(), 1));
    assert_parses("\"a\",1,true", 3, ("a".to_owned(), 1, true));
    assert_parses("\"a\" , 1", 2, Pair("a".into(), 1));
    assert_parses("1,2,3", 3, [1, 2]);
    assert_parses("[1,2],3", 2, ([1, 2],));
    assert_parses("[1,2],3", 2, ((1, 2), 3));
    assert_parses("[\"a\",1]", 1, (Pair("a".into(), 1),));
    assert_parses("1,[2,[3]]", 2, (1, (2, [3])));
    assert_parses("{\"x\":1},[[]]", 2, (Point { x: 1, y: None }, vec![Vec::<i32>::new()]));
}

#[test]
fn unit_takes_nothing() {
    assert_parses("", 0, ());
    assert_parses("1,2", 2, ());
    assert_parses("1", 1, Nothing);
    assert_parses("", 0, Nothing);
    assert_parses("null", 1, ((),));
    assert_parses("", 0, [0_u8; 0]);
}

#[test]
fn missing_arguments_are_none_or_errors() {
    assert_parses("", 0, None::<String>);
    assert_parses("1", 1, (1, None::<i32>, ()));
    assert_parses("1", 1, (Some(1), None::<i32>));
    assert_fails::<String>("", 0, "argument 1: missing, expected a string");
    assert_fails::<(i32, String)>("1", 1, "argument 2: missing, expected a string");
    assert_fails::<(i32, Point)>("1", 1, "argument 2: missing, expected struct Point");
    assert_fails::<[i32; 3]>("1,2", 2, "argument 3: missing, expected i32");
    assert_fails::<Value>("", 0, "argument 1: missing, expected any valid JSON value");
}

#[test]
fn errors_name_the_argument_and_what_was_expected() {
    let wrong = "invalid type: string \"b\", expected i64";
    assert_fails::<(String, i64)>("\"a\",\"b\"", 2, &format!("argument 2: {wrong}"));
    assert_fails::<i64>("\"b\"", 1, &format!("argument 1: {wrong}"));
    assert_fails::<(i32, [i64; 1])>("1,[\"b\"]", 2, &format!("argument 2: {wrong}"));
    assert_fails::<u8>("256", 1, "argument 1: invalid value: integer `256`, expected u8");
    assert_fails::<u8>("-1", 1, "argument 1: invalid value: integer `-1`, expected u8");
    assert_fails::<i32>("1.5", 1, "argument 1: invalid type: floating point `1.5`, expected i32");
    assert_fails::<f64>("1e999", 1, "argument 1: number out of range");
    assert_fails::<Point>("{}", 1, "argument 1: missing field `x`");
    assert_fails::<(Meters,)>("{}", 1, "argument 1: invalid type: map, expected f64");
    assert_fails::<([i32; 2],)>(
        "[1]",
        1,
        "argument 1: invalid length 1, expected an array of length 2",
    );
    assert_fails::<([i32; 1],)>("[1,2]", 1, "argument 1: ");
    assert_fails::<(String,)>("\"\\ud800\"", 1, "argument 1: ");
    let error = plain("1,\"a\"", 2).args().get::<i32>(1).unwrap_err();
    assert_eq!((error.index(), error.to_string().starts_with("argument 2: ")), (Some(1), true));
    let error = binary("1,\"a\"", 2).args().get::<i32>(2).unwrap_err();
    assert_eq!(error.to_string(), "argument 3: missing, expected i32");
}

const PLACE_0: &str = "{\"_placeholder\":true,\"num\":0}";

#[test]
fn bytes_are_found_wherever_a_type_wants_them() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct File {
        name: String,
        data: ByteBuf,
        thumbnails: Vec<Binary>,
        #[serde(with = "serde_bytes")]
        raw: Vec<u8>,
        more: BTreeMap<String, Option<Binary>>,
    }
    let incoming = binary(
        "\"up\",{\"data\":{\"_placeholder\":true,\"num\":1},\"name\":\"f\",\
         \"thumbnails\":[{\"_placeholder\":true,\"num\":0},{\"num\":1,\"_placeholder\":true}],\
         \"raw\":{ \"_placeholder\" : true , \"num\" : 0 , \"x\" : [] },\
         \"more\":{\"a\":{\"_placeholder\":true,\"num\":1},\"b\":null}}",
        2,
    );
    let (name, file): (String, File) = incoming.args().parse().unwrap();
    assert_eq!(name, "up");
    let bytes = |text: &str| Binary(text.as_bytes().to_vec());
    let expected = File {
        name: "f".into(),
        data: ByteBuf::from("one"),
        thumbnails: vec![bytes("zero"), bytes("one")],
        raw: b"zero".to_vec(),
        more: BTreeMap::from([("a".into(), Some(bytes("one"))), ("b".into(), None)]),
    };
    assert_eq!(file, expected);
}

#[test]
fn bytes_in_enums_options_and_alone() {
    #[derive(Debug, PartialEq, Deserialize)]
    enum Chunk {
        Data(Binary),
        Numbered(u8, Binary),
        Named { data: Binary },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Bytes(Binary),
        Text(String),
        Object { inner: ByteBuf },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        id: u8,
        #[serde(flatten)]
        rest: HashMap<String, ByteBuf>,
    }
    let zero = || Binary(b"zero".to_vec());
    let incoming = binary("{\"_placeholder\":true,\"num\":0}", 1);
    assert_eq!(incoming.json, PLACE_0);
    assert_eq!(incoming.args().parse::<Binary>().unwrap(), zero());
    assert_eq!(incoming.args().parse::<(Option<Binary>,)>().unwrap(), (Some(zero()),));
    assert_eq!(incoming.args().parse::<Either>().unwrap(), Either::Bytes(zero()));
    for (json, expected) in [
        ("{\"Data\":{\"_placeholder\":true,\"num\":0}}", Chunk::Data(zero())),
        ("{\"Numbered\":[7,{\"_placeholder\":true,\"num\":0}]}", Chunk::Numbered(7, zero())),
        ("{\"Named\":{\"data\":{\"_placeholder\":true,\"num\":0}}}", Chunk::Named { data: zero() }),
    ] {
        assert_eq!(binary(json, 1).args().parse::<Chunk>().unwrap(), expected);
    }
    let incoming = binary("\"a\",{\"inner\":{\"_placeholder\":true,\"num\":0}}", 2);
    let (text, object): (Either, Either) = incoming.args().parse().unwrap();
    assert_eq!(text, Either::Text("a".into()));
    assert_eq!(object, Either::Object { inner: ByteBuf::from("zero") });
    let flat: Flat =
        binary("{\"id\":1,\"k\":{\"_placeholder\":true,\"num\":1}}", 1).args().parse().unwrap();
    assert_eq!(flat.rest["k"], ByteBuf::from("one"));
}

#[test]
fn a_placeholder_is_bytes_or_an_object_but_no_json_value() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Place {
        num: usize,
    }
    let incoming = binary("{\"_placeholder\":true,\"num\":1}", 1);
    assert_eq!(incoming.args().parse::<Place>().unwrap(), Place { num: 1 });
    let error = incoming.args().parse::<Value>().unwrap_err().to_string();
    assert_eq!(error, "argument 1: invalid type: byte array, expected any valid JSON value");
    let error = incoming.args().parse::<String>().unwrap_err().to_string();
    assert_eq!(error, "argument 1: invalid type: map, expected a string");
    let plain = plain("{\"_placeholder\":true,\"num\":1}", 1);
    let untouched = serde_json::json!({"_placeholder": true, "num": 1});
    assert_eq!(plain.args().parse::<Value>().unwrap(), untouched);
    assert!(plain.args().parse::<Binary>().is_err());
}

#[test]
fn objects_that_look_like_placeholders_stay_objects() {
    for json in [
        "{\"_placeholder\":false,\"num\":0}",
        "{\"num\":0}",
        "{\"num\":{\"num\":0},\"_placeholder\":\"true\"}",
    ] {
        let expected: Value = serde_json::from_str(json).unwrap();
        assert_parses(json, 1, expected);
    }
}

#[test]
fn depth_is_bounded_in_both_deserializers() {
    fn nested(levels: usize) -> &'static str {
        Box::leak(("[".repeat(levels) + &"]".repeat(levels)).into_boxed_str())
    }
    for incoming in [plain(nested(127), 1), binary(nested(127), 1)] {
        assert!(incoming.args().parse::<Value>().is_ok());
    }
    assert_fails::<Value>(nested(129), 1, "argument 1: recursion limit exceeded");
    assert_fails::<Value>(nested(500_000), 1, "argument 1: recursion limit exceeded");
    let object: &str = Box::leak("{\"num\":".repeat(200_000).into_boxed_str());
    assert!(Args::new(object, 1, &[Rc::from(*b"")]).parse::<Value>().is_err());
}

#[test]
fn text_that_is_not_json_is_an_error_and_no_panic() {
    for json in ["", "\"", "[", "[1", "{", "{\"a", "{\"a\"", "{\"a\":", "{1}", "\u{e9}", "\\", "]"]
    {
        for attachments in [vec![], vec![Rc::from(*b"zero")]] {
            let args = Args::new(json, 2, &attachments);
            let _ = args.parse::<(Value, Value)>();
            let _ = args.parse::<BTreeMap<String, Binary>>();
            let _ = args.parse::<Shape>();
            let _ = args.parse::<(Option<f64>, Binary)>();
            assert!(args.skip(3).is_empty());
        }
    }
}

#[test]
fn arguments_are_counted_skipped_and_kept() {
    let incoming = binary("\"a\" , [1,2] ,{\"_placeholder\":true,\"num\":1}", 3);
    let args = incoming.args();
    assert_eq!((args.len(), args.is_empty()), (3, false));
    assert_eq!(args.raw_json(1), Some("[1,2]"));
    assert_eq!(args.raw_json(3), None);
    assert_eq!(args.get::<[u8; 2]>(1).unwrap(), [1, 2]);
    assert_eq!(args.get::<Binary>(2).unwrap(), Binary(b"one".to_vec()));
    assert_eq!(args.get::<Option<u8>>(3).unwrap(), None);
    let rest = args.skip(1);
    assert_eq!((rest.len(), &*rest.json()), (2, "[1,2] ,{\"_placeholder\":true,\"num\":1}"));
    assert_eq!(rest.parse::<(Vec<u8>, Binary)>().unwrap().1.0, b"one");
    assert_eq!(args.skip(0).json(), args.json());
    assert_eq!((args.skip(3).len(), &*args.skip(9).json()), (0, ""));
    let owned = args.to_owned();
    assert_eq!(owned.as_args().json(), args.json());
    assert_eq!(owned.as_args().attachments().collect::<Vec<_>>(), [&b"zero"[..], b"one"]);
    assert_eq!(format!("{owned:?}"), format!("{args:?}"));
    assert_eq!(format!("{:?}", plain("1", 1).args()), "Args { json: \"1\", attachments: 0 }");
}

#[test]
fn what_is_sent_reads_back() {
    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "tables read better with values")]
    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let args = OwnedArgs::new((&value, BinarySlice(b"x"))).unwrap();
        assert_eq!(args.as_args().parse::<(T,)>().unwrap().0, value, "{args:?}");
        let args = OwnedArgs::new((&value,)).unwrap();
        assert_eq!(args.as_args().parse::<(T,)>().unwrap().0, value, "{args:?}");
    }
    round_trip(("a\u{1f600}\"\\\u{0}".to_owned(), i64::MIN, u64::MAX, -0.1, 'x', true, ()));
    round_trip(vec![Shape::Unit, Shape::Newtype(1), Shape::Tuple(2, "b".into())]);
    round_trip(Shape::Struct { a: 5 });
    round_trip((Pair("p".into(), 1), Meters(1e300), Nothing, Point { x: 0, y: None }));
    round_trip(BTreeMap::from([(1_u8, vec![Some(Binary(vec![1, 2])), None])]));
    round_trip(BTreeMap::from([("k".to_owned(), (Binary(vec![]), [Binary(vec![255])]))]));
    round_trip((i128::MAX, u128::MAX, f32::MIN_POSITIVE));
}

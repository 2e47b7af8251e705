//! The decoder against every split, every malformed request we know of, and random bytes.

use super::{Decoder, Event, Limits, Phase, RESERVED_BYTES_MAX};

/// What one stream of bytes came to: the requests, how it ended, and what was left of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    requests: Vec<(String, Option<Vec<u8>>)>,
    error: Option<u16>,
}

/// Decodes pieces as a connection would, up to the first error.
fn decode_pieces<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    body_bytes_max: usize,
    limits: &Limits,
) -> Outcome {
    let mut decoder = Decoder::default();
    let mut outcome = Outcome { requests: Vec::new(), error: None };
    for mut piece in pieces {
        loop {
            match decoder.decode(&mut piece, limits) {
                Ok(None) => break assert!(piece.is_empty(), "input is left without an event"),
                Ok(Some(Event::Head(request))) => {
                    let name = format!("{} {}", request.method_name(), request.target());
                    outcome.requests.push((name, None));
                    decoder.accept_body(body_bytes_max);
                }
                Ok(Some(Event::Body(body))) => outcome.requests.last_mut().unwrap().1 = Some(body),
                Err(status) => {
                    outcome.error = Some(status.code());
                    assert_eq!(decoder.decode(&mut piece, limits).unwrap_err(), status);
                    return outcome;
                }
            }
        }
    }
    outcome
}

fn decode(wire: &[u8]) -> Outcome {
    decode_pieces([wire], 1000, &Limits::default())
}

fn request(target: &str, body: &[u8]) -> (String, Option<Vec<u8>>) {
    (target.to_owned(), Some(body.to_vec()))
}

const PIPELINE: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n\
    POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello\
    \r\nPOST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
    3\r\nabc\r\n1;x\r\nd\r\n0\r\nT: u\r\n\r\n\
    GET /d HTTP/1.0\r\n\r\n\
    POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n\
    PURGE /f HTTP/1.1\r\nHost: h\r\n\r\n";

fn pipeline_requests() -> Vec<(String, Option<Vec<u8>>)> {
    vec![
        request("GET /a", b""),
        request("POST /b", b"hello"),
        request("POST /c", b"abcd"),
        request("GET /d", b""),
        request("POST /e", b""),
        request("PURGE /f", b""),
    ]
}

#[test]
fn pipelined_requests_come_one_after_another() {
    assert_eq!(decode(PIPELINE), Outcome { requests: pipeline_requests(), error: None });
}

#[test]
fn every_split_in_two_gives_the_same() {
    for split in 0..=PIPELINE.len() {
        let (first, second) = PIPELINE.split_at(split);
        let outcome = decode_pieces([first, second], 1000, &Limits::default());
        assert_eq!(outcome, Outcome { requests: pipeline_requests(), error: None }, "{split}");
    }
}

#[test]
fn every_size_of_piece_gives_the_same() {
    for size in 1..50 {
        let outcome = decode_pieces(PIPELINE.chunks(size), 1000, &Limits::default());
        assert_eq!(outcome, Outcome { requests: pipeline_requests(), error: None }, "{size}");
    }
}

#[test]
fn smuggling_attempts_are_refused() {
    let attempts: &[(&str, u16)] = &[
        ("Content-Length: +5", 400),
        ("Content-Length: -5", 400),
        ("Content-Length: 5 5", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length:", 400),
        ("Content-Length: 18446744073709551616", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 0\r\ncontent-length: 5", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 400),
        ("Transfer-Encoding: xchunked", 501),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, identity", 501),
        ("Transfer-Encoding: \x0bchunked", 400),
        ("Transfer-Encoding : chunked", 400),
        ("Transfer-Encoding\t: chunked", 400),
        (" Transfer-Encoding: chunked", 400),
        ("Transfer-Encoding:\r\n chunked", 400),
        ("X: y\rTransfer-Encoding: chunked", 400),
        ("X: y\nTransfer-Encoding: chunked", 400),
        ("Content-Length\0: 5", 400),
        ("Host: other", 400),
        ("Expect: 200-ok", 417),
    ];
    for method in ["GET", "POST", "OPTIONS", "PURGE"] {
        for (header, status) in attempts {
            let head = format!("{method} / HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n");
            let wire = format!("{head}0\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n");
            let expected = Outcome { requests: Vec::new(), error: Some(*status) };
            assert_eq!(decode(wire.as_bytes()), expected, "{method} {header:?}");
            let outcome = decode_pieces(wire.as_bytes().chunks(1), 1000, &Limits::default());
            assert_eq!(outcome, expected, "{method} {header:?}");
        }
    }
}

#[test]
fn chunked_in_http_1_0_is_refused() {
    let wire = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(decode(wire).error, Some(400));
}

#[test]
fn a_body_on_get_is_read_past() {
    let wire = b"GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz\
        GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    let requests = vec![request("GET /a", b"xyz"), request("GET /b", b"")];
    assert_eq!(decode(wire), Outcome { requests, error: None });
}

#[test]
fn one_empty_line_before_a_request_is_ignored() {
    let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    for (lead, error) in [
        ("\r\n", None),
        ("\r\n\r\n", Some(400)),
        ("\n", Some(400)),
        ("\r", Some(400)),
        ("\r\n\n", Some(400)),
    ] {
        let wire = format!("{lead}{get}");
        assert_eq!(decode(wire.as_bytes()).error, error, "{lead:?}");
        let outcome = decode_pieces(wire.as_bytes().chunks(1), 0, &Limits::default());
        assert_eq!(outcome.error, error, "{lead:?}");
    }
    let mut decoder = Decoder::default();
    assert!(decoder.decode(&mut &b"\r\n"[..], &Limits::default()).unwrap().is_none());
    assert_eq!((decoder.phase(), decoder.buffered_bytes()), (Phase::Idle, 0));
}

#[test]
fn a_body_over_its_maximum_is_refused_at_once() {
    let declared = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n";
    let chunked = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n";
    for wire in [&declared[..], &chunked[..]] {
        let outcome = |max| decode_pieces([wire], max, &Limits::default()).error;
        assert_eq!((outcome(5), outcome(6)), (Some(413), None));
    }
    let claim = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n";
    assert_eq!(decode(claim).error, Some(413));
}

#[test]
fn a_body_nobody_accepted_is_refused() {
    let mut decoder = Decoder::default();
    let mut input = &b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"[..];
    assert!(matches!(decoder.decode(&mut input, &Limits::default()), Ok(Some(Event::Head(_)))));
    assert_eq!(decoder.decode(&mut input, &Limits::default()).unwrap_err().code(), 413);
    assert_eq!(decoder.phase(), Phase::Failed);
}

#[test]
fn an_expectation_is_judged_before_the_body() {
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    for (max, expected) in [(8, Some(413)), (9, None)] {
        let (mut decoder, mut input) = (Decoder::default(), &head[..]);
        let Ok(Some(Event::Head(request))) = decoder.decode(&mut input, &Limits::default()) else {
            panic!("no head")
        };
        assert!(request.expects_continue() && decoder.has_body());
        assert_eq!(decoder.declared_body_bytes(), Some(9));
        decoder.accept_body(max);
        let judged = decoder.decode(&mut input, &Limits::default());
        assert_eq!(judged.err().map(super::Status::code), expected);
    }
}

#[test]
fn what_follows_an_upgrade_stays_in_the_input() {
    let wire =
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85";
    let (mut decoder, mut input) = (Decoder::default(), &wire[..]);
    let Ok(Some(Event::Head(request))) = decoder.decode(&mut input, &Limits::default()) else {
        panic!("no head")
    };
    assert!(request.is_websocket_upgrade());
    assert_eq!(input, b"\x81\x85");
}

#[test]
fn phases_and_memory_follow_the_bytes() {
    let wire = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900000\r\n\r\n";
    let mut decoder = Decoder::default();
    assert_eq!((decoder.phase(), decoder.buffered_bytes()), (Phase::Idle, 0));
    assert!(size_of::<Decoder>() <= 32, "{}", size_of::<Decoder>());
    let mut partial = &wire[..20];
    assert!(decoder.decode(&mut partial, &Limits::default()).unwrap().is_none());
    assert_eq!(decoder.phase(), Phase::Head);
    assert!((20..200).contains(&decoder.buffered_bytes()), "{}", decoder.buffered_bytes());
    let mut rest = &wire[20..];
    assert!(decoder.decode(&mut rest, &Limits::default()).unwrap().is_some());
    assert_eq!((decoder.phase(), decoder.buffered_bytes()), (Phase::Body, 0));
    decoder.accept_body(1_000_000);
    assert!(decoder.decode(&mut &b"x"[..], &Limits::default()).unwrap().is_none());
    assert_eq!((decoder.phase(), decoder.declared_body_bytes()), (Phase::Body, Some(900_000)));
    // A claim of 900 kB and one byte of it: memory follows the byte.
    assert!(decoder.buffered_bytes() <= RESERVED_BYTES_MAX + 200);
}

#[test]
fn a_dribbled_head_costs_linear_time() {
    // Each call scans from where the last one stopped, which a quarter of a million calls show:
    // at the square of the head's length this test would take minutes.
    let limits = Limits { head_bytes_max: 256 * 1024, ..Limits::default() };
    let mut wire = b"GET / HTTP/1.1\r\nHost: h\r\nX: ".to_vec();
    wire.resize(limits.head_bytes_max, b'a');
    assert_eq!(decode_pieces(wire.chunks(1), 0, &limits).error, Some(431));
}

#[test]
fn heads_over_their_limits_are_refused_as_they_grow() {
    let limits = Limits { head_bytes_max: 300, target_bytes_max: 50, headers_max: 5 };
    let error = |wire: &str| {
        let whole = decode_pieces([wire.as_bytes()], 0, &limits);
        assert_eq!(decode_pieces(wire.as_bytes().chunks(1), 0, &limits), whole);
        assert_eq!(decode_pieces(wire.as_bytes().chunks(7), 0, &limits), whole);
        whole.error
    };
    let long = "a".repeat(300);
    assert_eq!(error(&format!("GET /{long}")), Some(414));
    assert_eq!(error(&long), Some(414));
    assert_eq!(error(&format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..50])), Some(414));
    assert_eq!(error(&format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", &long[..49])), None);
    assert_eq!(error(&format!("GET / HTTP/1.1\r\nHost: h\r\nX: {long}")), Some(431));
    let headers = "X: y\r\n".repeat(5);
    assert_eq!(error(&format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n")), Some(431));
    // One header too many hides nothing: the upgrade isn't half seen, it is refused.
    assert_eq!(
        error(&format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}Upgrade: websocket\r\n\r\n")),
        Some(431)
    );
}

#[test]
fn long_lists_in_a_header_are_read_in_linear_time() {
    let list = " ,".repeat(4000);
    let wire = format!("GET / HTTP/1.1\r\nHost: h\r\nConnection: {list}\r\n\r\n");
    let (mut decoder, mut input) = (Decoder::default(), wire.as_bytes());
    let Ok(Some(Event::Head(request))) = decoder.decode(&mut input, &Limits::default()) else {
        panic!("no head")
    };
    assert!(request.keep_alive() && !request.is_websocket_upgrade());
}

/// Random edits of a valid stream, and random splits of the result: no panic, and the outcome is
/// the same however the bytes arrive.
#[test]
fn random_streams_decode_alike_however_they_are_split() {
    let seed = std::env::var("THRONG_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(0x5eed_0b1e_55ed_cafe);
    println!("THRONG_SEED={seed}");
    let mut random = Random(seed);
    let limits = Limits { head_bytes_max: 120, target_bytes_max: 40, headers_max: 4 };
    for round in 0..20_000 {
        let mut wire = PIPELINE.to_vec();
        for _ in 0..random.below(5) {
            random.edit(&mut wire);
        }
        let whole = decode_pieces([&wire[..]], 8, &limits);
        let pieces = random.pieces(&wire);
        let split = decode_pieces(pieces, 8, &limits);
        assert_eq!(split, whole, "round {round} of seed {seed}: {}", wire.escape_ascii());
    }
}

#[test]
fn random_bytes_do_no_harm() {
    let mut random = Random(0x0dd_ba11);
    for _ in 0..5_000 {
        let wire: Vec<u8> = (0..random.below(200)).map(|_| random.byte()).collect();
        let whole = decode(&wire);
        let pieces = random.pieces(&wire);
        assert_eq!(decode_pieces(pieces, 1000, &Limits::default()), whole);
    }
}

/// Xorshift: enough for tests, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// A byte of the kind that parsers stumble over, or any.
    fn byte(&mut self) -> u8 {
        const MARKS: &[u8] = b"\r\n\r\n \t:;,/0123456789abcdefGET\0\x7f\xff+-";
        match self.below(4) {
            0 => self.next().to_le_bytes()[0],
            _ => MARKS[self.below(MARKS.len())],
        }
    }

    fn edit(&mut self, wire: &mut Vec<u8>) {
        if wire.is_empty() {
            return;
        }
        let at = self.below(wire.len());
        match self.below(5) {
            0 => drop(wire.remove(at)),
            1 => wire.insert(at, self.byte()),
            2 => wire[at] = self.byte(),
            3 => wire.truncate(at + 1),
            _ => {
                let end = wire.len().min(at + self.below(40));
                let copy = wire[at..end].to_vec();
                let to = self.below(wire.len());
                wire.splice(to..to, copy);
            }
        }
    }

    fn pieces<'a>(&mut self, mut wire: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        let longest = 1 + self.below(60);
        while !wire.is_empty() {
            let (piece, rest) = wire.split_at(wire.len().min(self.below(longest + 1)));
            pieces.push(piece);
            wire = rest;
        }
        pieces
    }
}

//! Four ways to read one stream, held together on random streams and random splits: the decoder,
//! the decoder without its fast path, tungstenite alone, and a plain oracle.
//!
//! The oracle sees all bytes at once and knows no incremental state; `89 81 00 00 00 00 78` is to
//! it a header, a payload and the reply `8a 01 78`.

use std::io::{self, Read, Write};

use tungstenite::Error;
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use super::{Decoder, Failure, Frame, Limits, Pool, mask_frame};
use crate::message::push_frame;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Text(String),
    Binary(Vec<u8>),
    Ping,
    Pong,
    Close(Option<u16>),
    Failed(Failure),
}

/// Everything that came of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) replies: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Fast,
    ContextOnly,
}

/// Decodes `stream`, cut at the given ascending positions.
pub(super) fn decode(way: Way, stream: &[u8], cuts: &[usize], limits: &Limits) -> Outcome {
    let mut reader = Reader::new(way);
    let mut start = 0;
    for end in cuts.iter().copied().chain([stream.len()]) {
        reader.read(&stream[start..end], limits);
        start = end;
    }
    reader.outcome
}

/// A connection: a decoder with what surrounds it.
pub(super) struct Reader {
    way: Way,
    pub(super) decoder: Decoder,
    pub(super) pool: Pool,
    pub(super) outcome: Outcome,
}

impl Reader {
    pub(super) fn new(way: Way) -> Self {
        Self { way, decoder: Decoder::new(), pool: Pool::new(), outcome: Outcome::default() }
    }

    pub(super) fn read(&mut self, bytes: &[u8], limits: &Limits) {
        let mut input = bytes.to_vec();
        let mut at = 0;
        let Outcome { events, replies } = &mut self.outcome;
        loop {
            let decoded = match self.way {
                Way::Fast => {
                    self.decoder.decode(&mut input, &mut at, limits, replies, &mut self.pool)
                }
                Way::ContextOnly => {
                    self.decoder.assemble(&input, &mut at, limits, replies, &mut self.pool)
                }
            };
            match decoded {
                Ok(Some(frame)) => events.push(event_of(&frame)),
                Ok(None) => break,
                Err(failure) => events.push(Event::Failed(failure)),
            }
        }
        assert_eq!(at, input.len(), "all input is taken");
    }
}

fn event_of(frame: &Frame<'_>) -> Event {
    match frame {
        Frame::Text(text) => Event::Text(text.to_string()),
        Frame::Binary(bytes) => Event::Binary(bytes.to_vec()),
        Frame::Ping => Event::Ping,
        Frame::Pong => Event::Pong,
        Frame::Close(code) => Event::Close(*code),
    }
}

/// Lets tungstenite read the whole stream by itself.
fn tungstenite(stream: &[u8], limits: &Limits) -> Outcome {
    let config = WebSocketConfig::default()
        .write_buffer_size(0)
        .max_message_size(Some(limits.message_bytes_max))
        .max_frame_size(Some(limits.message_bytes_max));
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut pipe = Pipe { stream, replies: Vec::new() };
    let mut events = Vec::new();
    loop {
        match context.read(&mut pipe) {
            Ok(Message::Text(text)) => events.push(Event::Text(text.to_string())),
            Ok(Message::Binary(bytes)) => events.push(Event::Binary(bytes.to_vec())),
            Ok(Message::Ping(_)) => events.push(Event::Ping),
            Ok(Message::Pong(_)) => events.push(Event::Pong),
            Ok(Message::Close(close)) => {
                events.push(Event::Close(close.map(|close| close.code.into())));
            }
            Ok(Message::Frame(_)) => unreachable!("only written, never read"),
            Err(Error::Io(_) | Error::ConnectionClosed) => break,
            Err(error) => {
                events.push(Event::Failed(error.into()));
                break;
            }
        }
    }
    Outcome { events, replies: pipe.replies }
}

struct Pipe<'a> {
    stream: &'a [u8],
    replies: Vec<u8>,
}

impl Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stream.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.stream.read(buffer)
    }
}

impl Write for Pipe<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the stream by the letter of the specification, with everything at hand.
fn oracle(stream: &[u8], limits: &Limits) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(failure) = oracle_events(stream, limits, &mut outcome) {
        outcome.events.push(Event::Failed(failure));
    }
    outcome
}

fn oracle_events(mut rest: &[u8], limits: &Limits, outcome: &mut Outcome) -> Result<(), Failure> {
    let mut message: Option<(u8, Vec<u8>, u32)> = None;
    while let Some((first, claimed, mask, after)) = oracle_header(rest) {
        let (opcode, is_final) = (first & 0x0f, first >= 0x80);
        if !matches!(opcode, 0 | 1 | 2 | 8 | 9 | 10) {
            return Err(Failure::Protocol);
        }
        if claimed > limits.message_bytes_max as u64 {
            return Err(Failure::TooLarge);
        }
        let Some(mask) = mask else { return Err(Failure::Protocol) };
        if first & 0x70 != 0 || (opcode >= 8 && (!is_final || claimed > 125)) {
            return Err(Failure::Protocol);
        }
        if opcode < 8 && (opcode == 0) != message.is_some() {
            return Err(Failure::Protocol);
        }
        let claimed = usize::try_from(claimed).unwrap();
        let mut payload = after[..claimed.min(after.len())].to_vec();
        for (at, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[at % 4];
        }
        let is_whole = payload.len() == claimed;
        rest = &after[payload.len()..];
        if opcode >= 8 {
            if !is_whole || oracle_control(opcode, &payload, outcome)? {
                return Ok(());
            }
            continue;
        }
        let (opcode, mut bytes, fragments) = message.take().unwrap_or((opcode, Vec::new(), 0));
        if fragments + 1 > limits.fragments_max {
            return Err(Failure::TooManyFragments);
        }
        if bytes.len() + claimed > limits.message_bytes_max {
            return Err(Failure::TooLarge);
        }
        bytes.extend_from_slice(&payload);
        let is_complete = is_whole && is_final;
        if opcode == 1
            && let Err(error) = std::str::from_utf8(&bytes)
        {
            // A character may end in a later frame, but not after the last.
            if is_complete || error.error_len().is_some() {
                return Err(Failure::NotUtf8);
            }
        }
        if is_complete && opcode == 1 {
            outcome.events.push(Event::Text(String::from_utf8(bytes).unwrap()));
        } else if is_complete {
            outcome.events.push(Event::Binary(bytes));
        } else {
            message = Some((opcode, bytes, fragments + 1));
        }
    }
    Ok(())
}

type OracleHeader<'a> = (u8, u64, Option<[u8; 4]>, &'a [u8]);

fn oracle_header(bytes: &[u8]) -> Option<OracleHeader<'_>> {
    let first = *bytes.first()?;
    let second = *bytes.get(1)?;
    let extra = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mut claimed = if extra == 0 { u64::from(second & 0x7f) } else { 0 };
    for byte in bytes.get(2..2 + extra)? {
        claimed = claimed << 8 | u64::from(*byte);
    }
    let rest = &bytes[2 + extra..];
    if second < 0x80 {
        return Some((first, claimed, None, rest));
    }
    let mask = rest.get(..4)?;
    Some((first, claimed, Some([mask[0], mask[1], mask[2], mask[3]]), &rest[4..]))
}

/// Whether the stream is over.
fn oracle_control(opcode: u8, payload: &[u8], outcome: &mut Outcome) -> Result<bool, Failure> {
    match opcode {
        9 => {
            outcome.events.push(Event::Ping);
            push_frame(&mut outcome.replies, 0x8a, payload);
            return Ok(false);
        }
        10 => {
            outcome.events.push(Event::Pong);
            return Ok(false);
        }
        _ => {}
    }
    if payload.len() == 1 {
        return Err(Failure::Protocol);
    }
    let mut code = None;
    let mut echo = payload.to_vec();
    if payload.len() >= 2 {
        std::str::from_utf8(&payload[2..]).map_err(|_| Failure::NotUtf8)?;
        let number = u16::from_be_bytes([payload[0], payload[1]]);
        code = Some(number);
        if !matches!(number, 1000..=1003 | 1007..=1013 | 3000..=4999) {
            code = Some(1002);
            echo = [&1002u16.to_be_bytes()[..], b"Protocol violation"].concat();
        }
    }
    outcome.events.push(Event::Close(code));
    push_frame(&mut outcome.replies, 0x88, &echo);
    Ok(true)
}

/// A small xorshift; the seed alone decides what a run does.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next()).unwrap() % bound
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    fn mask(&mut self) -> [u8; 4] {
        [self.byte(), self.byte(), self.byte(), self.byte()]
    }

    fn payload(&mut self, opcode: u8) -> Vec<u8> {
        let len = match self.below(20) {
            0 => 0,
            1..=9 => self.below(20),
            10..=14 => 110 + self.below(40),
            15..=17 => self.below(2000),
            18 => 4080 + self.below(40),
            _ => self.pick(&[65_533, 65_535, 65_536, 70_001]),
        };
        if opcode == 2 {
            return (0..len).map(|_| self.byte()).collect();
        }
        let mut text = String::new();
        while text.len() < len {
            text.push_str(self.pick(&["a", "42[\"chat\"]", "é", "€", "𝄞", "\0"]));
        }
        text.into_bytes()
    }

    /// Appends a data message, fragmented or not, with control frames between the fragments.
    fn push_message(&mut self, out: &mut Vec<u8>) {
        let opcode = self.pick(&[1, 1, 1, 2]);
        let payload = self.payload(opcode);
        let fragments = if self.below(3) == 0 { 1 + self.below(5) } else { 1 };
        let mut start = 0;
        for index in 1..=fragments {
            let is_last = index == fragments;
            let end =
                if is_last { payload.len() } else { start + self.below(payload.len() - start + 1) };
            let first = if index == 1 { opcode } else { 0 };
            let first = if is_last { 0x80 | first } else { first };
            out.extend(mask_frame(first, &payload[start..end], self.mask()));
            start = end;
            if !is_last && self.below(3) == 0 {
                self.push_control(out);
            }
        }
    }

    fn push_control(&mut self, out: &mut Vec<u8>) {
        let len = self.pick(&[0, 1, 4, 60, 125]);
        let payload: Vec<u8> = (0..len).map(|_| self.byte()).collect();
        let opcode = self.pick(&[0x89, 0x8a]);
        out.extend(mask_frame(opcode, &payload, self.mask()));
    }

    fn push_close(&mut self, out: &mut Vec<u8>) {
        let code = self.pick(&[0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 1016, 2999]);
        let code =
            if self.below(3) == 0 { self.pick(&[3000, 4000, 4999, 5000, 65_535]) } else { code };
        let reason = self.pick(&[&b""[..], b"bye", "é".as_bytes(), b"\xc3"]);
        let payload = [&u16::to_be_bytes(code)[..], reason].concat();
        let len = if self.below(3) == 0 { self.below(3) } else { payload.len() };
        out.extend(mask_frame(0x88, &payload[..len], self.mask()));
    }

    fn stream(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..=self.below(8) {
            match self.below(8) {
                0 => self.push_control(&mut out),
                1 if self.below(4) == 0 => self.push_close(&mut out),
                _ => self.push_message(&mut out),
            }
        }
        out
    }

    /// Breaks a stream in one of the ways of the wire.
    fn spoil(&mut self, stream: &mut Vec<u8>) {
        match self.below(4) {
            0 => {}
            1 => stream.truncate(self.below(stream.len() + 1)),
            2 => {
                let at = self.below(stream.len());
                stream[at] ^= 1 << self.below(8);
            }
            _ => {
                // Near the start a change is likely to hit a header.
                let at = self.below(stream.len().min(16));
                stream[at] = self.byte();
            }
        }
    }

    fn cuts(&mut self, len: usize) -> Vec<usize> {
        let mut cuts: Vec<usize> = (0..self.below(8)).map(|_| self.below(len + 1)).collect();
        cuts.sort_unstable();
        cuts
    }

    fn limits(&mut self) -> Limits {
        Limits {
            message_bytes_max: self.pick(&[1_000_000, 1_000_000, 100_000, 1000, 124]),
            fragments_max: self.pick(&[1024, 1024, 4, 1]),
        }
    }
}

fn assert_all_ways_agree(seed: u64, stream: &[u8], cuts: &[usize], limits: &Limits) {
    let expected = oracle(stream, limits);
    for way in [Way::Fast, Way::ContextOnly] {
        let whole = decode(way, stream, &[], limits);
        assert!(whole == expected, "seed {seed}, {way:?}, whole");
        let split = decode(way, stream, cuts, limits);
        assert!(split == expected, "seed {seed}, {way:?}, cut at {cuts:?}");
    }
    let theirs = tungstenite(stream, limits);
    if theirs == expected {
        return;
    }
    // Alone it knows no limit of fragments, and judges a frame only after its payload came.
    let Some((Event::Failed(failure), before)) = expected.events.split_last() else {
        panic!("seed {seed}: {expected:?} against {theirs:?}")
    };
    assert!(theirs.events.starts_with(before), "seed {seed}");
    assert!(
        *failure == Failure::TooManyFragments || theirs.events.len() == before.len(),
        "seed {seed}: {failure:?} against {:?}",
        theirs.events.last()
    );
}

#[test]
fn all_ways_agree_on_random_streams_and_splits() {
    for seed in 0..1500 {
        let mut random = Random::new(seed);
        let mut stream = random.stream();
        random.spoil(&mut stream);
        let cuts = random.cuts(stream.len());
        let limits = random.limits();
        assert_all_ways_agree(seed, &stream, &cuts, &limits);
    }
}

#[test]
fn all_ways_agree_on_garbage() {
    for seed in 0..20_000 {
        let mut random = Random::new(seed);
        let len = random.below(200);
        let mut stream: Vec<u8> = (0..len).map(|_| random.byte()).collect();
        // Most garbage would fail at its first byte.
        for (at, options) in [&[0x81, 0x82, 0x01, 0x89, 0x88, 0xc1][..], &[0x80, 0x83, 0xfe, 0xff]]
            .into_iter()
            .enumerate()
        {
            if let Some(byte) = stream.get_mut(at) {
                *byte = random.pick(options);
            }
        }
        let cuts = random.cuts(stream.len());
        let limits = random.limits();
        assert_all_ways_agree(seed, &stream, &cuts, &limits);
    }
}

#[test]
fn valid_streams_leave_the_decoder_idle() {
    let limits = Limits { message_bytes_max: 1_000_000, fragments_max: 1024 };
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let mut stream = Vec::new();
        for _ in 0..5 {
            random.push_control(&mut stream);
            random.push_message(&mut stream);
        }
        let mut reader = Reader::new(Way::Fast);
        let mut start = 0;
        for end in random.cuts(stream.len()) {
            reader.read(&stream[start..end], &limits);
            start = end;
        }
        reader.read(&stream[start..], &limits);
        assert!(reader.decoder.is_idle(), "seed {seed}");
        assert_eq!(reader.decoder.promised_bytes(), 0, "seed {seed}");
        assert_eq!(reader.outcome, oracle(&stream, &limits), "seed {seed}");
    }
}

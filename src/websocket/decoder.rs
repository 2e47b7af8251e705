//! Turns the bytes of one connection into messages.
//!
//! Nearly every frame arrives whole: one final, masked text or binary frame within what was read,
//! such as `81 85 37 fa 21 3d 7f 9f 4d 51 58`. It is unmasked where it lies and borrowed, and the
//! decoder keeps nothing. All else goes through an [`Assembly`]: it is taken from the pool at the
//! first such byte and given back as soon as the stream stands at a boundary again.
//!
//! This doesn't send: the replies to control frames are appended to the caller's buffer, and the
//! close frame after a [`Failure`] is the caller's.

use std::mem;
use std::ops::Range;

use super::assembly::{Assembly, Pool};
use super::failure::{Failure, Limits};
use super::frame::{Binary, Frame, Text};
use super::header::{Header, unmask};
use crate::message::{BINARY_FRAME, TEXT_FRAME};

/// The receiving half of one connection; two words and no heap while idle.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    /// Between two messages, with nothing pending.
    #[default]
    Idle,
    /// Within a frame or a fragmented message.
    Assembling(Box<Assembly>),
    /// The peer closed or failed: what it still sends is ignored.
    Closed,
}

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self { state: State::Idle }
    }

    /// Decodes the next message or control frame of `input`, from `at` onwards.
    ///
    /// `at` moves behind what was read; call again until `None`, at which all of `input` was
    /// taken. What is returned borrows from `input` alone. A close comes once; after it, and after
    /// a failure, everything is taken and nothing returned.
    ///
    /// Pongs and the echo of a close are appended to `replies`, which grows by less than was read
    /// but for that echo. One who has sent a close frame already must not send the echo.
    pub(crate) fn decode<'b>(
        &mut self,
        input: &'b mut [u8],
        at: &mut usize,
        limits: &Limits,
        replies: &mut Vec<u8>,
        pool: &mut Pool,
    ) -> Result<Option<Frame<'b>>, Failure> {
        if matches!(self.state, State::Idle)
            && let Some(whole) = WholeFrame::find(input, *at, limits)
        {
            *at = whole.payload.end;
            let decoded = whole.decode(input);
            if decoded.is_err() {
                self.state = State::Closed;
            }
            return decoded.map(Some);
        }
        self.assemble(input, at, limits, replies, pool)
    }

    #[cfg(test)]
    /// Whether the stream stands between two messages and nothing is kept.
    pub(crate) const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    #[cfg(test)]
    /// An upper bound of the heap kept for this connection, in bytes: zero while idle, and
    /// otherwise in proportion to what arrived of the message.
    pub(crate) fn promised_bytes(&self) -> usize {
        match &self.state {
            State::Assembling(assembly) => assembly.promised_bytes(),
            State::Idle | State::Closed => 0,
        }
    }

    /// The way of all that is not one whole message.
    pub(super) fn assemble(
        &mut self,
        input: &[u8],
        at: &mut usize,
        limits: &Limits,
        replies: &mut Vec<u8>,
        pool: &mut Pool,
    ) -> Result<Option<Frame<'static>>, Failure> {
        let mut rest = input.get(*at..).unwrap_or_default();
        *at = input.len();
        if rest.is_empty() {
            return Ok(None);
        }
        // Whatever leaves early, by a failure or a close, leaves the decoder closed.
        let mut assembly = match mem::replace(&mut self.state, State::Closed) {
            State::Idle => pool.take(limits),
            State::Assembling(assembly) => assembly,
            State::Closed => return Ok(None),
        };
        let frame = assembly.advance(&mut rest, limits, replies)?;
        if matches!(frame, Some(Frame::Close(_))) {
            return Ok(frame);
        }
        *at -= rest.len();
        self.state = if assembly.is_idle() {
            pool.put(assembly);
            State::Idle
        } else {
            State::Assembling(assembly)
        };
        Ok(frame)
    }
}

/// Where a message lies that is one frame and arrived completely.
struct WholeFrame {
    first_byte: u8,
    mask: [u8; 4],
    payload: Range<usize>,
}

impl WholeFrame {
    #[inline]
    fn find(input: &[u8], at: usize, limits: &Limits) -> Option<Self> {
        let rest = input.get(at..)?;
        let header = Header::parse(rest)?;
        let mask = header.mask?;
        let payload_bytes = usize::try_from(header.payload_bytes).ok()?;
        // Comparing the whole byte also sees to FIN and the reserved bits.
        let is_message = matches!(header.first_byte, TEXT_FRAME | BINARY_FRAME);
        let is_whole = payload_bytes <= rest.len() - header.bytes;
        if !is_message || !is_whole || payload_bytes > limits.message_bytes_max {
            return None;
        }
        let start = at + header.bytes;
        Some(Self { first_byte: header.first_byte, mask, payload: start..start + payload_bytes })
    }

    #[inline]
    fn decode(self, input: &mut [u8]) -> Result<Frame<'_>, Failure> {
        let payload = input.get_mut(self.payload).unwrap_or_default();
        unmask(payload, self.mask);
        if self.first_byte == BINARY_FRAME {
            return Ok(Frame::Binary(Binary::Borrowed(payload)));
        }
        match std::str::from_utf8(payload) {
            Ok(text) => Ok(Frame::Text(Text::Borrowed(text))),
            Err(_) => Err(Failure::NotUtf8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::websocket::differential::{Event, Outcome, Reader, Way, decode};
    use crate::websocket::mask_frame;

    const LIMITS: Limits = Limits { message_bytes_max: 1000, fragments_max: 4 };
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

    fn frame(first_byte: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
        mask_frame(first_byte, payload.as_ref(), MASK)
    }

    /// Decodes in both ways, at once and byte by byte, which must not make a difference.
    fn outcome_of(stream: &[u8]) -> Outcome {
        let outcome = decode(Way::Fast, stream, &[], &LIMITS);
        let every_byte: Vec<usize> = (0..stream.len()).collect();
        for (way, cuts) in
            [(Way::ContextOnly, &[][..]), (Way::Fast, &every_byte), (Way::ContextOnly, &every_byte)]
        {
            assert_eq!(decode(way, stream, cuts, &LIMITS), outcome, "{way:?}");
        }
        outcome
    }

    fn text(text: &str) -> Event {
        Event::Text(text.to_owned())
    }

    fn mixed_stream() -> (Vec<u8>, Vec<Event>) {
        let long = "é".repeat(70);
        let stream = [
            frame(0x81, "2"),
            frame(0x89, "are you there"),
            frame(0x81, &long),
            frame(0x01, "4\u{20ac}".as_bytes().split_at(2).0),
            frame(0x8a, ""),
            frame(0x00, ""),
            frame(0x80, "4\u{20ac}".as_bytes().split_at(2).1),
            frame(0x82, [0xff; 200]),
            frame(0x02, [1, 2]),
            frame(0x80, [3]),
            frame(0x81, ""),
            frame(0x88, [0x03, 0xe9]),
            frame(0x81, "ignored"),
        ];
        let events = vec![
            text("2"),
            Event::Ping,
            text(&long),
            Event::Pong,
            text("4\u{20ac}"),
            Event::Binary(vec![0xff; 200]),
            Event::Binary(vec![1, 2, 3]),
            text(""),
            Event::Close(Some(1001)),
        ];
        (stream.concat(), events)
    }

    #[test]
    fn examples_of_the_specification() {
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(outcome_of(hello).events, [text("Hello")]);
        let ping = b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        let outcome = outcome_of(ping);
        assert_eq!(outcome.events, [Event::Ping]);
        assert_eq!(outcome.replies, b"\x8a\x05Hello");
        let fragments = [frame(0x01, "Hel"), frame(0x80, "lo")].concat();
        assert_eq!(outcome_of(&fragments).events, [text("Hello")]);
        for len in [256, 1000] {
            let binary = vec![0x5a; len];
            assert_eq!(outcome_of(&frame(0x82, &binary)).events, [Event::Binary(binary)]);
        }
    }

    #[test]
    fn a_message_is_borrowed_from_the_input() {
        let mut input = frame(0x81, "Hello");
        let (mut at, mut replies, mut pool) = (0, Vec::new(), Pool::new());
        let mut decoder = Decoder::new();
        let result = decoder.decode(&mut input, &mut at, &LIMITS, &mut replies, &mut pool);
        assert!(matches!(result, Ok(Some(Frame::Text(Text::Borrowed("Hello"))))));
        assert_eq!(at, 11);
        assert_eq!(pool.len(), 0);
    }

    #[test]
    fn no_split_in_two_makes_a_difference() {
        let (stream, events) = mixed_stream();
        for cut in 0..=stream.len() {
            for way in [Way::Fast, Way::ContextOnly] {
                let outcome = decode(way, &stream, &[cut], &LIMITS);
                assert_eq!(outcome.events, events, "{way:?}, cut at {cut}");
                assert_eq!(outcome.replies, b"\x8a\x0dare you there\x88\x02\x03\xe9");
            }
        }
        assert_eq!(outcome_of(&stream).events, events);
    }

    #[test]
    fn an_idle_decoder_is_two_words_and_keeps_nothing() {
        assert!(size_of::<Decoder>() <= 16);
        let mut reader = Reader::new(Way::Fast);
        reader.read(&frame(0x01, "4"), &LIMITS);
        assert!(!reader.decoder.is_idle());
        assert!(reader.decoder.promised_bytes() > 0);
        reader.read(&[frame(0x89, ""), frame(0x80, "2"), frame(0x81, "3")].concat(), &LIMITS);
        assert!(reader.decoder.is_idle());
        assert_eq!(reader.decoder.promised_bytes(), 0);
        assert_eq!(reader.pool.len(), 1);
        reader.read(&frame(0x89, ""), &LIMITS);
        assert_eq!(reader.pool.len(), 1, "the context is used again");
    }

    #[test]
    fn pongs_and_close_replies_echo_exactly() {
        let payload: Vec<u8> = (0..125).collect();
        let outcome = outcome_of(&frame(0x89, &payload));
        assert_eq!(outcome.replies, [&b"\x8a\x7d"[..], &payload].concat());
        let outcome = outcome_of(&frame(0x88, b"\x03\xe8bye"));
        assert_eq!(outcome.events, [Event::Close(Some(1000))]);
        assert_eq!(outcome.replies, b"\x88\x05\x03\xe8bye");
        let outcome = outcome_of(&frame(0x88, ""));
        assert_eq!(outcome.events, [Event::Close(None)]);
        assert_eq!(outcome.replies, b"\x88\x00");
    }

    #[test]
    fn a_code_that_must_not_be_sent_is_answered_as_1002() {
        for code in [0u16, 999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 5000, 65_535] {
            let outcome = outcome_of(&frame(0x88, code.to_be_bytes()));
            assert_eq!(outcome.events, [Event::Close(Some(1002))], "{code}");
            assert_eq!(outcome.replies, b"\x88\x14\x03\xeaProtocol violation");
        }
    }

    #[test]
    fn breaking_the_protocol_fails_with_1002() {
        let streams = [
            b"\x81\x05Hello".to_vec(),
            b"\x89\x00".to_vec(),
            frame(0xc1, "rsv1"),
            frame(0xa1, "rsv2"),
            frame(0x91, "rsv3"),
            frame(0x83, "reserved data"),
            frame(0x8b, "reserved control"),
            frame(0x09, "fragmented ping"),
            frame(0x89, [0; 126]),
            frame(0x80, "nothing to continue"),
            [frame(0x01, "a"), frame(0x81, "b")].concat(),
            frame(0x88, [3]),
        ];
        for stream in streams {
            let outcome = outcome_of(&[stream.clone(), frame(0x81, "ignored")].concat());
            assert_eq!(outcome.events, [Event::Failed(Failure::Protocol)], "{stream:x?}");
            assert_eq!(outcome.replies, b"");
        }
        assert_eq!(Failure::Protocol.close_code(), 1002);
    }

    #[test]
    fn text_that_is_not_utf8_fails_with_1007() {
        let streams = [
            frame(0x81, b"\xff"),
            frame(0x81, b"abcdefgh\xe2\x82"),
            [frame(0x01, b"\xe2\x82"), frame(0x80, b"x")].concat(),
            [frame(0x01, b"\xe2\x82"), frame(0x80, b"")].concat(),
            frame(0x81, b"\xed\xa0\x80"),
            frame(0x88, b"\x03\xe8\xff"),
        ];
        for stream in streams {
            assert_eq!(outcome_of(&stream).events, [Event::Failed(Failure::NotUtf8)]);
        }
        assert_eq!(Failure::NotUtf8.close_code(), 1007);
    }

    #[test]
    fn too_large_a_message_fails_with_1009_before_it_arrived() {
        let claims = [
            b"\x82\xfe\x03\xe9\0\0\0\0".to_vec(),
            b"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
            b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
            [frame(0x02, [0; 600]), frame(0x80, [0; 401])[..8].to_vec()].concat(),
        ];
        for stream in claims {
            assert_eq!(outcome_of(&stream).events, [Event::Failed(Failure::TooLarge)]);
        }
        let most = [frame(0x02, [0; 600]), frame(0x80, [0; 400])].concat();
        assert_eq!(outcome_of(&most).events, [Event::Binary(vec![0; 1000])]);
        assert_eq!(Failure::TooLarge.close_code(), 1009);
    }

    #[test]
    fn empty_fragments_count_too() {
        let four = [frame(0x01, ""), frame(0, ""), frame(0, ""), frame(0x80, "")].concat();
        assert_eq!(outcome_of(&[four.clone(), four].concat()).events, [text(""), text("")]);
        let five = [frame(0x01, ""), frame(0, ""), frame(0, ""), frame(0, ""), frame(0, "")];
        let failed = [Event::Failed(Failure::TooManyFragments)];
        assert_eq!(outcome_of(&five.concat()).events, failed);
        assert_eq!(Failure::TooManyFragments.close_code(), 1008);
    }

    #[test]
    fn a_length_may_be_longer_encoded_than_needed() {
        let medium = b"\x81\xfe\x00\x02\0\0\0\0hi";
        let large = b"\x81\xff\0\0\0\0\0\0\0\x02\0\0\0\0hi";
        assert_eq!(outcome_of(medium).events, [text("hi")]);
        assert_eq!(outcome_of(large).events, [text("hi")]);
    }
}

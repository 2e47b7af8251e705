//! A client's WebSocket: masked frames, cut at random, with pings between them.
//!
//! ```text
//! > 81 83 11 22 33 44 ..      < 81 0f 34 32 5b ..
//! ```

use std::collections::VecDeque;

use super::line::find;
use super::packet::{Form, Packet};
use crate::pipe::End;
use crate::world::{Wire, World};

/// One connection, from its handshake on.
#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) wire: Wire,
    form: Form,
    input: Vec<u8>,
    /// The server has answered 101.
    is_open: bool,
    is_closing: bool,
    pongs: VecDeque<Vec<u8>>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Packet(Packet),
    /// The handshake is done.
    Open,
    /// A close frame, with its code.
    Close(Option<u16>),
    /// The stream has ended.
    End(End),
}

impl WebSocket {
    pub(crate) fn open(world: &mut World, target: &str, form: Form) -> Self {
        let wire = world.connect();
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        world.send(wire, head.as_bytes());
        let (input, pongs) = (Vec::new(), VecDeque::new());
        Self { wire, form, input, is_open: false, is_closing: false, pongs }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(crate) fn send(&mut self, world: &mut World, packet: &Packet) {
        let typed;
        let (opcode, bytes) = match packet {
            Packet::Text(text) => (0x1, text.as_bytes()),
            Packet::Binary(bytes) if self.form.is_v3() => {
                typed = [&[4], bytes.as_slice()].concat();
                (0x2, typed.as_slice())
            }
            Packet::Binary(bytes) => (0x2, bytes.as_slice()),
        };
        if !world.random.once_in(6) {
            return self.send_frame(world, 0x80 | opcode, bytes);
        }
        let middle = world.random.below(bytes.len() + 1);
        self.send_frame(world, opcode, &bytes[..middle]);
        if world.random.once_in(2) {
            self.ping(world);
        }
        self.send_frame(world, 0x80, &bytes[middle..]);
    }

    pub(crate) fn ping(&mut self, world: &mut World) {
        let len = world.random.below(9);
        let payload = world.random.next().to_le_bytes()[..len].to_vec();
        self.send_frame(world, 0x89, &payload);
        self.pongs.push_back(payload);
    }

    /// Whether all pings have been answered.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pongs.is_empty()
    }

    pub(crate) fn close(&mut self, world: &mut World) {
        if !self.is_closing {
            self.is_closing = true;
            self.send_frame(world, 0x88, &[0x03, 0xe8]);
        }
    }

    pub(crate) fn send_frame(&self, world: &mut World, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 0x7e);
                frame.extend_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                frame.push(0x80 | 0x7f);
                frame.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        let mask: [u8; 4] = world.random.next().to_le_bytes()[..4].try_into().unwrap();
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        world.send(self.wire, &frame);
    }

    /// What came, in its order; an error says what the server did that it may not.
    pub(crate) fn receive(&mut self, world: &mut World) -> Result<Vec<Heard>, String> {
        let (bytes, end) = world.receive(self.wire);
        self.input.extend_from_slice(&bytes);
        let mut all = Vec::new();
        if !self.is_open
            && let Some(at) = find(&self.input, b"\r\n\r\n")
        {
            let answer: Vec<u8> = self.input.drain(..at + 4).collect();
            if !answer.starts_with(b"HTTP/1.1 101 ") {
                return Err(String::from_utf8_lossy(&answer).into_owned());
            }
            self.is_open = true;
            all.push(Heard::Open);
        }
        while self.is_open
            && let Some((first, payload)) = self.take_frame()?
        {
            match first {
                0x81 => {
                    let text = String::from_utf8(payload).map_err(|error| error.to_string())?;
                    let packet = match self.form {
                        Form::V3Base64 => Packet::decode_text(&text, "b4")?,
                        _ => Packet::Text(text),
                    };
                    all.push(Heard::Packet(packet));
                }
                0x82 => match (self.form, payload.as_slice()) {
                    (Form::V4, bytes) | (Form::V3, [4, bytes @ ..]) => {
                        all.push(Heard::Packet(Packet::Binary(bytes.to_vec())));
                    }
                    _ => return Err(format!("a binary frame came as {payload:?}")),
                },
                0x88 => {
                    self.close(world);
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    all.push(Heard::Close(code));
                }
                0x8a if self.pongs.front() == Some(&payload) => drop(self.pongs.pop_front()),
                _ => return Err(format!("a frame {first:x} came with {payload:x?}")),
            }
        }
        if end != End::Open {
            all.push(Heard::End(end));
        }
        Ok(all)
    }

    fn take_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, String> {
        let [first, len, rest @ ..] = self.input.as_slice() else { return Ok(None) };
        let (extended, len) = match (*len, rest) {
            (126, [a, b, ..]) => (2, usize::from(u16::from_be_bytes([*a, *b]))),
            (126 | 127, _) if *len == 127 && rest.len() >= 8 => {
                let bytes: [u8; 8] = rest[..8].try_into().unwrap();
                (8, usize::try_from(u64::from_be_bytes(bytes)).unwrap())
            }
            (126 | 127, _) => return Ok(None),
            (128.., _) => return Err("the server masks its frames".to_owned()),
            (len, _) => (0, usize::from(len)),
        };
        let first = *first;
        let begin = 2 + extended;
        if self.input.len() < begin + len {
            return Ok(None);
        }
        let payload = self.input[begin..begin + len].to_vec();
        self.input.drain(..begin + len);
        Ok(Some((first, payload)))
    }
}

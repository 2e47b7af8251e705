//! What clients do that aren't calm: accidents, faults and malice, each once and at some step.

use super::{Client, Phase, Transport};
use crate::random::Random;
use crate::world::World;

/// How a client conducts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// It makes no mistake and has no accident.
    Calm,
    /// Its machine is switched off.
    Vanishes(usize),
    /// It resets all its connections, or one.
    Resets(usize),
    ResetsOne(usize),
    /// It closes all connections in the middle of everything.
    Hangs(usize),
    /// It ends its direction only.
    HalfCloses(usize),
    /// It sends bytes that mean nothing.
    Babbles(usize),
    /// It sends a packet that is wrong.
    Errs(usize),
    /// It polls twice at a time.
    Overlaps(usize),
    /// It stops reading, for so many steps.
    Stalls(usize, usize),
    /// It begins a request and never ends it.
    Begins(usize),
    /// It never answers a ping.
    NeverPongs,
}

impl Conduct {
    pub(crate) fn random(random: &mut Random, steps: usize) -> Self {
        let at = random.within(5, steps);
        match random.below(24) {
            0..10 => Self::Calm,
            10 => Self::Vanishes(at),
            11 => Self::Resets(at),
            12 => Self::ResetsOne(at),
            13 => Self::Hangs(at),
            14 => Self::HalfCloses(at),
            15 => Self::Babbles(at),
            16 | 17 => Self::Errs(at),
            18 => Self::Overlaps(at),
            19 | 20 => Self::Stalls(at, *random.pick(&[5, 50, usize::MAX / 2])),
            21 => Self::Begins(at),
            _ => Self::NeverPongs,
        }
    }
}

impl Client {
    /// Does what it does at this step; `true` if that was its last act.
    pub(super) fn misbehave(&mut self, now: usize, world: &mut World) -> bool {
        match self.conduct {
            Conduct::Vanishes(at) if at == now => {
                self.drop_all(world, |world, wire| world.pipe(wire).vanish());
            }
            Conduct::Resets(at) if at == now => {
                self.drop_all(world, |world, wire| world.pipe(wire).reset());
            }
            Conduct::ResetsOne(at) if at == now => {
                if let Some(&wire) = self.wires().first() {
                    world.pipe(wire).reset();
                }
            }
            Conduct::Hangs(at) if at == now => {
                self.drop_all(world, |world, wire| world.pipe(wire).abandon());
            }
            Conduct::HalfCloses(at) if at == now => {
                self.drop_all(world, |world, wire| world.pipe(wire).end_to_server());
            }
            Conduct::Babbles(at) if at == now => self.babble(world),
            Conduct::Errs(at) if at == now => self.err(world),
            Conduct::Overlaps(at) if at == now => {
                // Before it has a session that would be two more, and in EIO 3 they would be in.
                let is_one = self.sid.is_some() || !self.form.is_v3();
                if let Transport::Polling(polling) = &mut self.transport
                    && is_one
                {
                    polling.overlap(world);
                }
                // Whichever of its requests brings something, it doesn't know any more.
                self.drop_all(world, |_, _| {});
            }
            Conduct::Begins(at) if at == now => self.begin_request(world),
            Conduct::Stalls(at, _) if at == now => self.stall(world, true),
            Conduct::Stalls(at, steps) if at + steps == now => self.stall(world, false),
            _ => {}
        }
        self.phase == Phase::Gone
    }

    fn stall(&mut self, world: &mut World, stalls: bool) {
        for wire in self.wires() {
            world.pipe(wire).stall(stalls);
        }
    }

    fn babble(&mut self, world: &mut World) {
        let len = world.random.within(1, 60);
        let bytes: Vec<u8> = (0..len).map(|_| world.random.next().to_le_bytes()[0]).collect();
        if let Some(&wire) = self.wires().first() {
            world.send(wire, &bytes);
        }
    }

    fn err(&mut self, world: &mut World) {
        let packet = *world.random.pick(&ERRORS);
        self.outgoing.push_back(super::Packet::text(packet));
        if let Transport::WebSocket(socket) = &self.transport
            && socket.is_open()
            && world.random.once_in(3)
        {
            let (first, payload): (u8, &[u8]) = *world.random.pick(&FRAMES);
            socket.send_frame(world, first, payload);
        }
    }

    fn begin_request(&mut self, world: &mut World) {
        let wire = world.connect();
        let request = match (&self.transport, world.random.below(3)) {
            (Transport::Polling(polling), 0) => {
                format!("POST {} HTTP/1.1\r\nContent-Length: 99\r\n\r\n42[\"say", polling.target)
            }
            (_, 1) => "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost".to_owned(),
            _ => String::new(),
        };
        world.send(wire, request.as_bytes());
        self.leftovers.push(wire);
    }
}

/// Packets that no client may send.
const ERRORS: [&str; 12] = [
    "",
    "9",
    "2",
    "4",
    "4x",
    "42",
    "42{}",
    "42/nowhere,[\"say\",0]",
    "451-[\"binary\",{\"_placeholder\":true,\"num\":0}]",
    "4599999-[\"binary\"]",
    "44{\"message\":\"no\"}",
    "40",
];

/// Frames that no client may send.
const FRAMES: [(u8, &[u8]); 6] = [
    (0x83, b"reserved"),
    (0xc1, b"compressed"),
    (0x80, b"continues nothing"),
    (0x09, b"a fragmented ping"),
    (0x81, b"4\xff\xfe"),
    (0x88, b"\x03"),
];

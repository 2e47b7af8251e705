//! A model client: Socket.IO as a client speaks it, over whichever transport it has.
//!
//! What it hears it holds against the ledger. A calm client makes no mistake and has no accident,
//! so nothing may go wrong for it; what the others do stands in `conduct`.

pub(crate) mod conduct;
mod line;
pub(crate) mod packet;
mod polling;
mod talk;
mod websocket;

use std::collections::VecDeque;
use std::time::Duration;

use conduct::Conduct;
use packet::{Form, Packet};
use polling::Polling;
use websocket::{Heard, WebSocket};

use crate::app::{SPACES, prefix};
use crate::ledger::Ledger;
use crate::pipe::End;
use crate::world::{Wire, World};

/// One client, with one session in its life.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) conduct: Conduct,
    pub(crate) phase: Phase,
    means: Means,
    /// Its revision of the protocol, and how it writes and reads bytes.
    form: Form,
    transport: Transport,
    sid: Option<String>,
    spaces: [Space; SPACES.len()],
    outgoing: VecDeque<Packet>,
    /// The number of its next event.
    pub(crate) next: u64,
    /// A packet whose attachments are still to come.
    incomplete: Option<Incomplete>,
    /// Namespaces that don't exist and that it asked for.
    lost_ways: usize,
    /// Connections left over from transports that are gone.
    leftovers: Vec<Wire>,
    /// In EIO 3 it is the client that pings.
    heart: Heart,
}

/// The pings of a client.
#[derive(Debug, Default)]
struct Heart {
    interval: Duration,
    beats_at: Option<Duration>,
    /// Pings that were not answered so far.
    unanswered: u64,
}

/// How it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    Polling,
    WebSocket,
    Upgrade,
}

/// How far it is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It comes at this step.
    Waiting(usize),
    Open,
    /// It has said goodbye.
    Leaving,
    /// It has asked the server to close its session, and is owed some last words.
    Dismissed,
    Gone,
}

#[derive(Debug)]
enum Transport {
    None,
    Polling(Polling),
    /// Polling goes on until the probe is answered.
    Probing(Polling, WebSocket, Probe),
    WebSocket(WebSocket),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Handshake,
    Sent,
    Answered,
}

/// Where it stands in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    Out,
    Joining,
    In,
    /// It has asked to be sent away, and says nothing more.
    Leaving,
}

#[derive(Debug)]
struct Incomplete {
    text: String,
    attachments: Vec<Vec<u8>>,
    len: usize,
}

impl Client {
    pub(crate) fn new(
        id: usize,
        conduct: Conduct,
        means: Means,
        form: Form,
        starts_at: usize,
    ) -> Self {
        Self {
            id,
            conduct,
            phase: Phase::Waiting(starts_at),
            means,
            form,
            transport: Transport::None,
            sid: None,
            spaces: [Space::Out; SPACES.len()],
            outgoing: VecDeque::new(),
            next: 0,
            incomplete: None,
            lost_ways: 0,
            leftovers: Vec::new(),
            heart: Heart::default(),
        }
    }

    /// Everything a client does in a step: hear, answer, talk, send.
    pub(crate) fn step(&mut self, at: usize, talks: bool, world: &mut World, ledger: &mut Ledger) {
        self.tidy_leftovers(world);
        match self.phase {
            Phase::Waiting(starts_at) if at >= starts_at => self.open(world),
            Phase::Waiting(_) | Phase::Gone => return,
            Phase::Open | Phase::Leaving | Phase::Dismissed => {}
        }
        if let Err(how) = self.receive(world, ledger) {
            return self.lose(&how, world, ledger);
        }
        if self.phase == Phase::Open && self.misbehave(at, world) {
            return;
        }
        if self.phase == Phase::Open && talks {
            self.talk(world);
        }
        self.beat(world.now);
        self.send(world);
    }

    /// Whether it has said all and heard all it is owed.
    pub(crate) fn is_settled(&self, ledger: &Ledger) -> bool {
        let is_quiet = match &self.transport {
            Transport::WebSocket(socket) => socket.is_quiet(),
            Transport::Probing(..) => false,
            Transport::None | Transport::Polling(_) => true,
        };
        is_quiet
            && self.outgoing.is_empty()
            && self.spaces.iter().all(|space| matches!(space, Space::Out | Space::In))
            && ledger.is_settled(self.id)
            && ledger.heard(self.id) == self.next
    }

    pub(crate) fn wires(&self) -> Vec<Wire> {
        let mut wires = self.leftovers.clone();
        match &self.transport {
            Transport::None => {}
            Transport::Polling(polling) => wires.append(&mut polling.wires()),
            Transport::Probing(polling, socket, _) => {
                wires.append(&mut polling.wires());
                wires.push(socket.wire);
            }
            Transport::WebSocket(socket) => wires.push(socket.wire),
        }
        wires
    }

    /// It keeps no transport; its connections are left to `how`.
    pub(crate) fn drop_all(&mut self, world: &mut World, how: impl Fn(&mut World, Wire)) {
        for wire in self.wires() {
            how(world, wire);
        }
        self.leftovers = self.wires();
        self.transport = Transport::None;
        self.phase = Phase::Gone;
    }

    fn open(&mut self, world: &mut World) {
        self.phase = Phase::Open;
        let (client, query) = (self.id, self.form.query());
        if self.means == Means::WebSocket {
            let target = format!("/socket.io/?{query}&transport=websocket&client={client}");
            self.transport = Transport::WebSocket(WebSocket::open(world, &target, self.form));
        } else {
            let target = format!("/socket.io/?{query}&transport=polling&client={client}");
            self.transport = Transport::Polling(Polling::new(target, self.form));
        }
    }

    /// Its session has ended, or a connection of it.
    fn lose(&mut self, how: &str, world: &mut World, ledger: &mut Ledger) {
        if self.conduct == Conduct::Calm {
            if self.phase == Phase::Open {
                ledger.fail(format!("calm client {} lost its session: {how}", self.id));
            } else if self.phase == Phase::Dismissed && !ledger.is_settled(self.id) {
                let owed = ledger.first_owed(self.id);
                ledger.fail(format!("client {} was let go and is still owed {owed:?}", self.id));
            }
        }
        self.drop_all(world, |world, wire| world.pipe(wire).abandon());
    }

    fn tidy_leftovers(&mut self, world: &mut World) {
        self.leftovers.retain(|&wire| {
            let (_, end) = world.receive(wire);
            if end != End::Open {
                world.pipe(wire).abandon();
            }
            end == End::Open
        });
    }
}

/// Hearing.
impl Client {
    fn receive(&mut self, world: &mut World, ledger: &mut Ledger) -> Result<(), String> {
        let mut packets = Vec::new();
        let mut frames = Vec::new();
        match &mut self.transport {
            Transport::None => {}
            Transport::Polling(polling) => packets = polling.receive(world)?,
            Transport::WebSocket(socket) => frames = socket.receive(world)?,
            Transport::Probing(polling, socket, _) => {
                packets = polling.receive(world)?;
                frames = socket.receive(world)?;
            }
        }
        for packet in packets {
            self.hear(packet, world, ledger)?;
        }
        for frame in frames {
            match frame {
                Heard::Packet(packet) => self.hear(packet, world, ledger)?,
                Heard::Open => self.begin_probe(world),
                Heard::Close(code) => {
                    self.close_frame(code, world)?;
                }
                Heard::End(end) => return Err(format!("its WebSocket ended: {end:?}")),
            }
        }
        self.finish_upgrade(world);
        Ok(())
    }

    fn hear(&mut self, packet: Packet, world: &World, ledger: &mut Ledger) -> Result<(), String> {
        let text = match packet {
            Packet::Binary(bytes) => return self.hear_attachment(bytes, ledger),
            Packet::Text(text) => text,
        };
        match text.as_bytes().first() {
            Some(b'0') => self.hear_open(&text, world.now),
            Some(b'1') => Err("the server says 1".to_owned()),
            Some(b'2') if !self.form.is_v3() => {
                if self.conduct != Conduct::NeverPongs {
                    self.outgoing.push_back(Packet::text("3"));
                }
                Ok(())
            }
            Some(b'3') if text == "3probe" => {
                if let Transport::Probing(polling, _, probe) = &mut self.transport {
                    polling.is_paused = true;
                    *probe = Probe::Answered;
                }
                Ok(())
            }
            Some(b'3') if self.form.is_v3() && text == "3" => {
                let left = self.heart.unanswered.checked_sub(1);
                self.heart.unanswered = left.ok_or("a pong came without a ping")?;
                Ok(())
            }
            Some(b'4') => self.hear_message(&text[1..], ledger),
            Some(b'6') if text == "6" => Ok(()),
            _ => Err(format!("a packet came as {text}")),
        }
    }

    fn hear_open(&mut self, text: &str, now: Duration) -> Result<(), String> {
        let sid = text.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = sid.ok_or_else(|| format!("an open packet came as {text}"))?.to_owned();
        if let Transport::Polling(polling) = &mut self.transport {
            polling.target.push_str("&sid=");
            polling.target.push_str(&sid);
        }
        if self.form.is_v3() {
            let interval =
                text.split("\"pingInterval\":").nth(1).and_then(|rest| rest.split(',').next());
            let interval = interval.and_then(|millis| millis.parse().ok());
            self.heart.interval = Duration::from_millis(interval.unwrap_or_default());
            self.heart.beats_at = Some(now + self.heart.interval);
            // It is in by coming.
            self.spaces[0] = Space::Joining;
        }
        match self.sid.replace(sid) {
            None => Ok(()),
            Some(_) => Err("the session was opened twice".to_owned()),
        }
    }

    fn hear_message(&mut self, text: &str, ledger: &mut Ledger) -> Result<(), String> {
        if let Some(incomplete) = &self.incomplete {
            let failure = format!("{text} came between {} and its attachments", incomplete.text);
            ledger.fail(failure.clone());
            return Err(failure);
        }
        if text.starts_with(['5', '6']) {
            let len = text[1..].split('-').next().and_then(|len| len.parse().ok());
            let len = len.ok_or_else(|| format!("a packet came as {text}"))?;
            let (text, attachments) = (text.to_owned(), Vec::new());
            self.incomplete = Some(Incomplete { text, attachments, len });
            return Ok(());
        }
        self.settle(text, &[], ledger);
        Ok(())
    }

    fn hear_attachment(&mut self, bytes: Vec<u8>, ledger: &mut Ledger) -> Result<(), String> {
        let Some(mut incomplete) = self.incomplete.take() else {
            ledger.fail(format!("client {} heard an attachment of nothing", self.id));
            return Err("an attachment of nothing".to_owned());
        };
        incomplete.attachments.push(bytes);
        if incomplete.attachments.len() < incomplete.len {
            self.incomplete = Some(incomplete);
        } else {
            self.settle(&incomplete.text, &incomplete.attachments, ledger);
        }
        Ok(())
    }

    /// A whole Socket.IO packet: it must be the next that is owed.
    fn settle(&mut self, text: &str, attachments: &[Vec<u8>], ledger: &mut Ledger) {
        if text == "4/nowhere,{\"message\":\"Invalid namespace\"}" && self.lost_ways > 0 {
            self.lost_ways -= 1;
            return;
        }
        let (text, id) = split_id(text);
        ledger.settle(self.id, &text, attachments);
        let space = usize::from(text[1..].contains("/chat,"));
        match text.as_bytes()[0] {
            b'0' => self.spaces[space] = Space::In,
            b'1' => self.spaces[space] = Space::Out,
            b'2' if self.spaces[space] == Space::In && self.phase == Phase::Open => {
                if let (Some(id), Some((_, number))) = (id, text.split_once("question\",")) {
                    let answer = format!("43{}{id}[{number}", prefix(space));
                    self.outgoing.push_back(Packet::Text(answer));
                }
            }
            _ => {}
        }
    }
}

/// Sending, and the way from polling to WebSocket.
impl Client {
    fn send(&mut self, world: &mut World) {
        match &mut self.transport {
            Transport::None => {}
            Transport::Polling(polling) | Transport::Probing(polling, ..) => {
                if self.sid.is_some() && polling.may_post() && !self.outgoing.is_empty() {
                    let len = world.random.within(1, self.outgoing.len());
                    let packets: Vec<Packet> = self.outgoing.drain(..len).collect();
                    polling.post(world, &packets);
                }
                if !world.random.once_in(4) {
                    polling.poll(world);
                }
            }
            Transport::WebSocket(socket) => {
                while socket.is_open()
                    && self.sid.is_some()
                    && let Some(packet) = self.outgoing.pop_front()
                {
                    socket.send(world, &packet);
                }
            }
        }
        if self.means == Means::Upgrade && self.phase == Phase::Open && world.random.once_in(10) {
            self.upgrade(world);
        }
    }

    /// In EIO 3 a client pings, whatever else it does.
    fn beat(&mut self, now: Duration) {
        let is_due = self.heart.beats_at.is_some_and(|at| at <= now);
        if is_due && self.conduct != Conduct::NeverPongs && self.phase != Phase::Gone {
            self.heart.beats_at = Some(now + self.heart.interval);
            self.heart.unanswered += 1;
            self.outgoing.push_back(Packet::text("2"));
        }
    }

    fn upgrade(&mut self, world: &mut World) {
        let Some(sid) = &self.sid else { return };
        if !matches!(self.transport, Transport::Polling(_)) {
            return;
        }
        let query = self.form.query();
        let target = format!("/socket.io/?{query}&transport=websocket&sid={sid}");
        let socket = WebSocket::open(world, &target, self.form);
        if let Transport::Polling(polling) = std::mem::replace(&mut self.transport, Transport::None)
        {
            self.transport = Transport::Probing(polling, socket, Probe::Handshake);
        }
    }

    fn begin_probe(&mut self, world: &mut World) {
        if let Transport::Probing(_, socket, probe) = &mut self.transport {
            socket.send(world, &Packet::text("2probe"));
            *probe = Probe::Sent;
        }
    }

    /// The probe was answered and polling has come to rest: the WebSocket takes over.
    fn finish_upgrade(&mut self, world: &mut World) {
        let is_due = matches!(&self.transport, Transport::Probing(polling, _, Probe::Answered)
            if polling.is_quiet());
        if !is_due {
            return;
        }
        if let Transport::Probing(polling, mut socket, _) =
            std::mem::replace(&mut self.transport, Transport::None)
        {
            socket.send(world, &Packet::text("5"));
            for wire in polling.wires() {
                world.pipe(wire).abandon();
            }
            self.transport = Transport::WebSocket(socket);
        }
    }

    /// A close frame ends a session; of a probe it ends the probe only.
    fn close_frame(&mut self, code: Option<u16>, world: &mut World) -> Result<(), String> {
        match std::mem::replace(&mut self.transport, Transport::None) {
            Transport::Probing(polling, socket, probe)
                if probe != Probe::Answered && self.conduct != Conduct::Calm =>
            {
                world.pipe(socket.wire).abandon();
                self.transport = Transport::Polling(polling);
                Ok(())
            }
            transport => {
                self.transport = transport;
                Err(format!("a close frame came: {code:?}"))
            }
        }
    }
}

/// The ack id stands between the namespace and the arguments; which one the server takes is its
/// own affair where it asks.
fn split_id(text: &str) -> (String, Option<u64>) {
    let Some(bracket) = text.find('[').filter(|_| text.starts_with('2')) else {
        return (text.to_owned(), None);
    };
    let head = &text[..bracket];
    let kept = match head.rfind(',') {
        Some(comma) => comma + 1,
        None => 1,
    };
    let id = head[kept..].parse().ok();
    (format!("{}{}", &head[..kept], &text[bracket..]), id)
}

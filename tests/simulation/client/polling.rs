//! A client's long-polling: one GET and one POST at a time, over connections that are kept.

use super::line::{Answer, Line};
use super::packet::{Form, Packet};
use crate::pipe::End;
use crate::world::{Wire, World};

/// The transport of one session.
#[derive(Debug)]
pub(crate) struct Polling {
    /// What requests ask for; the id of the session is added when it is known.
    pub(crate) target: String,
    form: Form,
    get: Option<Line>,
    post: Option<Line>,
    idle: Vec<Line>,
    /// No further request is made: the client is about to upgrade.
    pub(crate) is_paused: bool,
}

impl Polling {
    pub(crate) fn new(target: String, form: Form) -> Self {
        Self { target, form, get: None, post: None, idle: Vec::new(), is_paused: false }
    }

    /// Nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.get.is_none() && self.post.is_none()
    }

    pub(crate) fn may_post(&self) -> bool {
        self.post.is_none() && !self.is_paused
    }

    pub(crate) fn poll(&mut self, world: &mut World) {
        if self.get.is_none() && !self.is_paused {
            let line = self.take_line(world);
            line.get(world, &self.target);
            self.get = Some(line);
        }
    }

    /// A second GET beside the first, as no client may send it.
    pub(crate) fn overlap(&mut self, world: &mut World) {
        for _ in 0..2 {
            let line = Line::open(world);
            line.get(world, &self.target);
            self.idle.push(line);
        }
    }

    pub(crate) fn post(&mut self, world: &mut World, packets: &[Packet]) {
        let line = self.take_line(world);
        line.post(world, &self.target, &Packet::encode_payload(packets, self.form));
        self.post = Some(line);
    }

    /// What the answers brought; an error says how the transport was lost.
    pub(crate) fn receive(&mut self, world: &mut World) -> Result<Vec<Packet>, String> {
        let mut packets = Vec::new();
        if let Some(answer) = receive(&mut self.post, &mut self.idle, world)? {
            expect_ok("POST", &answer)?;
            if answer.body != b"ok" {
                return Err(format!("a POST was answered with {:?}", answer.body));
            }
        }
        if let Some(answer) = receive(&mut self.get, &mut self.idle, world)? {
            expect_ok("GET", &answer)?;
            packets = Packet::decode_payload(&answer.body, answer.is_binary, self.form)?;
        }
        self.tidy(world);
        Ok(packets)
    }

    /// Every connection it has.
    pub(crate) fn wires(&self) -> Vec<Wire> {
        self.get.iter().chain(&self.post).chain(&self.idle).map(|line| line.wire).collect()
    }

    /// Connections that the server has closed, and some for no reason, are not used again.
    fn tidy(&mut self, world: &mut World) {
        self.idle.retain_mut(|line| {
            let is_open = line.receive(world).1 == End::Open && !world.random.once_in(30);
            if !is_open {
                world.pipe(line.wire).abandon();
            }
            is_open
        });
    }

    fn take_line(&mut self, world: &mut World) -> Line {
        if self.idle.is_empty() || world.random.once_in(6) {
            return Line::open(world);
        }
        let index = world.random.below(self.idle.len());
        self.idle.swap_remove(index)
    }
}

fn receive(
    slot: &mut Option<Line>,
    idle: &mut Vec<Line>,
    world: &mut World,
) -> Result<Option<Answer>, String> {
    let Some(mut line) = slot.take() else { return Ok(None) };
    match line.receive(world) {
        (Some(answer), end) => {
            if answer.is_kept && end == End::Open {
                idle.push(line);
            } else {
                world.pipe(line.wire).abandon();
            }
            Ok(Some(answer))
        }
        (None, End::Open) => {
            *slot = Some(line);
            Ok(None)
        }
        (None, end) => {
            world.pipe(line.wire).abandon();
            Err(format!("a request was left without an answer: {end:?}"))
        }
    }
}

fn expect_ok(method: &str, answer: &Answer) -> Result<(), String> {
    match answer.status {
        200 => Ok(()),
        status => {
            let body = String::from_utf8_lossy(&answer.body);
            Err(format!("a {method} was answered {status} {body}"))
        }
    }
}

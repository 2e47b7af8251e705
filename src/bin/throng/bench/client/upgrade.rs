//! The upgrade of a polling client: a WebSocket probes while polling goes on, and takes its place
//! when neither a poll nor a POST is on its way, so that nothing is lost or overtaken.
//!
//! ```text
//! probe > 2probe   < 3probe   (main < 6, no further GET)   probe > 5   main, post closed
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::frame::{Frame, next_frame, push_frame};
use super::polling::{Poll, Polling, SEPARATOR, Stage};
use super::websocket::{Websocket, read_upgrade};
use super::{BINARY, Dialect, Ending, Event, Lane, Output, TEXT};

/// How far the upgrade of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// The session is to stay on long-polling, or isn't open yet.
    Unasked,
    /// The WebSocket's handshake is awaited.
    Opening,
    /// `2probe` is sent, its answer awaited.
    Probing,
    /// The WebSocket works: `5` is sent when nothing is on its way over HTTP.
    Switching,
    /// `5` is sent: the WebSocket is the way.
    Done,
    /// The server offers no WebSocket, or it didn't work: the session stays on long-polling.
    Refused,
}

impl Polling {
    pub(super) fn begin_upgrade(&mut self, offered: &[String], outputs: &mut Vec<Output>) {
        if offered.iter().any(|transport| transport == "websocket") {
            self.upgrade = Upgrade::Opening;
            outputs.push(Output::Open(Lane::Probe));
        } else {
            self.upgrade = Upgrade::Refused;
        }
    }

    /// The machine that goes on after the upgrade.
    pub(super) fn upgraded(&self) -> Option<Websocket> {
        (self.upgrade == Upgrade::Done)
            .then(|| Websocket::upgraded(self.mask, self.stage == Stage::Joined))
    }

    /// Tells that the client is connected, once it is in and its upgrade is over.
    pub(super) fn settle(&self, sink: &mut impl FnMut(Event<'_>)) {
        match (self.stage, self.upgrade) {
            (Stage::Joined, Upgrade::Unasked | Upgrade::Done) => sink(Event::Connected),
            (Stage::Joined, Upgrade::Refused) => sink(Event::NotUpgraded),
            _ => {}
        }
    }

    /// Takes what the probe received. Whatever goes wrong there is no end of the session.
    pub(super) fn handle_probe(
        &mut self,
        dialect: &Dialect,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> usize {
        if let Ok(taken) = self.read_probe(input, outputs, sink) {
            return taken;
        }
        outputs.push(Output::Close(Lane::Probe));
        self.refuse_upgrade(dialect, outputs, sink);
        input.len()
    }

    fn read_probe(
        &mut self,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        let mut taken = 0;
        if self.upgrade == Upgrade::Opening {
            taken = match read_upgrade(input)? {
                Some(bytes) => bytes,
                None => return Ok(0),
            };
            self.upgrade = Upgrade::Probing;
            self.write_frame(TEXT, b"2probe", outputs);
        }
        while let Some(frame) = next_frame(input.get(taken..).unwrap_or_default())? {
            taken += frame.bytes;
            self.handle_probe_frame(&frame, outputs)?;
        }
        if self.upgrade == Upgrade::Switching {
            self.switch(outputs, sink);
        }
        Ok(taken)
    }

    fn handle_probe_frame(
        &mut self,
        frame: &Frame<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), Ending> {
        match (frame.opcode, self.upgrade, frame.payload) {
            (OpCode::Data(Data::Text), Upgrade::Probing, b"3probe") if frame.is_final => {
                self.upgrade = Upgrade::Switching;
            }
            (OpCode::Control(Control::Ping), _, payload) => {
                self.write_frame(OpCode::Control(Control::Pong), payload, outputs);
            }
            (OpCode::Control(Control::Pong), _, _) => {}
            _ => return Err(Ending::BadPacket),
        }
        Ok(())
    }

    /// Moves to the WebSocket with all that waits, as soon as nothing is on its way over HTTP.
    pub(super) fn switch(&mut self, outputs: &mut Vec<Output>, sink: &mut impl FnMut(Event<'_>)) {
        let is_polling = matches!(self.poll, Poll::Opening | Poll::Asked);
        if is_polling || !self.posting.is_empty() {
            return;
        }
        let mut out = Vec::with_capacity(self.waiting.len() + 16);
        push_frame(&mut out, TEXT, self.mask, b"5");
        let waiting = std::mem::take(&mut self.waiting);
        let packets = waiting.split(|byte| *byte == SEPARATOR).filter(|packet| !packet.is_empty());
        for packet in packets {
            match packet {
                [b'b', encoded @ ..] => {
                    // It was encoded here.
                    let attachment = STANDARD.decode(encoded).unwrap_or_default();
                    push_frame(&mut out, BINARY, self.mask, &attachment);
                }
                packet => push_frame(&mut out, TEXT, self.mask, packet),
            }
        }
        outputs.push(Output::Write(Lane::Probe, out));
        outputs.push(Output::Close(Lane::Main));
        outputs.push(Output::Close(Lane::Post));
        self.upgrade = Upgrade::Done;
        self.settle(sink);
    }

    /// The session stays on long-polling, which goes on where it paused.
    pub(super) fn refuse_upgrade(
        &mut self,
        dialect: &Dialect,
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
        self.upgrade = Upgrade::Refused;
        self.post(dialect, outputs);
        self.ask(dialect, outputs);
        self.settle(sink);
    }

    fn write_frame(&self, opcode: OpCode, payload: &[u8], outputs: &mut Vec<Output>) {
        let mut out = Vec::with_capacity(payload.len() + 14);
        push_frame(&mut out, opcode, self.mask, payload);
        outputs.push(Output::Write(Lane::Probe, out));
    }
}

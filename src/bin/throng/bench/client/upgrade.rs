//! The upgrade of a polling client: a WebSocket probes while polling goes on, and takes its place
//! when neither a poll nor a POST is on its way, so that nothing is lost or overtaken.
//!
//! ```text
//! probe > 2probe   < 3probe   (main < 6, no further GET)   probe > 5   main, post closed
//! ```

use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::body::{SEPARATOR, decoded};
use super::frame::{Frame, next_frame, push_frame};
use super::polling::{Poll, Polling, Stage};
use super::websocket::{Websocket, read_upgrade};
use super::{Dialect, Ending, Event, Lane, Output, TEXT};

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
        if let Ok(taken) = self.read_probe(dialect, input, outputs, sink) {
            return taken;
        }
        outputs.push(Output::Close(Lane::Probe));
        self.refuse_upgrade(dialect, outputs, sink);
        input.len()
    }

    fn read_probe(
        &mut self,
        dialect: &Dialect,
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
            self.switch(dialect, outputs, sink);
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
    pub(super) fn switch(
        &mut self,
        dialect: &Dialect,
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) {
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
                    dialect.push_attachment(&mut out, self.mask, &decoded(encoded));
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

#[cfg(test)]
mod tests {
    use crate::bench::client::tests::{Trial, dialect, get, ok, post};
    use crate::bench::transports::Transport;

    use super::*;

    /// A client that has asked for a probe, and for CONNECT to be answered.
    fn probing(offered: &str, outputs: &[&str]) -> Trial {
        let mut trial = Trial::new(Transport::Upgrade, dialect("/"));
        trial.connect(&["open main"]);
        trial.open(Lane::Main, &[&get("")]);
        let opened = ok(&format!("0{{\"sid\":\"x\",\"upgrades\":[{offered}]}}"));
        let get = get("&sid=x");
        let outputs: Vec<&str> =
            outputs.iter().copied().chain(["open post", get.as_str()]).collect();
        trial.take(Lane::Main, &opened, &outputs);
        trial.open(Lane::Post, &[&post("&sid=x", "40")]);
        trial
    }

    /// A client whose probe is answered, while a poll and the POST of CONNECT are on their way.
    fn switching() -> Trial {
        let mut trial = probing("\"websocket\"", &["open probe"]);
        trial.open(Lane::Probe, &[REQUEST]);
        trial.take(Lane::Probe, SWITCHED, &[PROBE]);
        trial.take(Lane::Probe, "3probe", &[]);
        trial
    }

    #[test]
    fn a_client_is_connected_when_it_is_in_and_upgraded() {
        let mut trial = probing("\"websocket\"", &["open probe"]);
        trial.open(Lane::Probe, &[REQUEST]);
        trial.take(Lane::Post, &ok("ok"), &[]);
        trial.take(Lane::Main, &ok("40{\"sid\":\"y\"}"), &[&get("&sid=x")]);
        trial.take(Lane::Probe, SWITCHED, &[PROBE]);
        trial.take(Lane::Main, &ok("6"), &[&get("&sid=x")]);
        trial.take(Lane::Probe, "3probe", &[]);
        assert!(trial.events.is_empty());
        trial.take(Lane::Main, &ok("6"), &[FIVE, "close main", "close post"]);
        assert_eq!(trial.events, ["connected"]);
    }

    #[test]
    fn the_switch_waits_for_the_poll_and_the_post_on_their_way() {
        let mut trial = switching();
        trial.take(Lane::Main, &ok("40{\"sid\":\"y\"}\x1e42[\"a\"]"), &[]);
        trial.take(Lane::Post, &ok("ok"), &[FIVE, "close main", "close post"]);
        assert_eq!(trial.events, ["packet 2[\"a\"]", "connected"]);
        let mut trial = switching();
        trial.take(Lane::Post, &ok("ok"), &[]);
        trial.take(Lane::Main, &ok("6"), &[FIVE, "close main", "close post"]);
        // It is upgraded, and not yet in.
        assert!(trial.events.is_empty());
        trial.take(Lane::Probe, "40{\"sid\":\"y\"}", &[]);
        assert_eq!(trial.events, ["connected"]);
    }

    #[test]
    fn what_waits_goes_by_the_websocket_in_order() {
        let mut trial = switching();
        trial.take(Lane::Main, &ok("40{\"sid\":\"y\"}\x1e2"), &[]);
        trial.send("51-[]", Some(&[9, 8]), &[]);
        trial.send("2[]", None, &[]);
        // The mask is 01 02 03 04. "3" is 33: 32. "451-[]" is 34 35 31 2d 5b 5d: 35 37 32 29 5a 5f.
        // 09 08: 08 0a. "42[]" is 34 32 5b 5d: 35 30 58 59.
        let frames = "probe \\x81\\x81\\x01\\x02\\x03\\x044\
                      \\x81\\x81\\x01\\x02\\x03\\x042\
                      \\x81\\x86\\x01\\x02\\x03\\x04572)Z_\
                      \\x82\\x82\\x01\\x02\\x03\\x04\\x08\\n\
                      \\x81\\x84\\x01\\x02\\x03\\x0450XY";
        trial.take(Lane::Post, &ok("ok"), &[frames, "close main", "close post"]);
        assert_eq!(trial.events, ["ping", "connected"]);
        trial.send("2[]", None, &["probe \\x81\\x84\\x01\\x02\\x03\\x0450XY"]);
        trial.take(Lane::Probe, "42[\"b\"]", &[]);
        trial.take(Lane::Probe, "2", &["probe \\x81\\x81\\x01\\x02\\x03\\x042"]);
        assert_eq!(trial.events, ["ping", "connected", "packet 2[\"b\"]", "ping"]);
        assert_eq!(trial.client.event_lane(), Lane::Probe);
        assert_eq!(trial.ending(Lane::Probe, false), Ending::EndOfFile);
    }

    #[test]
    fn a_post_that_is_made_again_is_waited_for() {
        let mut trial = probing("\"websocket\"", &["open probe"]);
        trial.open(Lane::Probe, &[REQUEST]);
        trial.take(Lane::Post, &ok("ok"), &[]);
        trial.take(Lane::Main, &ok("2"), &[&post("&sid=x", "3"), &get("&sid=x")]);
        trial.take(Lane::Probe, SWITCHED, &[PROBE]);
        trial.take(Lane::Probe, "3probe", &[]);
        trial.end(Lane::Post, false, &["close post", "open post"]);
        trial.take(Lane::Main, &ok("40{}"), &[]);
        trial.open(Lane::Post, &[&post("&sid=x", "3")]);
        trial.take(Lane::Post, &ok("ok"), &[FIVE, "close main", "close post"]);
        assert_eq!(trial.events, ["ping", "connected"]);
    }

    #[test]
    fn a_server_without_websocket_leaves_it_polling() {
        let mut trial = probing("\"webtransport\"", &[]);
        trial.take(Lane::Main, &ok("40{}"), &[&get("&sid=x")]);
        assert_eq!(trial.events, ["not upgraded"]);
    }

    #[test]
    fn a_refused_probe_leaves_it_polling() {
        for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n"] {
            let mut trial = probing("\"websocket\"", &["open probe"]);
            trial.open(Lane::Probe, &[REQUEST]);
            trial.take_begin(Lane::Probe, answer, &["close probe"]);
            trial.take(Lane::Main, &ok("40{}"), &[&get("&sid=x")]);
            assert_eq!(trial.events, ["not upgraded"]);
        }
        let mut trial = probing("\"websocket\"", &["open probe"]);
        trial.end(Lane::Probe, false, &["close probe"]);
        let mut trial = probing("\"websocket\"", &["open probe"]);
        trial.open(Lane::Probe, &[REQUEST]);
        trial.take(Lane::Main, &ok("40{}"), &[&get("&sid=x")]);
        trial.take(Lane::Probe, SWITCHED, &[PROBE]);
        trial.take(Lane::Probe, "42[]", &["close probe"]);
        assert_eq!(trial.events, ["not upgraded"]);
        assert_eq!(trial.ending(Lane::Main, false), Ending::EndOfFile);
    }

    #[test]
    fn polling_goes_on_when_the_probe_breaks_amid_the_switch() {
        let mut trial = switching();
        trial.take(Lane::Main, &ok("40{}\x1e2"), &[]);
        trial.end(Lane::Probe, false, &["close probe", &get("&sid=x")]);
        trial.take(Lane::Post, &ok("ok"), &[&post("&sid=x", "3")]);
        assert_eq!(trial.events, ["ping", "not upgraded"]);
    }

    #[test]
    fn a_connection_that_ends_while_no_poll_follows_is_no_end() {
        let mut trial = switching();
        trial.take(Lane::Main, &ok("40{}"), &[]);
        trial.end(Lane::Main, false, &["close main"]);
        trial.take(Lane::Post, &ok("ok"), &[FIVE, "close main", "close post"]);
        let mut trial = switching();
        trial.take(Lane::Main, &ok("40{}"), &[]);
        trial.end(Lane::Main, false, &["close main"]);
        trial.end(Lane::Probe, false, &["close probe", "open main"]);
        trial.open(Lane::Main, &[&get("&sid=x")]);
    }

    #[test]
    fn pings_of_the_websocket_are_answered_while_it_probes() {
        let mut trial = switching();
        // "hi" is 68 69: 69 6b.
        let pong = "probe \\x8a\\x82\\x01\\x02\\x03\\x04ik";
        trial.take_bytes(Lane::Probe, b"\x89\x02hi", &[pong]);
    }

    const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    const REQUEST: &str = "probe GET /socket.io/?EIO=4&transport=websocket&sid=x HTTP/1.1\\r\\n\
        Host: localhost:3000\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n\
        Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n";
    /// "2probe" is 32 70 72 6f 62 65, and masked with 01 02 03 04: 33 72 71 6b 63 67.
    const PROBE: &str = "probe \\x81\\x86\\x01\\x02\\x03\\x043rqkcg";
    /// "5" is 35, and masked 34.
    const FIVE: &str = "probe \\x81\\x81\\x01\\x02\\x03\\x044";
}

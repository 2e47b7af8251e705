//! Events and what they mean: who gets them, and which fault each delivery meets on its way.
//!
//! ```text
//! 42["room","blue","~tb1.."]  ->  42["room","~tb1.."] to each client in the room blue
//! ```

use std::time::Instant;

use super::engine::{Engine, wall_ns};
use super::message::{Cut, Hold, Message, Outgoing};
use super::packet::{ACK, BINARY_ACK, BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet, array};
use super::protocol::Protocol;
use super::record::{Delivery, Event};
use super::script::{Deed, Ending, Refusal};

impl Engine {
    pub(super) fn packet(&mut self, id: u64, packet: Packet) {
        match packet.kind {
            CONNECT => self.join_namespace(id, packet),
            DISCONNECT => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.namespace = None;
                }
            }
            EVENT => self.event(id, &packet, None),
            BINARY_EVENT => {
                assert_eq!(packet.attachments, 1, "an event of the generator has one attachment");
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.pending = Some(packet);
                }
            }
            _ => panic!("the generator sent {packet:?}"),
        }
    }

    /// Into the first namespace of a session that asks for none.
    pub(super) fn let_in(&mut self, id: u64) {
        self.join_namespace(id, Packet::parse("0"));
    }

    fn join_namespace(&mut self, id: u64, packet: Packet) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let refusal = session.refusal;
        let mut reply = if refusal == Some(Refusal::Namespace) {
            Packet { kind: b'4', data: r#"{"message":"refused"}"#.to_owned(), ..packet }
        } else {
            // With Engine.IO 3, the second that it is let into is the one that it has asked for.
            self.record.joined += u64::from(session.namespace.is_none());
            session.namespace = Some(packet.namespace.clone());
            Packet { kind: CONNECT, data: format!(r#"{{"sid":"socket-{id}"}}"#), ..packet }
        };
        if session.protocol == Protocol::V3 && reply.kind == CONNECT {
            reply.data.clear();
        }
        if session.protocol != Protocol::Bare {
            session.control(reply.text());
        }
        self.flush(id);
        if refusal == Some(Refusal::Eviction) {
            self.end(id, Ending::Frame);
        }
    }

    /// An event that is complete; its name says what it means.
    pub(super) fn event(&mut self, id: u64, packet: &Packet, attachment: Option<Vec<u8>>) {
        let read_ns = wall_ns();
        let elements = packet.elements();
        let elements: Vec<_> = elements.iter().map(|element| element.get()).collect();
        let [name, arguments @ ..] = elements.as_slice() else { return };
        let name: String = serde_json::from_str(name).unwrap();
        let incoming = Incoming { packet, name: &name, arguments, attachment };
        let (message, recipients) = match name.as_str() {
            "join" => {
                let room: String = serde_json::from_str(arguments[0]).unwrap();
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.rooms.insert(room);
                }
                return;
            }
            "room" => {
                let room: String = serde_json::from_str(arguments[0]).unwrap();
                let members = self.members(&packet.namespace, Some(&room));
                (incoming.emit(&arguments[1..]), self.without_sender(id, members))
            }
            "ack-echo" => (incoming.acknowledge(), vec![id]),
            name if name == self.script.broadcast_event => {
                let members = self.members(&packet.namespace, None);
                (incoming.emit(arguments), self.without_sender(id, members))
            }
            _ => (incoming.emit(arguments), vec![id]),
        };
        self.pass_on(&name, read_ns, &packet.namespace, &message, recipients);
    }

    /// A message on a bare WebSocket.
    pub(super) fn bare(&mut self, id: u64, text: &str) {
        let read_ns = wall_ns();
        let recipients = if self.script.passes_on { self.members("/", None) } else { vec![id] };
        self.pass_on("bare", read_ns, "/", &Message::text(text), recipients);
    }

    fn pass_on(
        &mut self,
        name: &str,
        read_ns: u64,
        namespace: &str,
        message: &Message,
        recipients: Vec<u64>,
    ) {
        let (mark, due) = (message.mark(), recipients.len() as u64);
        if mark.is_none() {
            // A question beside the run, such as whether a room is entered: answered, not counted.
            for id in recipients {
                self.queue(id, &Outgoing::of(message.clone()));
            }
            return;
        }
        self.record.events.push(Event { name: name.to_owned(), mark, read_ns, due });
        // Nobody may be waiting for it.
        let _ = self.tell.send(());
        for recipient in &recipients {
            self.deliver(*recipient, message, namespace, &recipients);
        }
    }

    fn members(&self, namespace: &str, room: Option<&str>) -> Vec<u64> {
        let is_in = self.sessions.iter().filter(|(_, session)| session.is_in(namespace, room));
        is_in.map(|(id, _)| *id).collect()
    }

    fn without_sender(&self, sender: u64, mut members: Vec<u64>) -> Vec<u64> {
        members.retain(|member| !self.script.excludes_sender || *member != sender);
        members
    }

    /// One delivery, with the faults that the script has for it.
    fn deliver(&mut self, id: u64, message: &Message, namespace: &str, recipients: &[u64]) {
        let index = self.record.deliveries.len();
        self.record.deliveries.push(Delivery { client: id, mark: message.mark(), written: None });
        let mut outgoing = Outgoing {
            message: message.clone(),
            delivery: Some(index),
            cut: Cut::Whole,
            hold: Hold::Nothing,
        };
        let (mut copies, mut after) = (1, None);
        for deed in self.script.deeds(index as u64 + 1) {
            match deed {
                Deed::Delay(time) => outgoing.hold = Hold::Until(Instant::now() + time),
                Deed::Drop => copies = 0,
                Deed::Twice => copies = 2,
                Deed::Swap => outgoing.hold = Hold::Overtaken,
                Deed::Corrupt(at) => outgoing.message.corrupt(at),
                Deed::Truncate(bytes) => outgoing.message.truncate(bytes),
                Deed::Extend(bytes) => outgoing.message.extend(bytes),
                // The server's own standing still, not a wait for something else.
                Deed::Stall(time) => std::thread::sleep(time),
                Deed::Close(ending) => return self.close(id, ending),
                Deed::CloseAfter(ending) => after = Some(ending),
                Deed::Stray => self.deliver_stray(message, namespace, recipients),
                Deed::FormerRun => self.queue(id, &Outgoing::of(message.of_former_run())),
                Deed::Fragment => outgoing.cut = Cut::Frames,
                Deed::Dribble => outgoing.cut = Cut::Bytes,
                Deed::Join => outgoing.hold = Hold::Joined,
            }
        }
        for _ in 0..copies {
            self.queue(id, &outgoing);
        }
        self.flush(id);
        if let Some(ending) = after {
            self.close(id, ending);
        }
    }

    fn close(&mut self, id: u64, ending: Ending) {
        self.record.closed += 1;
        self.end(id, ending);
    }

    /// To the first client of the namespace for whom it isn't meant.
    fn deliver_stray(&mut self, message: &Message, namespace: &str, recipients: &[u64]) {
        let members = self.members(namespace, None);
        let other = members.into_iter().find(|id| !recipients.contains(id));
        let other = other.expect("somebody is in another room");
        self.queue(other, &Outgoing::of(message.clone()));
        self.flush(other);
    }

    fn queue(&mut self, id: u64, outgoing: &Outgoing) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.push(outgoing.clone());
        }
    }
}

/// An event with what it carries.
struct Incoming<'p> {
    packet: &'p Packet,
    name: &'p str,
    arguments: &'p [&'p str],
    attachment: Option<Vec<u8>>,
}

impl Incoming<'_> {
    /// The event again, with these arguments.
    fn emit(&self, arguments: &[&str]) -> Message {
        let name = serde_json::to_string(self.name).unwrap();
        let elements = std::iter::once(name.as_str()).chain(arguments.iter().copied());
        let kind = if self.attachment.is_some() { BINARY_EVENT } else { EVENT };
        self.reply(&Packet {
            kind,
            id: String::new(),
            data: array(elements),
            ..self.packet.clone()
        })
    }

    fn acknowledge(&self) -> Message {
        let kind = if self.attachment.is_some() { BINARY_ACK } else { ACK };
        let data = array(self.arguments.iter().copied());
        self.reply(&Packet { kind, data, ..self.packet.clone() })
    }

    fn reply(&self, packet: &Packet) -> Message {
        Message { text: packet.text(), attachment: self.attachment.clone() }
    }
}

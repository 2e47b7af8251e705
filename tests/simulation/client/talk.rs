//! What a client says: events of every kind, comings and goings in namespaces, the last word.

use super::packet::Packet;
use super::{Client, Phase, Space, Transport};
use crate::app::{ROOMS, SPACES, bytes, placeholder, prefix};
use crate::ledger::Ledger;
use crate::world::World;

impl Client {
    /// Says something, or nothing.
    pub(super) fn talk(&mut self, world: &mut World) {
        if self.sid.is_none() {
            return;
        }
        for space in 0..SPACES.len() {
            if self.spaces[space] == Space::Out && (space == 0 || world.random.once_in(20)) {
                self.spaces[space] = Space::Joining;
                self.say(&format!("40{}", prefix(space)));
            }
        }
        if let Transport::WebSocket(socket) = &mut self.transport
            && socket.is_open()
            && world.random.once_in(60)
        {
            for _ in 0..*world.random.pick(&[1, 2, 100]) {
                socket.ping(world);
            }
        }
        for _ in 0..world.random.below(3) {
            let space = world.random.below(SPACES.len());
            if self.spaces[space] == Space::In && self.phase == Phase::Open {
                self.say_event(space, world);
            }
        }
    }

    /// Goes, in one of the ways that are good manners.
    pub(crate) fn leave(&mut self, world: &mut World, ledger: &mut Ledger) {
        if self.phase != Phase::Open {
            return;
        }
        if self.spaces[0] == Space::In && world.random.once_in(2) {
            return self.ask_to_be_dismissed(world);
        }
        ledger.part(self.id);
        for space in 0..SPACES.len() {
            if self.spaces[space] == Space::In && world.random.once_in(2) {
                self.spaces[space] = Space::Out;
                self.say(&format!("41{}", prefix(space)));
            }
        }
        self.phase = Phase::Leaving;
        match &mut self.transport {
            Transport::WebSocket(socket) => {
                for packet in self.outgoing.drain(..) {
                    socket.send(world, &packet);
                }
                if world.random.once_in(3) {
                    self.drop_all(world, |world, wire| world.pipe(wire).abandon());
                } else {
                    socket.close(world);
                }
            }
            _ => self.say("1"),
        }
    }

    fn ask_to_be_dismissed(&mut self, world: &mut World) {
        let count = *world.random.pick(&[0, 3, 150]);
        let number = self.take_number();
        self.say(&format!("42[\"dismiss\",{number},{count}]"));
        self.phase = Phase::Dismissed;
    }

    fn say_event(&mut self, space: usize, world: &mut World) {
        let (random, at) = (&mut world.random, prefix(space));
        let number = self.take_number();
        let room = *random.pick(&ROOMS);
        match random.below(60) {
            0..12 => {
                let text = "wörd ".repeat(*random.pick(&[0, 1, 8, 30, 900]));
                self.say(&format!("42{at}[\"say\",{number},\"{text}\"]"));
            }
            12..20 => {
                let delay = random.below(60).saturating_sub(30);
                self.say(&format!("42{at}{number}[\"echo\",{number},{delay}]"));
            }
            20..28 => {
                let id = if random.once_in(2) { number.to_string() } else { String::new() };
                let (first, second) = (placeholder(0), placeholder(1));
                self.say(&format!("452-{at}{id}[\"binary\",{number},{first},{second}]"));
                for part in 0..2 {
                    self.outgoing.push_back(Packet::Binary(bytes(number, part)));
                }
            }
            28..31 => {
                let count = *random.pick(&[1, 4, 4, 80]);
                self.say(&format!("42{at}[\"burst\",{number},{count}]"));
            }
            31..36 => {
                let timeout = *random.pick(&["null", "1", "30", "500"]);
                self.say(&format!("42{at}[\"ask\",{number},{timeout}]"));
            }
            36..41 => self.say(&format!("42{at}[\"join\",{number},\"{room}\"]")),
            41..43 => self.say(&format!("42{at}[\"leave\",{number},\"{room}\"]")),
            43..52 => {
                let rooms = *random.pick(&["[]", "[\"red\"]", "[\"blue\",\"green\",\"red\"]"]);
                let to_self = random.once_in(2);
                self.say(&format!("42{at}[\"shout\",{number},{rooms},{to_self}]"));
            }
            52..57 => {
                let to_all = random.once_in(2);
                self.say(&format!("42{at}[\"whisper\",{number},{to_all}]"));
            }
            57 => {
                self.spaces[space] = Space::Leaving;
                self.say(&format!("42{at}[\"kick\",{number}]"));
            }
            58 => {
                self.next -= 1;
                self.spaces[space] = Space::Out;
                self.say(&format!("41{at}"));
            }
            _ => {
                self.next -= 1;
                self.lose_the_way(random.once_in(2));
            }
        }
    }

    /// Asks for a namespace that doesn't exist, or that it may not join.
    fn lose_the_way(&mut self, exists: bool) {
        if exists && self.form.is_v3() {
            return self.say("40/private?token=none,");
        }
        if exists {
            return self.say("40/private,{\"token\":\"none\"}");
        }
        self.lost_ways += 1;
        self.say("40/nowhere,");
    }

    fn say(&mut self, packet: &str) {
        self.outgoing.push_back(Packet::text(packet));
    }

    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

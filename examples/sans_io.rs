//! A server without sockets, driven by hand: two clients over pipes in memory, a minute and a half
//! in virtual time. Each line of the trace is a moment, who, which way, and what.
//!
//! ```text
//!    0.000 s  ann >  42["say","hi"]
//!    0.000 s  bob <  42["said","hi"]
//!   23.135 s  bob <  2
//! ```

use std::time::Duration;

use throng::Now;
use throng::config::Config;
use throng::sans_io::{Machine, Output, PeerId};

/// One end of a pipe, with a client at it that knows just enough of WebSocket.
struct Client {
    name: &'static str,
    peer: PeerId,
    heard: Vec<u8>,
    answers_pings: bool,
}

struct World {
    machine: Machine,
    now: Duration,
    clients: Vec<Client>,
}

fn main() {
    let machine = Machine::seeded(Config::default(), 7);
    machine
        .of("/")
        .on("say", |socket, text: String| {
            socket.broadcast().emit("said", &text);
        })
        .on_disconnect(|socket, reason| {
            socket.broadcast().emit("left", reason.as_str());
        });
    let mut world = World { machine, now: Duration::ZERO, clients: Vec::new() };
    let (ann, bob) = (world.connect("ann"), world.connect("bob"));
    world.send(ann, "42[\"say\",\"hi\"]");
    world.advance(Duration::from_secs(30));
    world.clients[bob].answers_pings = false; // its cable is cut, and nobody is told
    world.advance(Duration::from_secs(60));
}

impl World {
    fn connect(&mut self, name: &'static str) -> usize {
        let peer = self.machine.open(self.moment(), None);
        self.clients.push(Client { name, peer, heard: Vec::new(), answers_pings: true });
        let client = self.clients.len() - 1;
        self.trace(client, '>', "(upgrade)");
        self.machine.handle_bytes(self.moment(), peer, UPGRADE.as_bytes());
        self.settle();
        self.send(client, "40");
        client
    }

    /// One text frame; a mask of zeroes leaves the text as it is.
    fn send(&mut self, client: usize, text: &str) {
        self.trace(client, '>', text);
        let length = u8::try_from(text.len()).expect("short texts only");
        let frame = [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat();
        self.machine.handle_bytes(self.moment(), self.clients[client].peer, &frame);
        self.settle();
    }

    /// Time passes: from deadline to deadline, and nobody sleeps.
    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(next) = self.machine.next_deadline().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.machine.handle_deadline(self.moment());
            self.settle();
        }
        self.now = until;
    }

    /// What the machine puts out goes to the clients, and what they answer goes back in.
    fn settle(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            let of = |peer| self.clients.iter().position(|client| client.peer == peer);
            match output {
                Output::Bytes(peer, bytes) => {
                    let Some(client) = of(peer) else { continue };
                    self.clients[client].heard.extend(bytes);
                    self.hear(client);
                }
                Output::End(peer) | Output::Close(peer) => {
                    let Some(client) = of(peer) else { continue };
                    self.trace(client, '<', "(end)");
                    self.machine.handle_end(self.moment(), peer);
                }
                _ => {}
            }
        }
    }

    fn hear(&mut self, client: usize) {
        while let Some(message) = next_message(&mut self.clients[client].heard) {
            self.trace(client, '<', &message);
            if message == "2" && self.clients[client].answers_pings {
                self.send(client, "3");
            }
        }
    }

    fn moment(&self) -> Now {
        Now { monotonic: self.now, wall: self.now }
    }

    fn trace(&self, client: usize, way: char, what: &str) {
        let (now, name) = (self.now.as_secs_f64(), self.clients[client].name);
        println!("{now:9.3} s  {name} {way}  {what}");
    }
}

/// The head of the 101, or a frame: of these only short ones come.
fn next_message(heard: &mut Vec<u8>) -> Option<String> {
    let (from, to) = match heard.first()? {
        b'H' => (0, heard.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4),
        _ => match usize::from(*heard.get(1)?) {
            126 => (4, 4 + usize::from(u16::from_be_bytes([*heard.get(2)?, *heard.get(3)?]))),
            length => (2, 2 + length),
        },
    };
    let bytes: Vec<u8> = heard.get(..to)?.to_vec();
    heard.drain(..to);
    let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    Some(if bytes[0] == 0x88 { "(close)".into() } else { text.lines().next()?.to_owned() })
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

//! The application under test: it does at a client's word all that an application can do, and
//! writes each packet that it causes into the ledger.
//!
//! An event of a client bears its number first, and that is its ack id too: `2["say",17]`,
//! `218["echo",18]`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use throng::{Ack, Args, Binary, Delivery, Io, Namespace, Protocol, Refusal, Server, Socket};

use crate::ledger::{Ledger, Owed};
use crate::net::SimNet;

/// The namespaces, by their place.
pub(crate) const SPACES: [&str; 2] = ["/", "/chat"];
pub(crate) const ROOMS: [&str; 3] = ["red", "green", "blue"];

/// The app in one namespace.
#[derive(Clone)]
pub(crate) struct App {
    ledger: Rc<RefCell<Ledger>>,
    space: usize,
}

impl App {
    /// Declares all handlers of all namespaces.
    pub(crate) fn declare(server: &Server<SimNet>, ledger: &Rc<RefCell<Ledger>>) {
        for (space, name) in SPACES.into_iter().enumerate() {
            let app = Self { ledger: Rc::clone(ledger), space };
            app.declare_life(server.of(name));
            app.declare_talk(server.of(name));
            app.declare_rooms(server.of(name));
            app.declare_ends(server.of(name));
        }
        let app = Self { ledger: Rc::clone(ledger), space: 0 };
        server.of("/private").middleware(move |socket| {
            let refusal = if is_v3(socket) {
                "4/private,\"members only\""
            } else {
                "4/private,{\"message\":\"members only\"}"
            };
            app.owe(client_of(socket), refusal.to_owned());
            Err(Refusal::new("members only"))
        });
    }

    /// A tick for everybody in `/`, from the host itself.
    pub(crate) fn tick(io: Io<'_>, ledger: &Rc<RefCell<Ledger>>, number: u64) {
        let app = Self { ledger: Rc::clone(ledger), space: 0 };
        app.owe_room(&[], None, &app.event("tick", &number.to_string()).into());
        io.emit("tick", &number);
    }

    fn declare_life(&self, namespace: Namespace<'_>) {
        let (connect, disconnecting, disconnect) = (self.clone(), self.clone(), self.clone());
        namespace
            .on_connect(move |socket| connect.handle_connect(socket))
            .on_disconnecting(move |socket, reason| {
                let (app, client) = (&disconnecting, client_of(socket));
                app.ledger.borrow_mut().disconnecting(client, &socket.id(), reason);
                let rooms = socket.rooms();
                let rooms: Vec<&str> = rooms.iter().map(|room| &**room).collect();
                if !rooms.is_empty() {
                    let leaving = app.event("leaving", &client.to_string());
                    app.owe_room(&rooms, Some(client), &leaving.into());
                    socket.to(&rooms[..]).emit("leaving", &client);
                }
            })
            .on_disconnect(move |socket, _| {
                let (app, client) = (&disconnect, client_of(socket));
                app.ledger.borrow_mut().disconnect(client, app.space, &socket.id());
                let left = app.event("left", &client.to_string());
                app.owe_room(&[], Some(client), &left.into());
                socket.broadcast().emit("left", &client);
            });
    }

    fn handle_connect(&self, socket: Socket<'_>) {
        let (client, id) = (client_of(socket), socket.id());
        let payload = if is_v3(socket) { String::new() } else { format!("{{\"sid\":\"{id}\"}}") };
        self.owe(client, format!("0{}{payload}", prefix(self.space)));
        self.ledger.borrow_mut().connect(client, self.space, id, is_v3(socket));
        self.say(socket, "welcome", client as u64);
        let joined = self.event("joined", &client.to_string());
        self.owe_room(&[], Some(client), &joined.into());
        socket.broadcast().emit("joined", &client);
    }

    fn declare_talk(&self, namespace: Namespace<'_>) {
        let (say, echo, binary, burst, ask) =
            (self.clone(), self.clone(), self.clone(), self.clone(), self.clone());
        namespace
            .on("say", move |socket, (number, _): (u64, String)| {
                say.hear(socket, number);
                say.say(socket, "said", number);
            })
            .on_raw("echo", move |socket, args, ack| {
                let Ok((number, delay)) = args.parse::<(u64, u64)>() else {
                    return echo.fail(format!("an echo came as {}", args.json()));
                };
                echo.hear(socket, number);
                echo.acknowledge(socket, number, delay, ack);
            })
            .on_raw("binary", move |socket, args, ack| binary.hear_binary(socket, args, ack))
            .on("burst", move |socket, (number, count): (u64, u64)| {
                burst.hear(socket, number);
                for index in 0..count {
                    burst.say(socket, "drop", index);
                }
            })
            .on("ask", move |socket, (number, timeout): (u64, Option<u64>)| {
                ask.hear(socket, number);
                ask.ask(socket, number, timeout.map(Duration::from_millis));
            });
    }

    fn acknowledge(&self, socket: Socket<'_>, number: u64, delay: u64, ack: Option<Ack>) {
        let client = client_of(socket);
        let Some(ack) = ack else { return self.fail("an echo came without its ack".to_owned()) };
        let text = format!("3{}{number}[{number}]", prefix(self.space));
        if delay == 0 {
            self.owe(client, text);
            return ack.send(&number);
        }
        let app = self.clone();
        socket.server().after(Duration::from_millis(delay), move |_| {
            app.owe(client, text);
            ack.send(&number);
        });
    }

    fn hear_binary(&self, socket: Socket<'_>, args: Args<'_>, ack: Option<Ack>) {
        let client = client_of(socket);
        let Ok((number, first, second)) = args.parse::<(u64, Binary, Binary)>() else {
            return self.fail(format!("a binary event came as {}", args.json()));
        };
        self.hear(socket, number);
        let attachments = vec![bytes(number, 0), bytes(number, 1)];
        if *first != attachments[0] || *second != attachments[1] {
            self.fail(format!("client {client}: the attachments of {number} are others"));
        }
        let prefix = prefix(self.space);
        if let Some(ack) = ack {
            let text = format!("61-{prefix}{number}[{number},{}]", placeholder(0));
            self.owe(
                client,
                Owed { text, attachments: attachments[1..].to_vec(), ..<_>::default() },
            );
            return ack.send((&number, &second));
        }
        let (first, second) = (placeholder(0), placeholder(1));
        let text = format!("52-{prefix}[\"binary\",{number},{first},{second}]");
        self.owe(client, Owed { text, attachments, is_optional: false });
        socket.emit("binary", args);
    }

    fn ask(&self, socket: Socket<'_>, number: u64, timeout: Option<Duration>) {
        let client = client_of(socket);
        self.ledger.borrow_mut().ask(client);
        self.owe(client, self.event("question", &number.to_string()));
        let app = self.clone();
        let emitter = socket.timeout(timeout.unwrap_or(Duration::MAX));
        emitter.emit_with_raw_ack("question", &number, move |_, answer| {
            app.ledger.borrow_mut().answer(client);
            if let Ok(args) = answer
                && args.parse::<u64>().ok() != Some(number)
            {
                app.fail(format!("client {client} answers {number} with {}", args.json()));
            }
        });
    }

    fn declare_rooms(&self, namespace: Namespace<'_>) {
        let (join, leave, shout, whisper) =
            (self.clone(), self.clone(), self.clone(), self.clone());
        namespace
            .on("join", move |socket, (number, room): (u64, String)| {
                join.hear(socket, number);
                join.ledger.borrow_mut().join(client_of(socket), join.space, &room);
                socket.join(&room);
            })
            .on("leave", move |socket, (number, room): (u64, String)| {
                leave.hear(socket, number);
                leave.ledger.borrow_mut().leave(client_of(socket), leave.space, &room);
                socket.leave(&room);
            })
            .on("shout", move |socket, (number, rooms, to_self): (u64, Vec<String>, bool)| {
                shout.hear(socket, number);
                shout.shout(socket, number, &rooms, to_self);
            })
            .on("whisper", move |socket, (number, to_all): (u64, bool)| {
                whisper.hear(socket, number);
                let client = client_of(socket);
                if to_all {
                    let text = whisper.event("murmured", &format!("{client},{number}"));
                    let owed = Owed { is_optional: true, ..Owed::from(text) };
                    whisper.owe_room(&[], None, &owed);
                    socket.namespace().volatile().emit("murmured", (&client, &number));
                } else if socket.volatile().emit("whispered", &number) != Delivery::Dropped {
                    whisper.owe(client, whisper.event("whispered", &number.to_string()));
                }
            });
    }

    fn shout(&self, socket: Socket<'_>, number: u64, rooms: &[String], to_self: bool) {
        let client = client_of(socket);
        let names: Vec<&str> = rooms.iter().map(String::as_str).collect();
        let attachment = bytes(number, 2);
        let (prefix, placeholder) = (prefix(self.space), placeholder(0));
        let text = format!("51-{prefix}[\"heard\",{client},{number},{placeholder}]");
        let attachments = vec![attachment.clone()];
        let owed = Owed { text, attachments, is_optional: false };
        self.owe_room(&names, (!to_self).then_some(client), &owed);
        let args = (&client, &number, &Binary(attachment));
        if to_self {
            socket.namespace().to(&names[..]).emit("heard", args);
        } else {
            socket.to(&names[..]).emit("heard", args);
        }
    }

    /// The ways in which the server sends a client away.
    fn declare_ends(&self, namespace: Namespace<'_>) {
        let (kick, dismiss) = (self.clone(), self.clone());
        namespace
            .on("kick", move |socket, number: u64| {
                kick.hear(socket, number);
                kick.say(socket, "goodbye", number);
                kick.owe(client_of(socket), format!("1{}", prefix(kick.space)));
                socket.disconnect();
            })
            .on("dismiss", move |socket, (number, count): (u64, u64)| {
                dismiss.hear(socket, number);
                for index in 0..count {
                    dismiss.say(socket, "last", index);
                }
                let spaces = dismiss.ledger.borrow().spaces(client_of(socket));
                for space in spaces {
                    dismiss.owe(client_of(socket), format!("1{}", prefix(space)));
                }
                dismiss.ledger.borrow_mut().seal(client_of(socket));
                socket.disconnect_client();
            });
    }

    fn hear(&self, socket: Socket<'_>, number: u64) {
        self.ledger.borrow_mut().hear(client_of(socket), number);
    }

    fn say(&self, socket: Socket<'_>, name: &str, number: u64) {
        self.owe(client_of(socket), self.event(name, &number.to_string()));
        socket.emit(name, &number);
    }

    fn owe(&self, client: usize, owed: impl Into<Owed>) {
        self.ledger.borrow_mut().owe(client, owed.into());
    }

    fn owe_room(&self, rooms: &[&str], except: Option<usize>, owed: &Owed) {
        let ledger = &mut *self.ledger.borrow_mut();
        for client in ledger.members(self.space, rooms) {
            if Some(client) != except {
                ledger.owe(client, owed.clone());
            }
        }
    }

    fn fail(&self, what: String) {
        self.ledger.borrow_mut().fail(what);
    }

    /// The text of an event packet: `2/chat,["said",17]`.
    fn event(&self, name: &str, args: &str) -> String {
        format!("2{}[\"{name}\",{args}]", prefix(self.space))
    }
}

/// How a namespace is told in a packet.
pub(crate) fn prefix(space: usize) -> &'static str {
    ["", "/chat,"][space]
}

/// What stands in the text for an attachment.
pub(crate) fn placeholder(index: usize) -> String {
    format!("{{\"_placeholder\":true,\"num\":{index}}}")
}

/// Bytes that both sides can make from the number of an event.
pub(crate) fn bytes(number: u64, part: u64) -> Vec<u8> {
    let len = number.wrapping_mul(7).wrapping_add(part * 13) % 90;
    (0..len).map(|index| (index * 31 + number + part).to_le_bytes()[0]).collect()
}

/// A client of EIO 3 is told no id: it has its session's.
fn is_v3(socket: Socket<'_>) -> bool {
    socket.session().and_then(|session| session.protocol()) == Some(Protocol::V3)
}

fn client_of(socket: Socket<'_>) -> usize {
    let handshake = socket.handshake();
    let client = handshake.query("client").and_then(|client| client.parse().ok());
    client.expect("every client says who it is")
}

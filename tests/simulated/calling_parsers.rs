//! Parsers that call back into the server for which they write: while nothing of it is borrowed
//! they may, and where an adapter has it what they do waits.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use throng::adapter::{Adapter, BroadcastOptions, Local};
use throng::config::Config;
use throng::testing::{MemoryListener, MemoryNet};
use throng::{
    Args, EncodedPacket, IncomingPacket, JsonParser, Next, Now, OutgoingPacket, Parser,
    ParserError, ParserLimits, Partial, RawMessage, Refusal, Server,
};

use super::{UPGRADE, World};

/// JSON, and a call of the test's own before each packet that it writes.
struct Calling;

type Call = Rc<dyn Fn()>;

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

fn call(call: impl Fn() + 'static) {
    CALL.set(Some(Rc::new(call)));
}

impl Parser for Calling {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        let call = CALL.with_borrow(Clone::clone);
        if let Some(call) = call {
            call();
        }
        JsonParser.encode(packet)
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        limits: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        JsonParser.decode(message, partial, limits)
    }
}

/// Writes an event whenever something comes for it.
struct Writing(Rc<Cell<usize>>);

impl Adapter for Writing {
    fn handle_event(&mut self, local: &mut Local<'_>, _: &[u8]) {
        if let Some(event) = local.event("written", Args::default()) {
            local.broadcast(event, &BroadcastOptions::default());
            self.0.set(self.0.get() + 1);
        }
    }
}

type Waiting = Rc<RefCell<Vec<Next>>>;

/// A server whose clients wait for a decision about `/wait`, and some of them.
fn waiting(clients: usize) -> (World, Waiting, Vec<usize>) {
    CALL.take();
    let mut world = World::new(Config::default());
    world.server.set_parser(Calling);
    let waiting = Waiting::default();
    let kept = Rc::clone(&waiting);
    world.server.of("/wait").middleware_deferred(move |_, next| kept.borrow_mut().push(next));
    let clients = (0..clients).map(|_| {
        let client = world.connect();
        world.send(client, UPGRADE);
        world.settle();
        world.say(client, "0/wait,");
        world.received(client);
        client
    });
    let clients = clients.collect();
    (world, waiting, clients)
}

#[test]
fn a_parser_may_let_others_in_while_it_writes_a_reply_or_a_refusal() {
    for is_refused in [false, true] {
        let (mut world, waiting, clients) = waiting(3);
        let others = Rc::clone(&waiting);
        let first = waiting.borrow_mut().remove(0);
        call(move || {
            let next = others.borrow_mut().pop();
            if let Some(next) = next {
                next.allow();
            }
        });
        if is_refused {
            first.refuse(Refusal::new("no"));
        } else {
            first.allow();
        }
        world.settle();
        let received: Vec<_> = clients.iter().map(|&client| world.received(client)).collect();
        let told = if is_refused { "44/wait,{\"message\":\"no\"}" } else { "40/wait,{\"sid\":" };
        assert!(received[0].contains(told), "{received:?}");
        assert!(received[1].contains("40/wait,{\"sid\":"), "{received:?}");
        assert!(received[2].contains("40/wait,{\"sid\":"), "{received:?}");
    }
}

/// While it is unwound by a panic, too: a second panic would end the process.
#[test]
fn a_parser_that_writes_for_an_adapter_may_use_and_drop_answers_that_it_owns() {
    let (mut world, waiting, clients) = waiting(2);
    let acks = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&acks);
    world.server.of("/").on_raw("ask", move |_, _, ack| *kept.borrow_mut() = ack);
    world.say(clients[0], "0");
    world.say(clients[0], "27[\"ask\"]");
    let written = Rc::new(Cell::new(0));
    let writes = Rc::clone(&written);
    world.server.set_adapter(move |_| Box::new(Writing(Rc::clone(&writes))));
    world.received(clients[0]);
    call(move || {
        let dropped = waiting.borrow_mut().pop();
        let allowed = waiting.borrow_mut().pop();
        if let Some(allowed) = allowed {
            allowed.allow();
        }
        let ack = acks.borrow_mut().take();
        if let Some(ack) = ack {
            ack.send("answered");
        }
        assert!(dropped.is_none(), "and that is dropped while this unwinds");
    });
    world.server.of("/").adapter_event(b"");
    world.settle();
    assert_eq!(written.get(), 0, "the event can't be written");
    world.server.of("/").adapter_event(b"");
    world.settle();
    assert_eq!(written.get(), 1);
    let received: Vec<_> = clients.iter().map(|&client| world.received(client)).collect();
    assert!(received[0].contains("437[\"answered\"]"), "{received:?}");
    assert!(received[0].contains("40/wait,{\"sid\":"), "{received:?}");
    assert!(received[0].contains("42[\"written\"]"), "{received:?}");
    assert!(received[1].contains("44/wait,{\"message\":\"refused\"}"), "{received:?}");
}

#[test]
fn a_parser_that_emits_whenever_it_writes_comes_to_an_end() {
    CALL.take();
    let clock = || Now { monotonic: Duration::from_secs(1), wall: Duration::from_secs(1) };
    let (net, listeners) = (MemoryNet::new(), vec![MemoryListener]);
    let mut server = Server::simulated(net, listeners, Config::default(), clock, 1).unwrap();
    server.set_parser(Calling);
    let written = Rc::new(Cell::new(0));
    let writes = Rc::clone(&written);
    server.set_adapter(move |_| Box::new(Writing(Rc::clone(&writes))));
    let server = Rc::new(server);
    let calls = Rc::new(Cell::new(0));
    let (counted, called) = (Rc::clone(&calls), Rc::clone(&server));
    call(move || {
        counted.set(counted.get() + 1);
        called.emit("again", ());
        called.emit("again", ());
    });
    server.emit("first", ());
    assert_eq!(calls.get(), 1 + 2 + 4 + 8);
    assert_eq!(server.io().socket_counters().encode_errors, 16);
    // Where its adapter has the server, a view of it is a panic, and the adapter goes on.
    server.of("/").adapter_event(b"");
    assert_eq!((written.get(), calls.get()), (0, 16));
    CALL.take();
    server.of("/").adapter_event(b"");
    assert_eq!(written.get(), 1);
    assert_eq!(server.io().socket_counters().handler_panics, 0);
}

/// Keeps what panics at its end, as long as the messages of a packet say so.
struct Keeping;

struct Fragile;

impl Drop for Fragile {
    fn drop(&mut self) {
        panic!("what a parser keeps breaks");
    }
}

impl Parser for Keeping {
    fn encode(&self, packet: &OutgoingPacket<'_>) -> Result<EncodedPacket, ParserError> {
        JsonParser.encode(packet)
    }

    fn decode(
        &self,
        message: RawMessage<'_>,
        partial: &mut Partial,
        limits: &ParserLimits,
    ) -> Result<Option<IncomingPacket>, ParserError> {
        match message {
            RawMessage::Text("keep") => partial.keep(Fragile),
            RawMessage::Text("more") => {}
            RawMessage::Text("bad") => return Err("as the message says".into()),
            _ => return JsonParser.decode(message, &mut Partial::default(), limits),
        }
        Ok(None)
    }
}

#[test]
fn what_a_parser_keeps_of_a_client_costs_that_client_alone_as_it_ends() {
    let more = ["more"; 12];
    for ends in [&["2[\"echo\"]"][..], &["bad"], &["keep"], &more, &[]] {
        let mut world = World::new(Config::default());
        world.server.set_parser(Keeping);
        world.server.of("/").on("echo", |socket, (): ()| {
            socket.emit("echo", ());
        });
        let (client, other) = (world.join(), world.join());
        world.say(client, "keep");
        for message in ends {
            world.say(client, message);
        }
        if ends == ["keep"] {
            // The parser itself ends what it replaces, within its call.
            assert_eq!(world.server.io().socket_counters().decode_errors, 1);
        }
        world.server.net_mut().end(client);
        world.settle();
        assert_eq!(world.server.io().sockets_len(), 1, "{ends:?}");
        world.say(other, "2[\"echo\"]");
        assert!(world.received(other).ends_with("42[\"echo\"]"), "{ends:?}");
    }
}

//! What a test's clients do and hear, and requests of HTTP.

use std::fmt::Write as _;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::wire::Wire;
use super::{Answer, AskError, Event, Packet, Question, TestServer, TestSocket};
use crate::engineio::Transport;
use crate::socketio::payload::{IntoArgs, OwnedArgs};

impl TestServer {
    /// A client emits an event.
    ///
    /// # Panics
    /// Here and below, if an argument can't be serialised.
    pub fn emit(&mut self, socket: TestSocket, event: &str, args: impl IntoArgs) {
        let args = encode(args);
        self.clients[socket.client].emit(socket.socket, event, &args, false);
        self.settle();
    }

    /// A client emits an event and asks for its acknowledgement, which the server gives at once.
    /// For one that is given later see [`ask`](Self::ask).
    pub fn emit_with_ack<T: DeserializeOwned>(
        &mut self,
        socket: TestSocket,
        event: &str,
        args: impl IntoArgs,
    ) -> Result<T, AskError> {
        let question = self.ask(socket, event, args);
        self.answer(question)
    }

    /// A client emits an event and asks for its acknowledgement, now or later.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throng::testing::{AskError, TestServer};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").on_raw("later", |socket, _, ack| {
    ///         socket.server().after(Duration::from_secs(1), move |_| {
    ///             ack.unwrap().send("now");
    ///         });
    ///     });
    /// });
    /// let alice = test.connect("/").unwrap();
    /// let question = test.ask(alice, "later", ());
    /// assert_eq!(test.answer::<String>(question), Err(AskError::Unanswered));
    /// test.advance(Duration::from_secs(1));
    /// assert_eq!(test.answer::<String>(question).as_deref(), Ok("now"));
    /// ```
    pub fn ask(&mut self, socket: TestSocket, event: &str, args: impl IntoArgs) -> Question {
        let args = encode(args);
        let id = self.clients[socket.client].emit(socket.socket, event, &args, true);
        self.settle();
        Question { socket, id: id.unwrap_or_default() }
    }

    /// What the server answered, parsed as the arguments of a handler.
    pub fn answer<T: DeserializeOwned>(&mut self, question: Question) -> Result<T, AskError> {
        let answer = self.raw_answer(question).ok_or(AskError::Unanswered)?;
        answer.as_args().parse().map_err(AskError::Malformed)
    }

    /// What the server answered, as it came.
    pub fn raw_answer(&mut self, question: Question) -> Option<OwnedArgs> {
        self.settle();
        self.joined(question.socket).answers.get(&question.id).cloned()
    }

    /// A client answers an event that asked for an acknowledgement.
    ///
    /// # Panics
    /// If it didn't ask.
    ///
    /// ```
    /// use throng::testing::{TestServer, event};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").on_connect(|socket| {
    ///         socket.emit_with_ack("name?", (), |socket, name: Result<String, _>| {
    ///             socket.emit("hello", &name.unwrap());
    ///         });
    ///     });
    /// });
    /// let alice = test.connect("/").unwrap();
    /// let events = test.received(alice);
    /// assert_eq!(events, [event("name?", ()).asking()]);
    /// test.acknowledge(alice, &events[0], "Alice");
    /// assert_eq!(test.received(alice), [event("hello", "Alice")]);
    /// ```
    pub fn acknowledge(&mut self, socket: TestSocket, event: &Event, args: impl IntoArgs) {
        let Some(id) = event.ack else { panic!("{event:?} asks for no acknowledgement") };
        self.clients[socket.client].acknowledge(socket.socket, id, &encode(args));
        self.settle();
    }

    /// The events that a socket has heard since it was asked last.
    pub fn received(&mut self, socket: TestSocket) -> Vec<Event> {
        self.settle();
        std::mem::take(&mut self.joined(socket).events)
    }

    /// The packets that a socket's client has received since it was asked last, those of Engine.IO
    /// and of its other sockets too.
    pub fn packets(&mut self, socket: TestSocket) -> Vec<Packet> {
        self.settle();
        std::mem::take(&mut self.clients[socket.client].packets)
    }

    /// A client leaves its namespace; its connection stays.
    ///
    /// ```
    /// use throng::testing::{State, TestServer};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/").on_disconnect(|socket, reason| {
    ///         assert_eq!(reason.as_str(), "client namespace disconnect");
    ///     });
    /// });
    /// let alice = test.connect("/").unwrap();
    /// test.leave(alice);
    /// assert_eq!(test.state(alice), State::Left);
    /// assert_eq!(test.server().io().sessions_len(), 1);
    /// ```
    pub fn leave(&mut self, socket: TestSocket) {
        self.clients[socket.client].leave(socket.socket);
        self.settle();
    }

    /// A client closes its connection in good order ("transport close").
    pub fn close(&mut self, socket: TestSocket) {
        self.clients[socket.client].link.close(self.server.net_mut());
        self.settle();
    }

    /// A client's connection ends without a word.
    pub fn cut(&mut self, socket: TestSocket) {
        self.clients[socket.client].link.cut(self.server.net_mut());
        self.settle();
    }

    /// Whether a client answers pings, as it does unless told otherwise, or sends them where it is
    /// one of Engine.IO 3. One that doesn't runs into the ping timeout.
    pub fn set_answers_pings(&mut self, socket: TestSocket, answers: bool) {
        self.clients[socket.client].link.answers_pings = answers;
    }

    /// Whether a client reads, as it does unless told otherwise. What the server sends to one that
    /// doesn't waits there, up to the server's limits
    /// ([`OutgoingLimits`](crate::config::OutgoingLimits)).
    ///
    /// ```
    /// use throng::config::Config;
    /// use throng::testing::TestServer;
    ///
    /// let mut config = Config::default();
    /// config.outgoing.hard_bytes_max = 10_000;
    /// let mut test = TestServer::with_config(config, 1, |server| {
    ///     server.of("/");
    /// });
    /// let (slow, quick) = (test.connect("/").unwrap(), test.connect("/").unwrap());
    /// test.set_reads(slow, false);
    /// for _ in 0..3 {
    ///     test.server().emit("news", &"a".repeat(6_000));
    ///     test.settle();
    /// }
    /// test.set_reads(slow, true);
    /// assert!(!test.is_connected(slow) && test.is_connected(quick));
    /// ```
    pub fn set_reads(&mut self, socket: TestSocket, reads: bool) {
        self.clients[socket.client].link.set_reads(reads, self.server.net_mut());
        self.settle();
    }

    /// A client that polls moves to WebSocket, which takes about a tenth of a second; `false` where
    /// it doesn't poll or wasn't let.
    ///
    /// ```
    /// use throng::Transport;
    /// use throng::testing::{Connect, TestServer};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    /// });
    /// let alice = test.connect_with(Connect::to("/").transport(Transport::Polling)).unwrap();
    /// assert!(test.upgrade(alice));
    /// assert_eq!(test.transport(alice), Some(Transport::WebSocket));
    /// ```
    pub fn upgrade(&mut self, socket: TestSocket) -> bool {
        if !self.clients[socket.client].link.probe(self.server.net_mut()) {
            return false;
        }
        // A GET that is parked returns at the latest after this.
        self.advance(Duration::from_millis(100));
        self.transport(socket) == Some(Transport::WebSocket)
    }

    /// A client sends a packet of Engine.IO, right or wrong; for less than a packet see
    /// [`send_bytes`](Self::send_bytes).
    ///
    /// ```
    /// use throng::testing::{Packet, State, TestServer};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    /// });
    /// let alice = test.connect("/").unwrap();
    /// test.send_packet(alice, Packet::Text("42[\"no JSON\"".to_owned()));
    /// assert_eq!(test.state(alice), State::Closed { code: None });
    /// ```
    pub fn send_packet(&mut self, socket: TestSocket, packet: Packet) {
        self.clients[socket.client].link.send(packet);
        self.settle();
    }

    /// A client sends bytes on its connection (that of its POSTs, where it polls).
    pub fn send_bytes(&mut self, socket: TestSocket, bytes: &[u8]) {
        self.clients[socket.client].link.send_bytes(self.server.net_mut(), bytes);
        self.settle();
    }

    /// The answer to a GET for a path, outside of any session.
    pub fn get(&mut self, target: &str) -> Answer {
        self.request("GET", target, &[], b"")
    }

    /// The answer to a request, outside of any session, on a connection of its own.
    ///
    /// # Panics
    /// If there is none at this moment.
    ///
    /// ```
    /// use throng::http::Response;
    /// use throng::testing::{TestServer, event};
    ///
    /// let mut test = TestServer::new(|server| {
    ///     server.of("/");
    ///     server.http().post("/news", |io, request| {
    ///         io.emit("news", request.text().unwrap_or("none"));
    ///         Response::new(204)
    ///     });
    /// });
    /// let alice = test.connect("/").unwrap();
    /// let answer = test.request("POST", "/news", &[("Content-Type", "text/plain")], b"It rains.");
    /// assert_eq!(answer.status, 204);
    /// assert_eq!(test.received(alice), [event("news", "It rains.")]);
    /// ```
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        let net = self.server.net_mut();
        let mut wire = Wire::new(net.connect());
        net.send(wire.connection, head);
        net.send(wire.connection, body);
        self.settle();
        let net = self.server.net_mut();
        wire.read(net);
        let answer = wire.answer(method == "HEAD", net);
        net.end(wire.connection);
        answer.unwrap_or_else(|| panic!("{method} {target} is not answered at this moment"))
    }
}

fn encode(args: impl IntoArgs) -> OwnedArgs {
    match OwnedArgs::new(args) {
        Ok(args) => args,
        Err(error) => panic!("{error}"),
    }
}

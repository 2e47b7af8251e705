//! The adapter of one namespace on one server of a simulated cluster, as a broker's would be.
//!
//! Broadcasts that may be recovered go through the bus's stream and are delivered, here too, when
//! they come out of it, with their place as the offset. All else is sent on the channel at once.
//! Answers are awaited for a second.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use throng::adapter::{
    Adapter, AdapterError, Answer, Answers, BroadcastOptions, Local, OutgoingEvent, QuestionId,
    Request, RestoredSession, SavedSession, SocketSnapshot,
};
use throng::{Args, Emitted, OwnedArgs};

use super::bus::Shared;
use super::wire::{Arguments, Body, Event, Options, Wire};

/// The policy; what it sends it leaves with the bus.
pub(crate) struct BusAdapter {
    node: usize,
    bus: Shared,
    /// Whether broadcasts go through the stream.
    streams: bool,
    serial: u64,
    /// How far this server has come in the stream.
    come_to: u64,
    /// Events of this server on their way through the stream.
    own: HashMap<u64, (OutgoingEvent, BroadcastOptions)>,
    open: BTreeMap<u64, Open>,
    /// What other servers asked of this one: who, and by which number.
    for_others: HashMap<u64, (usize, u64)>,
}

/// What was asked and isn't answered.
enum Open {
    Question {
        question: QuestionId,
        servers_missing: usize,
        until: Duration,
    },
    Fetch {
        request: Request<Vec<SocketSnapshot>>,
        sockets: Vec<SocketSnapshot>,
        answered: usize,
        expected: usize,
        until: Duration,
    },
    ServerSide {
        request: Request<Answers<OwnedArgs>>,
        values: Vec<OwnedArgs>,
        expected: usize,
        until: Duration,
    },
    Restore {
        request: Request<Option<RestoredSession>>,
        until: Duration,
    },
}

impl BusAdapter {
    pub(crate) fn new(node: usize, bus: Shared, streams: bool) -> Self {
        Self {
            node,
            bus,
            streams,
            serial: 0,
            come_to: 0,
            own: HashMap::new(),
            open: BTreeMap::new(),
            for_others: HashMap::new(),
        }
    }

    fn next(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn send(&self, local: &Local<'_>, to: Option<usize>, body: Body) {
        let bytes = serde_json::to_vec(&Wire { from: self.node, body }).unwrap();
        self.bus.borrow_mut().publish(self.node, to, local.namespace(), &bytes);
    }

    fn others(&self) -> usize {
        self.bus.borrow().nodes_len() - 1
    }

    fn until(local: &Local<'_>) -> Duration {
        local.now().monotonic + ANSWER_TIMEOUT
    }

    fn handle(&mut self, local: &mut Local<'_>, from: usize, body: Body) {
        match body {
            Body::Broadcast { event, options, .. } => {
                if let Some(event) = event.outgoing(local) {
                    local.broadcast(event, &options.restored());
                }
            }
            Body::Ask { request, event, options } => {
                let tag = self.next();
                self.for_others.insert(tag, (from, request));
                let args = event.args.owned();
                let event = local.event_with_ack(&event.name, args.as_args()).unwrap();
                let clients = local.ask_for(event, &options.restored(), tag);
                self.send(local, Some(from), Body::Asked { request, clients });
            }
            Body::Fetch { request, options } => {
                let tag = self.next();
                self.for_others.insert(tag, (from, request));
                local.fetch_sockets(&options.restored(), local.request(tag));
            }
            Body::Join { options, rooms } => {
                local.sockets_join(&options.restored(), &shared(&rooms));
            }
            Body::Leave { options, rooms } => {
                local.sockets_leave(&options.restored(), &shared(&rooms));
            }
            Body::Disconnect { options, close } => {
                local.disconnect_sockets(&options.restored(), close);
            }
            Body::ServerSide { request, event } => {
                let tag = request.map(|request| {
                    let tag = self.next();
                    self.for_others.insert(tag, (from, request));
                    tag
                });
                local.server_side_event(&event.name, event.args.owned(), tag);
            }
            Body::Restore { request, pid, offset } => self.look_up(local, request, &pid, &offset),
            answer => self.handle_response(local, answer),
        }
    }

    fn handle_response(&mut self, local: &mut Local<'_>, body: Body) {
        match body {
            Body::Asked { request, clients } => {
                let Some(Open::Question { question, servers_missing, .. }) =
                    self.open.get_mut(&request)
                else {
                    return;
                };
                local.expect(*question, clients);
                *servers_missing -= 1;
                if *servers_missing == 0 {
                    local.all_asked(*question);
                }
            }
            Body::Answered { request, args } => {
                if let Some(Open::Question { question, .. }) = self.open.get(&request) {
                    local.answer(*question, args.owned());
                }
            }
            Body::Left { request } => {
                if let Some(Open::Question { question, .. }) = self.open.get(&request) {
                    local.left(*question);
                }
            }
            Body::Fetched { request, sockets } => self.add_sockets(request, sockets),
            Body::ServerAnswered { request, args } => {
                let Some(Open::ServerSide { values, expected, .. }) = self.open.get_mut(&request)
                else {
                    return;
                };
                values.push(args.owned());
                if values.len() == *expected {
                    self.give_up(request);
                }
            }
            _ => {}
        }
    }

    fn ask_store(&self, local: &Local<'_>, request: u64, pid: &str, offset: &str) {
        let (pid, offset) = (pid.to_owned(), offset.to_owned());
        let body = Body::Restore { request, pid, offset };
        let bytes = serde_json::to_vec(&Wire { from: self.node, body }).unwrap();
        self.bus.borrow_mut().remind(self.node, local.namespace(), bytes);
    }

    fn add_sockets(&mut self, request: u64, mut more: Vec<SocketSnapshot>) {
        let Some(Open::Fetch { sockets, answered, expected, .. }) = self.open.get_mut(&request)
        else {
            return;
        };
        sockets.append(&mut more);
        *answered += 1;
        if answered == expected {
            self.give_up(request);
        }
    }

    /// Answers with what there is.
    fn give_up(&mut self, request: u64) {
        match self.open.remove(&request) {
            Some(Open::Fetch { request, sockets, answered, expected, .. }) => {
                let error = AdapterError::Timeout { answered, expected };
                request.answer(if answered == expected { Ok(sockets) } else { Err(error) });
            }
            Some(Open::ServerSide { request, values, expected, .. }) => {
                let timed_out = values.len() < expected;
                request.answer(Ok(Answers::of(values, expected, timed_out)));
            }
            Some(Open::Restore { request, .. }) => request.answer(Ok(None)),
            // The server ends it at its time-out itself.
            Some(Open::Question { .. }) | None => {}
        }
    }

    /// What the client missed ends where this server has come to in the stream: it delivers the
    /// rest itself. A client that has heard of more than this server has waits for it to catch up.
    fn look_up(&mut self, local: &mut Local<'_>, number: u64, pid: &str, offset: &str) {
        if place_of(offset) > self.come_to && self.open.contains_key(&number) {
            return self.ask_store(local, number, pid, offset);
        }
        let Some(Open::Restore { request, .. }) = self.open.remove(&number) else { return };
        let come_to = self.come_to;
        let mut found = self.bus.borrow_mut().restore(pid, offset);
        if let Some((_, entries)) = &mut found {
            entries.retain(|(offset, _)| place_of(offset) <= come_to);
        }
        request.answer(Ok(found.map(|(session, entries)| {
            let missed = entries.iter().filter_map(|(offset, bytes)| {
                let wire: Wire = serde_json::from_slice(bytes).unwrap();
                let Body::Broadcast { event, options, .. } = wire.body else { return None };
                let is_meant = options.restored().concerns(&session.rooms);
                let mut event = event.outgoing(local).filter(|_| is_meant)?;
                event.append(offset);
                Some(event.finish())
            });
            let missed = missed.collect();
            RestoredSession { session, missed }
        })));
    }

    /// An entry of the stream: an event that everybody delivers now.
    fn handle_entry(&mut self, local: &mut Local<'_>, offset: &str, wire: Wire) {
        self.come_to = place_of(offset);
        let Body::Broadcast { event, options, own } = wire.body else { return };
        let own = own.filter(|_| wire.from == self.node).and_then(|own| self.own.remove(&own));
        if let Some((mut event, options)) = own {
            if !event.wants_ack() {
                event.append(offset);
            }
            local.broadcast(event, &options);
        } else if let Some(mut event) = event.outgoing(local) {
            event.append(offset);
            local.broadcast(event, &options.restored());
        }
    }
}

impl Adapter for BusAdapter {
    fn init(&mut self, _: &mut Local<'_>) {
        self.bus.borrow_mut().join(self.node);
    }

    fn close(&mut self, _: &mut Local<'_>) {
        self.bus.borrow_mut().leave(self.node);
    }

    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        if options.local {
            return local.broadcast(event, options);
        }
        let own = (self.streams && !options.volatile).then(|| self.next());
        let body = Body::Broadcast { event: Event::of(&event), options: Options::of(options), own };
        let Some(own) = own else {
            self.send(local, None, body);
            return local.broadcast(event, options);
        };
        self.own.insert(own, (event, options.clone()));
        let bytes = serde_json::to_vec(&Wire { from: self.node, body }).unwrap();
        self.bus.borrow_mut().append(local.namespace(), &bytes);
        Emitted::DEFERRED
    }

    fn broadcast_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) {
        let servers_missing = if options.local { 0 } else { self.others() };
        if servers_missing > 0 {
            let request = self.next();
            let until = local.now().monotonic + options.timeout.unwrap_or(ANSWER_TIMEOUT);
            self.open.insert(request, Open::Question { question, servers_missing, until });
            let (event, options) = (Event::of(&event), Options::of(options));
            self.send(local, None, Body::Ask { request, event, options });
        }
        local.ask(event, options, question);
        if servers_missing == 0 {
            local.all_asked(question);
        }
    }

    fn fetch_sockets(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        request: Request<Vec<SocketSnapshot>>,
    ) {
        if options.local || self.others() == 0 {
            return local.fetch_sockets(options, request);
        }
        let number = self.next();
        let until = local.now().monotonic + options.timeout.unwrap_or(ANSWER_TIMEOUT);
        let (answered, expected, sockets) = (0, 1 + self.others(), Vec::new());
        self.open.insert(number, Open::Fetch { request, sockets, answered, expected, until });
        self.send(local, None, Body::Fetch { request: number, options: Options::of(options) });
        let tag = self.next();
        self.for_others.insert(tag, (self.node, number));
        local.fetch_sockets(options, local.request(tag));
    }

    fn sockets_join(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        rooms: &[Rc<str>],
    ) {
        local.sockets_join(options, rooms);
        if !options.local {
            let (options, rooms) = (Options::of(options), owned(rooms));
            self.send(local, None, Body::Join { options, rooms });
        }
    }

    fn sockets_leave(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        rooms: &[Rc<str>],
    ) {
        local.sockets_leave(options, rooms);
        if !options.local {
            let (options, rooms) = (Options::of(options), owned(rooms));
            self.send(local, None, Body::Leave { options, rooms });
        }
    }

    fn disconnect_sockets(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        close: bool,
    ) {
        local.disconnect_sockets(options, close);
        if !options.local {
            let options = Options::of(options);
            self.send(local, None, Body::Disconnect { options, close });
        }
    }

    fn server_side_emit(&mut self, local: &mut Local<'_>, event: &str, args: Args<'_>) {
        let event = Event { name: event.to_owned(), args: Arguments::of(args) };
        self.send(local, None, Body::ServerSide { request: None, event });
    }

    fn server_side_emit_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: &str,
        args: Args<'_>,
        request: Request<Answers<OwnedArgs>>,
    ) {
        let expected = self.others();
        if expected == 0 {
            return request.answer(Ok(Answers::of(Vec::new(), 0, false)));
        }
        let (number, until, values) = (self.next(), Self::until(local), Vec::new());
        self.open.insert(number, Open::ServerSide { request, values, expected, until });
        let event = Event { name: event.to_owned(), args: Arguments::of(args) };
        self.send(local, None, Body::ServerSide { request: Some(number), event });
    }

    fn persist_session(&mut self, _: &mut Local<'_>, session: SavedSession) {
        self.bus.borrow_mut().save(session);
    }

    fn restore_session(
        &mut self,
        local: &mut Local<'_>,
        pid: &str,
        offset: &str,
        request: Request<Option<RestoredSession>>,
    ) {
        let number = self.next();
        let until = Self::until(local);
        self.open.insert(number, Open::Restore { request, until });
        self.ask_store(local, number, pid, offset);
    }

    fn handle_answer(&mut self, local: &mut Local<'_>, tag: u64, answer: Answer) {
        let Some(&(node, request)) = self.for_others.get(&tag) else { return };
        let body = match answer {
            Answer::Client(args) => Body::Answered { request, args: Arguments::of(args.as_args()) },
            Answer::Left => Body::Left { request },
            Answer::Server(args) => {
                self.for_others.remove(&tag);
                Body::ServerAnswered { request, args: Arguments::of(args.as_args()) }
            }
            Answer::Sockets(sockets) => {
                self.for_others.remove(&tag);
                if node == self.node {
                    return self.add_sockets(request, sockets);
                }
                Body::Fetched { request, sockets }
            }
            _ => return,
        };
        self.send(local, Some(node), body);
    }

    fn handle_event(&mut self, local: &mut Local<'_>, bytes: &[u8]) {
        if let Ok(Wire { from, body }) = serde_json::from_slice(bytes) {
            return self.handle(local, from, body);
        }
        let text = std::str::from_utf8(bytes).unwrap();
        let (offset, wire) = text.split_once(' ').unwrap();
        self.handle_entry(local, offset, serde_json::from_str(wire).unwrap());
    }

    fn deadline(&self) -> Option<Duration> {
        self.open.values().map(Open::until).min()
    }

    fn handle_deadline(&mut self, local: &mut Local<'_>) {
        let now = local.now().monotonic;
        let over = self.open.iter().filter(|(_, open)| open.until() <= now);
        for request in over.map(|(&request, _)| request).collect::<Vec<_>>() {
            self.give_up(request);
        }
    }
}

impl Open {
    fn until(&self) -> Duration {
        match self {
            Self::Question { until, .. }
            | Self::Fetch { until, .. }
            | Self::ServerSide { until, .. }
            | Self::Restore { until, .. } => *until,
        }
    }
}

impl Event {
    fn of(event: &OutgoingEvent) -> Self {
        let (name, args) = event.read().unwrap();
        Self { name: name.into_owned(), args: Arguments::of(args) }
    }

    fn outgoing(&self, local: &Local<'_>) -> Option<OutgoingEvent> {
        local.event(&self.name, self.args.owned().as_args())
    }
}

/// Where an entry stands in the stream.
fn place_of(offset: &str) -> u64 {
    offset.rsplit_once('-').and_then(|(_, place)| place.parse().ok()).unwrap_or(0)
}

fn shared(rooms: &[String]) -> Vec<Rc<str>> {
    rooms.iter().map(|room| Rc::from(room.as_str())).collect()
}

fn owned(rooms: &[Rc<str>]) -> Vec<String> {
    rooms.iter().map(|room| room.to_string()).collect()
}

const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

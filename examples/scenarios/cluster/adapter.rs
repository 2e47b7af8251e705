//! The adapter of two servers in one process: it does here what it is asked to, and passes it on to
//! the other through that one's handle.
//!
//! What it leaves out is asked of this server alone: `fetch_sockets`, answers of servers, recovery.
//!
//! ```text
//! broadcast ─▶ Local::broadcast
//!           └▶ Handle::post ─▶ Namespace::adapter_event ─▶ handle_event ─▶ Local::broadcast
//! ```

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use throng::adapter::{Adapter, Answer, BroadcastOptions, Local, OutgoingEvent, QuestionId};
use throng::{Args, Emitted, Handle};

use super::passed::{Arguments, Event, Passed, Whom, names, shared};

/// The way to the other server, once that is there.
pub(crate) type Peer = Arc<OnceLock<Handle>>;

pub(crate) struct PassingAdapter {
    other: Peer,
    /// The number of the last question.
    number: u64,
    /// What the other's clients are asked, and until when anybody waits.
    asked: HashMap<u64, (QuestionId, Duration)>,
}

impl PassingAdapter {
    pub(crate) fn new(other: Peer) -> Self {
        Self { other, number: 0, asked: HashMap::new() }
    }

    /// Whether the other takes it; what one that is gone, or has no room, doesn't take is lost.
    fn pass(&self, local: &Local<'_>, passed: &Passed) -> bool {
        let (Some(other), Ok(bytes)) = (self.other.get(), serde_json::to_vec(passed)) else {
            return false;
        };
        let namespace = local.namespace().to_owned();
        other.post(move |io| io.of(&namespace).adapter_event(&bytes)).is_ok()
    }

    fn handle(&mut self, local: &mut Local<'_>, passed: Passed) {
        match passed {
            Passed::Event { event, whom } => {
                if let Some(event) = local.event(&event.name, event.args.read().as_args()) {
                    local.broadcast(event, &whom.options());
                }
            }
            Passed::Ask { number, event, whom } => {
                let event = local.event_with_ack(&event.name, event.args.read().as_args());
                // The other's number is the tag that answers come with.
                let ask = |event| local.ask_for(event, &whom.options(), number);
                let clients = event.map_or(0, ask);
                self.pass(local, &Passed::Asked { number, clients });
            }
            Passed::Asked { number, clients } => {
                if let Some((question, _)) = self.asked.get(&number) {
                    local.expect(*question, clients);
                    local.all_asked(*question);
                }
            }
            Passed::Answered { number, args } => {
                if let Some((question, _)) = self.asked.get(&number) {
                    local.answer(*question, args.read());
                }
            }
            Passed::Left { number } => {
                if let Some((question, _)) = self.asked.get(&number) {
                    local.left(*question);
                }
            }
            Passed::Join { whom, rooms } => local.sockets_join(&whom.options(), &shared(&rooms)),
            Passed::Leave { whom, rooms } => local.sockets_leave(&whom.options(), &shared(&rooms)),
            Passed::Disconnect { whom, close } => local.disconnect_sockets(&whom.options(), close),
            Passed::ServerSide { event } => {
                local.server_side_event(&event.name, event.args.read(), None);
            }
        }
    }
}

impl Adapter for PassingAdapter {
    /// The two end together.
    fn close(&mut self, _: &mut Local<'_>) {
        if let Some(other) = self.other.get() {
            let _ = other.close();
        }
    }

    fn broadcast(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
    ) -> Emitted {
        if !options.local
            && let Some(event) = Event::of(&event)
        {
            self.pass(local, &Passed::Event { event, whom: Whom::new(options) });
        }
        local.broadcast(event, options)
    }

    fn broadcast_with_ack(
        &mut self,
        local: &mut Local<'_>,
        event: OutgoingEvent,
        options: &BroadcastOptions,
        question: QuestionId,
    ) {
        let passed = match Event::of(&event) {
            Some(event) if !options.local => {
                let now = local.now().monotonic;
                self.asked.retain(|_, (_, until)| *until > now);
                self.number += 1;
                let until = now + options.timeout.unwrap_or(ANSWER_TIMEOUT);
                self.asked.insert(self.number, (question, until));
                let (number, whom) = (self.number, Whom::new(options));
                self.pass(local, &Passed::Ask { number, event, whom })
            }
            _ => false,
        };
        local.ask(event, options, question);
        // Otherwise it is complete when the other has told how many it asks.
        if !passed {
            local.all_asked(question);
        }
    }

    fn sockets_join(
        &mut self,
        local: &mut Local<'_>,
        options: &BroadcastOptions,
        rooms: &[Rc<str>],
    ) {
        local.sockets_join(options, rooms);
        if !options.local {
            let (whom, rooms) = (Whom::new(options), names(rooms));
            self.pass(local, &Passed::Join { whom, rooms });
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
            let (whom, rooms) = (Whom::new(options), names(rooms));
            self.pass(local, &Passed::Leave { whom, rooms });
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
            self.pass(local, &Passed::Disconnect { whom: Whom::new(options), close });
        }
    }

    fn server_side_emit(&mut self, local: &mut Local<'_>, event: &str, args: Args<'_>) {
        self.pass(local, &Passed::ServerSide { event: Event::new(event, args) });
    }

    fn handle_answer(&mut self, local: &mut Local<'_>, number: u64, answer: Answer) {
        let passed = match answer {
            Answer::Client(args) => {
                Passed::Answered { number, args: Arguments::new(args.as_args()) }
            }
            Answer::Left => Passed::Left { number },
            _ => return,
        };
        self.pass(local, &passed);
    }

    fn handle_event(&mut self, local: &mut Local<'_>, bytes: &[u8]) {
        if let Ok(passed) = serde_json::from_slice(bytes) {
            self.handle(local, passed);
        }
    }
}

/// How long an answer is awaited where nobody says it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

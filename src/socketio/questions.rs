//! Events that ask many for an acknowledgement: who was asked, what came, and when it is over.
//!
//! Each socket that was asked keeps the question's key among the acknowledgements it owes, so an
//! answer costs what any acknowledgement costs. A question ends once: when all have answered or
//! left, at its time-out, or when the server closes; then nothing of it is left with anybody.
//!
//! ```text
//! < 427["score?"]   to three clients
//! > 437[10]  > 437[12]          [10, 12] of 3 at the time-out
//! ```

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::ack::Answerer;
use super::adapter::{Answer, Answers, BroadcastOptions, QuestionId, lane_for, send};
use super::namespaces::NamespaceId;
use super::packet::AckId;
use super::payload::{Args, OwnedArgs};
use super::rooms::SocketKey;
use super::{Hub, State, Timer};
use crate::deadlines::DeadlineId;
use crate::message::Message;
use crate::outbox::Delivery;
use crate::slots::Slots;

/// One event that awaits the acknowledgements of several.
pub(crate) struct Question {
    namespace: NamespaceId,
    asker: Asker,
    /// The sockets of this server that were asked, and the id by which they answer.
    asked: Vec<SocketKey>,
    id: Option<AckId>,
    /// Whether more may be asked yet.
    open: bool,
    expected: usize,
    answered: usize,
    left: usize,
    values: Vec<OwnedArgs>,
    bytes: usize,
    deadline: Option<DeadlineId>,
}

/// Who wants to know.
pub(crate) enum Asker {
    /// The host, when the question is over.
    Host(TellHost),
    /// Another server, by this tag of the adapter's, of each answer as it comes.
    Adapter(u64),
}

pub(crate) type TellHost = Box<dyn FnOnce(&Rc<Hub>, Answers<OwnedArgs>)>;

/// The questions that are open.
pub(super) struct Questions(Slots<Question>);

impl Default for Questions {
    fn default() -> Self {
        Self(Slots::with_capacity(0))
    }
}

impl Hub {
    /// A question's time is up: who asked gets what came so far.
    pub(super) fn handle_question_timeout(self: &Rc<Self>, question: QuestionId) {
        self.state.borrow_mut().end_question(question, true);
        self.run_effects();
    }

    /// A socket that was asked has answered.
    pub(super) fn handle_answer(self: &Rc<Self>, question: QuestionId, args: Args<'_>) {
        self.state.borrow_mut().note_answer(question, args.first());
        self.run_effects();
    }
}

impl State {
    /// The next acknowledgement id of a namespace.
    pub(super) fn next_ack(&mut self, namespace: NamespaceId) -> AckId {
        let namespace = self.namespaces.get_mut(namespace);
        let id = AckId::new(namespace.next_ack);
        namespace.next_ack += 1;
        id
    }

    pub(super) fn open_question(
        &mut self,
        namespace: NamespaceId,
        timeout: Option<Duration>,
        asker: Asker,
    ) -> QuestionId {
        let question = QuestionId(self.questions.0.insert(Question {
            namespace,
            asker,
            asked: Vec::new(),
            id: None,
            open: true,
            expected: 0,
            answered: 0,
            left: 0,
            values: Vec::new(),
            bytes: 0,
            deadline: None,
        }));
        if let Some(timeout) = timeout {
            let at = self.now.monotonic.saturating_add(timeout);
            let deadline = self.timers.schedule(at, Timer::Question(question));
            if let Some(kept) = self.questions.0.get_mut(question.0) {
                kept.deadline = Some(deadline);
            }
        }
        question
    }

    /// Sends the event to those who are meant, and notes what they owe. One who owes too many
    /// answers already, or whose transport is busy where it is volatile, isn't asked.
    pub(super) fn ask_members(
        &mut self,
        namespace: NamespaceId,
        id: AckId,
        message: &Rc<Message>,
        options: &BroadcastOptions,
        question: QuestionId,
    ) -> usize {
        let members = self.selected_members(namespace, options);
        let lane = lane_for(members.len());
        let Some(kept) = self.questions.0.get_mut(question.0) else { return 0 };
        kept.id = Some(id);
        let before = kept.asked.len();
        for member in members {
            let Some(entry) = self.sockets.get_mut(member.socket) else { continue };
            let owed = entry.extras.as_ref().map_or(0, |extras| extras.acks.len());
            let delivery = if owed >= self.config.acks_per_socket_max {
                Delivery::Dropped
            } else {
                let (outboxes, soft) = (&mut self.outboxes, self.soft_bytes_max);
                send(outboxes, member, message, lane, options.volatile, soft)
            };
            self.counters.count_emit(delivery);
            if delivery != Delivery::Dropped {
                let acks = &mut entry.extras.get_or_insert_default().acks;
                acks.insert(id, None, Answerer::Question(question));
                kept.asked.push(member.socket);
            }
        }
        let asked = kept.asked.len() - before;
        kept.expected += asked;
        asked
    }

    pub(super) fn expect_answers(&mut self, question: QuestionId, clients: usize) {
        if let Some(kept) = self.questions.0.get_mut(question.0) {
            kept.expected = kept.expected.saturating_add(clients);
        }
    }

    /// Nobody more will be asked.
    pub(super) fn close_question(&mut self, question: QuestionId) {
        if let Some(kept) = self.questions.0.get_mut(question.0) {
            kept.open = false;
        }
        self.settle_question(question);
    }

    pub(super) fn note_answer(&mut self, question: QuestionId, answer: OwnedArgs) {
        let bytes_max = self.config.answers_bytes_max;
        let Some(kept) = self.questions.0.get_mut(question.0) else { return };
        kept.answered += 1;
        if let Asker::Adapter(tag) = kept.asker {
            let namespace = kept.namespace;
            self.tell_adapter(namespace, tag, Answer::Client(answer));
        } else {
            let bytes = kept.bytes.saturating_add(answer.bytes());
            if bytes <= bytes_max {
                kept.bytes = bytes;
                kept.values.push(answer);
            } else {
                self.counters.acks_rejected += 1;
            }
        }
        self.settle_question(question);
    }

    /// One who was asked has left.
    pub(super) fn note_left(&mut self, question: QuestionId) {
        let Some(kept) = self.questions.0.get_mut(question.0) else { return };
        kept.left += 1;
        if let Asker::Adapter(tag) = kept.asker {
            let namespace = kept.namespace;
            self.tell_adapter(namespace, tag, Answer::Left);
        }
        self.settle_question(question);
    }

    /// The adapter of a namespace is no more: who asked gets what came so far.
    pub(super) fn end_questions(&mut self, namespace: NamespaceId) {
        for key in self.questions.0.keys() {
            if self.questions.0.get(key).is_some_and(|kept| kept.namespace == namespace) {
                self.end_question(QuestionId(key), false);
            }
        }
    }

    fn settle_question(&mut self, question: QuestionId) {
        let Some(kept) = self.questions.0.get(question.0) else { return };
        if !kept.open && kept.answered + kept.left >= kept.expected {
            self.end_question(question, false);
        }
    }

    fn end_question(&mut self, question: QuestionId, timed_out: bool) {
        let Some(kept) = self.questions.0.remove(question.0) else { return };
        if let Some(deadline) = kept.deadline {
            self.timers.cancel(deadline);
        }
        if timed_out {
            let missing = kept.expected.saturating_sub(kept.answered + kept.left);
            self.counters.ack_timeouts += missing as u64;
        }
        if kept.answered + kept.left < kept.expected {
            for &key in &kept.asked {
                self.forget_ack(key, kept.id, question);
            }
        }
        if let Asker::Host(tell) = kept.asker {
            let rejected = kept.answered - kept.values.len();
            let answers =
                Answers { values: kept.values, expected: kept.expected, rejected, timed_out };
            self.effects.push(move |hub| {
                hub.run_unbound(|| tell(hub, answers));
            });
        }
    }

    fn tell_adapter(&mut self, namespace: NamespaceId, tag: u64, answer: Answer) {
        self.effects.push(move |hub| {
            hub.with_adapter(namespace, |adapter, local| adapter.handle_answer(local, tag, answer));
        });
    }

    /// Takes what a socket owes to a question off its list.
    fn forget_ack(&mut self, key: SocketKey, id: Option<AckId>, question: QuestionId) {
        let Some((entry, id)) = self.sockets.get_mut(key).zip(id) else { return };
        if let Some(extras) = &mut entry.extras {
            extras.acks.remove_question(id, question);
            if extras.is_empty() {
                entry.extras = None;
            }
        }
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Questions({})", self.0.len())
    }
}

//! What is asked of the parent of dynamic namespaces: it has neither sockets nor an adapter of its
//! own, so each of its children is asked, one after the other, and what they answer is gathered.
//!
//! ```text
//! of_pattern("^/room-[0-9]+$").sockets_join("a")     /room-1, /room-7: join "a"
//! ```
//!
//! The reference's parent only sends: what else is asked of it meets an adapter in which nobody is.

use std::cell::RefCell;
use std::rc::Rc;

use super::Hub;
use super::adapter::{
    Adapter, AdapterError, Answers, BroadcastOptions, Emitted, Local, Request, SocketSnapshot,
};
use super::broadcast::BroadcastOperator;
use super::namespaces::NamespaceId;
use super::payload::{IntoArgs, OwnedArgs};
use super::questions::{Asker, TellHost};

/// Sockets as their adapters told of them, each with its namespace.
pub(super) type Found = Result<Vec<(NamespaceId, SocketSnapshot)>, AdapterError>;

/// What the children of a parent have answered so far, held by all who have yet to answer.
struct Gathered<T: 'static>(Rc<RefCell<Gathering<T>>>);

struct Gathering<T: 'static> {
    /// How many have yet to answer, who asks them being one.
    missing: usize,
    /// The sum of the answers, and who waits for it; gone once it is told.
    sum: Option<(T, Tell<T>)>,
}

type Tell<T> = Box<dyn FnOnce(&Rc<Hub>, T)>;

impl Hub {
    /// The namespaces that this one stands for, if it does.
    pub(super) fn children_of(&self, id: NamespaceId) -> Option<Vec<NamespaceId>> {
        self.state.borrow().namespaces.get(id).children().map(<[NamespaceId]>::to_vec)
    }

    /// Tells the other servers of an event between servers, in the name of each namespace.
    pub(super) fn server_side_emit(
        self: &Rc<Self>,
        namespaces: Vec<NamespaceId>,
        event: &str,
        args: &OwnedArgs,
    ) {
        for namespace in namespaces {
            self.with_adapter(namespace, |adapter, local| {
                adapter.server_side_emit(local, event, args.as_args());
            });
        }
    }

    /// The same in the names of a parent's children, and gathers what the others answer; the first
    /// error is the answer of all.
    pub(super) fn server_side_ask_children(
        self: &Rc<Self>,
        children: Vec<NamespaceId>,
        event: &str,
        args: &OwnedArgs,
        request: Request<Answers<OwnedArgs>>,
    ) {
        let sum = Ok(Answers::of(Vec::new(), 0, false));
        let gathered = Gathered::new(children.len(), sum, |_, sum| request.answer(sum));
        for child in children {
            let gathered = gathered.clone();
            let part = Request::new(&self.effects, move |hub, answers| {
                gathered.add(hub, |sum| match (sum.as_mut(), answers) {
                    (Ok(sum), Ok(answers)) => extend(sum, answers),
                    (Ok(_), Err(error)) => *sum = Err(error),
                    (Err(_), _) => {}
                });
            });
            self.with_adapter(child, |adapter, local| {
                adapter.server_side_emit_with_ack(local, event, args.as_args(), part);
            });
        }
        self.finish(&gathered);
    }

    /// All have been asked; who waits hears of it now if all have answered.
    fn finish<T>(self: &Rc<Self>, gathered: &Gathered<T>) {
        let gathered = gathered.clone();
        self.effects.push(move |hub| gathered.add(hub, |_| {}));
        self.run_effects();
    }
}

impl BroadcastOperator<'_> {
    /// Lets the adapter of the namespace act, or that of each child.
    pub(super) fn with_adapters(
        &self,
        act: impl Fn(&mut dyn Adapter, &mut Local<'_>, &BroadcastOptions),
    ) {
        match self.hub.children_of(self.namespace) {
            None => self.with_adapter_of(self.namespace, &act),
            Some(children) => {
                for child in children {
                    self.with_adapter_of(child, &act);
                }
            }
        }
    }

    /// A broadcast to a namespace that stands for others.
    pub(super) fn emit_to_children(
        self,
        children: Vec<NamespaceId>,
        event: &str,
        args: impl IntoArgs,
    ) -> Emitted {
        let Some(args) = self.hub.encoded(OwnedArgs::new(args)) else { return Emitted::default() };
        let mut emitted = Emitted::default();
        for child in children {
            let sent = self.of_child(child).send(event, &args);
            let Emitted { queued, over_limit, dropped, deferred } = sent;
            emitted.queued += queued;
            emitted.over_limit += over_limit;
            emitted.dropped += dropped;
            emitted.deferred |= deferred;
        }
        emitted
    }

    /// The same, and gathers what is acknowledged; all their answers together are as long as those
    /// of one namespace may be.
    pub(super) fn ask_children(
        self,
        children: Vec<NamespaceId>,
        event: &str,
        args: &OwnedArgs,
        tell: TellHost,
    ) {
        let bytes_max = self.hub.state.borrow().config.answers_bytes_max;
        let sum = (Answers::of(Vec::new(), 0, false), 0);
        let gathered = Gathered::new(children.len(), sum, |hub, (answers, _)| {
            hub.run_unbound(|| tell(hub, answers));
        });
        for child in children {
            let gathered = gathered.clone();
            let asker = Asker::Host(Box::new(move |hub, answers| {
                let mut over_limit = 0;
                gathered.add(hub, |(sum, bytes)| {
                    over_limit = extend_within(sum, bytes, bytes_max, answers);
                });
                hub.state.borrow_mut().counters.acks_rejected += over_limit;
            }));
            self.of_child(child).ask(event, args, asker);
        }
        self.hub.finish(&gathered);
    }

    /// The sockets of all these namespaces; the first error is the answer of all.
    pub(super) fn fetch_of(
        &self,
        namespaces: Vec<NamespaceId>,
        tell: impl FnOnce(&Rc<Hub>, Found) + 'static,
    ) {
        let gathered = Gathered::new(namespaces.len(), Ok(Vec::new()), tell);
        for namespace in namespaces {
            let gathered = gathered.clone();
            let part = Request::new(&self.hub.effects, move |hub, sockets: Result<Vec<_>, _>| {
                gathered.add(hub, |sum: &mut Found| match (sum.as_mut(), sockets) {
                    (Ok(sum), Ok(sockets)) => {
                        sum.extend(sockets.into_iter().map(|socket| (namespace, socket)));
                    }
                    (Ok(_), Err(error)) => *sum = Err(error),
                    (Err(_), _) => {}
                });
            });
            self.hub.with_adapter(namespace, |adapter, local| {
                adapter.fetch_sockets(local, &self.options, part);
            });
        }
        self.hub.finish(&gathered);
    }

    fn with_adapter_of(
        &self,
        namespace: NamespaceId,
        act: &impl Fn(&mut dyn Adapter, &mut Local<'_>, &BroadcastOptions),
    ) {
        self.hub.with_adapter(namespace, |adapter, local| act(adapter, local, &self.options));
    }

    fn of_child(&self, child: NamespaceId) -> Self {
        Self { namespace: child, ..self.clone() }
    }
}

impl<T> Gathered<T> {
    /// Waits for so many children, and for who asks them to have asked all.
    fn new(children: usize, sum: T, tell: impl FnOnce(&Rc<Hub>, T) + 'static) -> Self {
        let sum: (T, Tell<T>) = (sum, Box::new(tell));
        Self(Rc::new(RefCell::new(Gathering { missing: children + 1, sum: Some(sum) })))
    }

    /// One more has answered; the last one's answer is followed by the telling.
    fn add(&self, hub: &Rc<Hub>, fold: impl FnOnce(&mut T)) {
        let complete = {
            let gathering = &mut *self.0.borrow_mut();
            if let Some((sum, _)) = &mut gathering.sum {
                fold(sum);
            }
            gathering.missing = gathering.missing.saturating_sub(1);
            if gathering.missing == 0 { gathering.sum.take() } else { None }
        };
        if let Some((sum, tell)) = complete {
            tell(hub, sum);
        }
    }
}

impl<T> Clone for Gathered<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

fn extend(sum: &mut Answers<OwnedArgs>, answers: Answers<OwnedArgs>) {
    sum.values.extend(answers.values);
    sum.expected += answers.expected;
    sum.rejected += answers.rejected;
    sum.timed_out |= answers.timed_out;
}

/// The same, as far as all answers fit; returns how many don't.
fn extend_within(
    sum: &mut Answers<OwnedArgs>,
    bytes: &mut usize,
    bytes_max: usize,
    mut answers: Answers<OwnedArgs>,
) -> u64 {
    let came = answers.values.len();
    answers.values.retain(|value| {
        let total = bytes.saturating_add(value.bytes());
        let fits = total <= bytes_max;
        if fits {
            *bytes = total;
        }
        fits
    });
    let over_limit = came - answers.values.len();
    answers.rejected += over_limit;
    extend(sum, answers);
    over_limit as u64
}

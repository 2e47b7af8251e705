//! How an adapter acts, and how what comes of it reaches the host when it has.
//!
//! While an adapter acts the state is borrowed and lent to it, so nothing of the host's runs. What
//! is to run is queued as an effect, and done in order as soon as nothing is borrowed: usually
//! before the call that caused it returns.

use std::rc::Rc;
use std::time::Duration;

use super::adapter::{Adapter, AdapterMaker, Local, LocalAdapter, SocketSnapshot};
use super::handler::guard;
use super::namespaces::NamespaceId;
use super::rooms::SocketKey;
use super::socket::Socket;
use super::{Hub, State, Timer};
use crate::deadlines::DeadlineId;

/// The adapter of a namespace, and when it wants to be called.
pub(super) struct Seat {
    adapter: Box<dyn Adapter>,
    deadline: Option<(Duration, DeadlineId)>,
    /// Whether it watches the rooms; asked once, because it may be away while it acts.
    pub(super) watches_rooms: bool,
}

impl Hub {
    /// Lets the adapter of a namespace act, then does what came of it.
    pub(super) fn with_adapter<R: Default>(
        self: &Rc<Self>,
        id: NamespaceId,
        act: impl FnOnce(&mut dyn Adapter, &mut Local<'_>) -> R,
    ) -> R {
        let result = self.lend(id, act);
        self.run_effects();
        result
    }

    /// The same, but for what comes of it.
    pub(super) fn lend<R: Default>(
        &self,
        id: NamespaceId,
        act: impl FnOnce(&mut dyn Adapter, &mut Local<'_>) -> R,
    ) -> R {
        let lost = {
            let state = &mut *self.state.borrow_mut();
            let seat = &mut state.namespaces.get_mut(id).seat;
            let mut adapter = std::mem::replace(&mut seat.adapter, Box::new(LocalAdapter));
            let mut local = Local { state: &mut *state, format: &self.format, namespace: id };
            let acted = guard(|| {
                let result = act(&mut *adapter, &mut local);
                (result, adapter.deadline())
            });
            if let Some((result, deadline)) = acted {
                state.seat(id, adapter, deadline);
                return result;
            }
            // One that panics is lost, and its namespace goes on without it.
            state.counters.handler_panics += 1;
            state.namespaces.get_mut(id).seat.watches_rooms = false;
            state.seat(id, Box::new(LocalAdapter), None);
            // Whom it had still to ask nobody will ask: who asked gets what came.
            state.end_questions(id);
            adapter
        };
        // What it was still asked is answered by its end.
        guard(|| drop(lost));
        R::default()
    }

    /// Makes the adapter of a namespace that has just been made, if this server has another than
    /// the usual one.
    pub(super) fn install_adapter(self: &Rc<Self>, id: NamespaceId) {
        let Some(maker) = self.adapter_maker.borrow().clone() else { return };
        let name = {
            let state = self.state.borrow();
            let namespace = state.namespaces.get(id);
            // Nobody is in a namespace that stands for others.
            if namespace.children().is_some() {
                return;
            }
            Rc::clone(&namespace.name)
        };
        let mut made = None;
        self.nest(|| {
            let adapter = maker.make(&name);
            let watches_rooms = adapter.watches_rooms();
            made = Some((adapter, watches_rooms));
        });
        let Some((adapter, watches_rooms)) = made else { return };
        let replaced = {
            let namespaces = &mut self.state.borrow_mut().namespaces;
            // Its maker is the host's: the namespace may have gone meanwhile.
            if namespaces.contains(id) {
                let seat = &mut namespaces.get_mut(id).seat;
                seat.watches_rooms = watches_rooms;
                std::mem::replace(&mut seat.adapter, adapter)
            } else {
                adapter
            }
        };
        self.nest(|| drop(replaced));
        self.with_adapter(id, |adapter, local| adapter.init(local));
    }

    /// Gives each namespace, now and later, an adapter of this kind.
    pub(crate) fn set_adapter(self: &Rc<Self>, maker: AdapterMaker) {
        let replaced = self.adapter_maker.replace(Some(maker));
        self.nest(|| drop(replaced));
        let ids = self.state.borrow().namespaces.ids();
        for id in ids {
            self.close_adapter(id);
            self.install_adapter(id);
        }
    }

    /// The namespace ends: its adapter is told, and let go of.
    pub(super) fn close_adapter(self: &Rc<Self>, id: NamespaceId) {
        self.with_adapter(id, |adapter, local| adapter.close(local));
        let gone = {
            let state = &mut *self.state.borrow_mut();
            let seat = std::mem::take(&mut state.namespaces.get_mut(id).seat);
            if let Some((_, deadline)) = seat.deadline {
                state.timers.cancel(deadline);
            }
            seat.adapter
        };
        // What it was still asked is answered now, by its end.
        self.nest(|| drop(gone));
        self.state.borrow_mut().end_questions(id);
        self.run_effects();
    }

    /// The server closes: whoever waits for others is told what came so far.
    pub(super) fn close_adapters(self: &Rc<Self>) {
        let ids = self.state.borrow().namespaces.ids();
        for id in ids {
            self.close_adapter(id);
        }
    }

    pub(super) fn handle_adapter_deadline(self: &Rc<Self>, id: NamespaceId) {
        self.state.borrow_mut().namespaces.get_mut(id).seat.deadline = None;
        self.with_adapter(id, |adapter, local| adapter.handle_deadline(local));
    }

    /// Does what has been queued, unless closures are nested so deep that it waits for the bottom.
    pub(crate) fn run_effects(self: &Rc<Self>) {
        while !self.is_too_deep() && self.effects.run_next(self) {}
    }

    /// What others are told of these sockets; the host's `Serialize` runs.
    pub(super) fn snapshots(self: &Rc<Self>, keys: &[SocketKey]) -> Vec<SocketSnapshot> {
        keys.iter().filter_map(|&key| self.snapshot(key)).collect()
    }

    fn snapshot(self: &Rc<Self>, key: SocketKey) -> Option<SocketSnapshot> {
        let socket = Socket::new(self, key);
        if !socket.is_connected() {
            return None;
        }
        let own = std::iter::once(Rc::from(socket.id().as_str()));
        let rooms = own.chain(socket.rooms()).collect();
        let data = self.shared_data_json(key);
        Some(SocketSnapshot::new(socket.id(), socket.handshake(), rooms, data))
    }
}

impl State {
    /// Puts an adapter (back) into its seat and notes when it wants to be called.
    fn seat(&mut self, id: NamespaceId, adapter: Box<dyn Adapter>, due: Option<Duration>) {
        let seat = &mut self.namespaces.get_mut(id).seat;
        // Nobody sits there: the usual adapter keeps the seat while another acts.
        seat.adapter = adapter;
        if due == seat.deadline.map(|(at, _)| at) {
            return;
        }
        if let Some((_, deadline)) = seat.deadline.take() {
            self.timers.cancel(deadline);
        }
        seat.deadline = due.map(|at| (at, self.timers.schedule(at, Timer::Adapter(id))));
    }
}

impl Default for Seat {
    fn default() -> Self {
        Self { adapter: Box::new(LocalAdapter), deadline: None, watches_rooms: false }
    }
}

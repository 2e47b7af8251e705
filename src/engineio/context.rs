//! What all sessions share, and what one of them is handed with each input.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::counters::EngineCounters;
use super::output::{Frame, Output};
use super::sent::Sent;
use crate::config::EngineConfig;
use crate::http::Response;
use crate::message::Message;
use crate::outbox::Outboxes;
use crate::slots::{ConnectionKey, SessionKey};

/// The part of the engine that isn't the sessions.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: EngineConfig,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: EngineCounters,
    /// What every client gets with its open packet.
    pub(crate) initial: Option<Rc<Message>>,
    /// How many sessions speak through a WebSocket now.
    pub(crate) websocket_sessions: usize,
    /// News of packets that leave, while somebody wants it.
    pub(crate) sent: Option<Vec<(SessionKey, Sent)>>,
}

/// One session's surroundings during one input.
pub(crate) struct Context<'a> {
    pub(crate) now: Duration,
    pub(crate) session: SessionKey,
    pub(crate) shared: &'a mut Shared,
    pub(crate) outboxes: &'a mut Outboxes,
}

impl Context<'_> {
    pub(crate) fn output(&mut self, output: Output) {
        self.shared.outputs.push_back(output);
    }

    pub(crate) fn respond(&mut self, connection: ConnectionKey, response: Response) {
        self.output(Output::Respond { connection, response });
    }

    pub(crate) fn send(&mut self, connection: ConnectionKey, frame: Frame) {
        self.shared.counters.packets_sent += 1;
        self.shared.note_frame(self.session, &frame);
        self.output(Output::Send { connection, frame });
    }

    pub(crate) fn close_websocket(&mut self, connection: ConnectionKey, code: Option<u16>) {
        self.output(Output::CloseWebSocket { connection, code });
    }
}

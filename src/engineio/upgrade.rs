//! The upgrade from polling to WebSocket: a second connection probes, then takes over.
//!
//! While it probes, polling goes on. The client waits for its GET to return before it sends `5`,
//! so that held GETs are answered with a noop every 100 ms.
//!
//! ```text
//! > 2probe    < 3probe    (polling: > GET < 6)    > 5    < what waited, as frames
//! ```

use std::time::Duration;

use super::closing::{Ending, Farewell, Phase};
use super::context::Context;
use super::output::{Output, PROBE_FRAME};
use super::packet::{Packet, RawPacket};
use super::polling::{CLOSE, NOOP, PollBody, Stage};
use super::session::{Lost, Session};
use super::transport::Channel;
use crate::message::Form;
use crate::outbox::Sink;
use crate::slots::ConnectionKey;

/// A WebSocket that was opened with the id of a session.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) connection: ConnectionKey,
    form: Form,
    /// When the client must have sent `5`.
    expires_at: Duration,
    /// When a held GET is answered next; nothing before `2probe` has come.
    noop_at: Option<Duration>,
}

impl Probe {
    pub(crate) fn wake_at(&self) -> Duration {
        self.noop_at.map_or(self.expires_at, |noop_at| noop_at.min(self.expires_at))
    }
}

impl Session {
    /// A WebSocket was opened with this session's id. One at a time may probe, and none after an
    /// upgrade.
    pub(crate) fn handle_probe(
        &mut self,
        connection: ConnectionKey,
        form: Form,
        context: &mut Context<'_>,
    ) {
        if self.probe.is_some() || matches!(self.channel, Channel::Upgraded { .. }) {
            context.shared.counters.probes_refused += 1;
            context.close_websocket(connection, None);
            return;
        }
        let expires_at = context.now.saturating_add(context.shared.config.upgrade_timeout);
        self.probe = Some(Box::new(Probe { connection, form, expires_at, noop_at: None }));
    }

    /// One packet from the WebSocket that probes.
    pub(crate) fn handle_probe_packet(
        &mut self,
        raw: RawPacket<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        let Some(probe) = &mut self.probe else { return Ok(()) };
        match Packet::decode(raw, self.protocol) {
            Ok(Packet::Ping("probe")) => {
                probe.noop_at = Some(context.now.saturating_add(NOOP_INTERVAL));
                let connection = probe.connection;
                context.send(connection, PROBE_FRAME);
                Ok(())
            }
            Ok(Packet::Upgrade) => self.upgrade(context),
            _ => {
                context.shared.counters.probes_failed += 1;
                let connection = probe.connection;
                context.close_websocket(connection, None);
                self.probe = None;
                Ok(())
            }
        }
    }

    /// The WebSocket that probed was lost; polling goes on.
    pub(crate) fn drop_probe(&mut self, how: Lost, context: &mut Context<'_>) {
        let Some(probe) = self.probe.take() else { return };
        context.shared.counters.probes_failed += 1;
        if let Lost::Failure(code) = how {
            context.close_websocket(probe.connection, Some(code));
        }
    }

    /// What of the probe is due.
    pub(crate) fn expire_probe(&mut self, context: &mut Context<'_>) {
        let Some(probe) = &mut self.probe else { return };
        if probe.expires_at <= context.now {
            context.shared.counters.probes_timed_out += 1;
            let connection = probe.connection;
            context.close_websocket(connection, None);
            self.probe = None;
            return;
        }
        if probe.noop_at.is_some_and(|noop_at| noop_at <= context.now) {
            probe.noop_at = Some(context.now.saturating_add(NOOP_INTERVAL));
            if self.has_get() {
                let body = self.take_payload(context);
                let noop = || PollBody::control(self.protocol.payload_form(), &[NOOP]);
                self.answer_get(body.unwrap_or_else(noop), context);
            }
        }
    }

    /// The client sent `5`: the WebSocket takes the place of what was there.
    fn upgrade(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        let Some(probe) = self.probe.take() else { return Ok(()) };
        let Probe { connection, form, .. } = *probe;
        context.shared.counters.upgrades += 1;
        self.leave_channel(context);
        self.channel = Channel::Upgraded { connection, form };
        self.heartbeat.handle_upgrade(context.now, &context.shared.config);
        self.send_until_beat(connection, form, context);
        match self.phase {
            Phase::Open => {
                let session = context.session;
                context.output(Output::Upgraded { session, connection });
                context.outboxes.set_sink(session, Sink::WebSocket(connection, form));
                Ok(())
            }
            // The host's close waited for a GET; it has a WebSocket now.
            Phase::Draining { reason } | Phase::Lingering { reason, .. } => {
                Err(Ending::new(reason, Farewell::Graceful))
            }
        }
    }

    /// Ends the connections of the transport that is left behind; what waits stays.
    fn leave_channel(&mut self, context: &mut Context<'_>) {
        let form = self.protocol.payload_form();
        let polling = match &mut self.channel {
            Channel::Polling(polling) => polling,
            Channel::WebSocket { connection, .. } | Channel::Upgraded { connection, .. } => {
                let connection = *connection;
                context.close_websocket(connection, None);
                return;
            }
        };
        context.shared.websocket_sessions = context.shared.websocket_sessions.saturating_add(1);
        if let Some(asker) = polling.get.take() {
            let answer = asker.payload(PollBody::control(form, &[CLOSE]), context.shared);
            context.respond(asker.connection, answer);
        }
        if let Some(post) = polling.post.take() {
            let connection = post.asker.connection;
            if post.stage == Stage::Receiving {
                context.output(Output::Destroy { connection });
            } else {
                let answer = post.asker.accepted(&context.shared.config);
                context.respond(connection, answer);
            }
        }
    }
}

/// How often held GETs are released while a WebSocket probes.
const NOOP_INTERVAL: Duration = Duration::from_millis(100);

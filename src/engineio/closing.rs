//! How a session ends: the states before it, and what the peer is told.
//!
//! A WebSocket is closed at once. Polling can only be told in answer to a GET: a held one is
//! answered, otherwise the next one is, within 30 s.
//!
//! ```text
//! GET held:       < 1
//! no GET held:    > GET    < 42["bye"]       > GET    < 6 1e 1
//! WebSocket:      < 88 00
//! ```

use std::time::Duration;

use super::context::Context;
use super::output::{Frame, Output};
use super::polling::{Asker, CLOSE, NOOP, PollBody, Polling, Stage};
use super::reason::DisconnectReason;
use super::session::{Session, beat_frame};
use super::transport::Channel;
use crate::message::Form;
use crate::outbox::Sink;
use crate::slots::ConnectionKey;

/// How far a session is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Packets are taken from both sides.
    Open,
    /// The host closed the session while messages waited for a GET. They are still delivered;
    /// nothing more is taken, from the client or the host.
    Draining { reason: DisconnectReason },
    /// All is delivered: the next GET is told of the close, or nobody once the moment has come.
    Lingering { reason: DisconnectReason, until: Duration },
}

/// How the host ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Close {
    /// After what waits was sent.
    Graceful,
    /// At once; what waits is dropped.
    Discard,
}

/// The end of a session, decided but not carried out.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) reason: DisconnectReason,
    /// More about the reason, for the host.
    pub(crate) detail: Option<&'static str>,
    pub(crate) farewell: Farewell,
    /// The request that caused the end; it is answered 400 after the others.
    pub(crate) refused: Option<Asker>,
}

/// What the peer is told at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// What waits, if that can be written now; then, or for a held GET instead, a close.
    Close,
    /// What waits, written now or not; then a close.
    Graceful,
    /// A close, instead of what waits.
    Discard,
    /// The client said it first: a held GET is only released.
    Noop,
    /// As [`Farewell::Close`], with a code in the close frame.
    Failure(u16),
    /// Nothing: the WebSocket is gone.
    Silent,
}

impl Ending {
    pub(crate) const fn new(reason: DisconnectReason, farewell: Farewell) -> Self {
        Self { reason, detail: None, farewell, refused: None }
    }

    /// A "transport error" with the reference's description.
    pub(crate) fn error(detail: &'static str) -> Self {
        Self {
            detail: Some(detail),
            ..Self::new(DisconnectReason::TransportError, Farewell::Close)
        }
    }

    pub(crate) fn refusing(mut self, asker: Asker) -> Self {
        self.refused = Some(asker);
        self
    }
}

impl Session {
    /// The host closes the session. A second graceful close changes nothing.
    pub(crate) fn close(
        &mut self,
        how: Close,
        reason: DisconnectReason,
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        if how == Close::Discard {
            return Err(Ending::new(reason, Farewell::Discard));
        }
        if self.phase != Phase::Open {
            return Ok(());
        }
        if self.channel.websocket().is_some() {
            return Err(Ending::new(reason, Farewell::Graceful));
        }
        if self.has_get() && !self.has_waiting(context) {
            return Err(Ending::new(reason, Farewell::Close));
        }
        self.flush_poll(context);
        self.phase = if self.has_waiting(context) {
            Phase::Draining { reason }
        } else {
            Phase::Lingering { reason, until: context.now.saturating_add(LINGER_TIMEOUT) }
        };
        // What waits stays in the outbox, which takes nothing more.
        context.outboxes.set_sink(context.session, Sink::Closed);
        Ok(())
    }

    /// Whether an open session has something for the next GET.
    fn has_waiting(&self, context: &Context<'_>) -> bool {
        self.beat_behind.is_some() || !context.outboxes.is_empty(context.session)
    }

    /// Carries out an ending; the session has been taken out of the engine already.
    pub(crate) fn end(mut self, ending: Ending, context: &mut Context<'_>) {
        if let Some(probe) = self.probe.take() {
            context.shared.counters.probes_failed += 1;
            context.close_websocket(probe.connection, None);
        }
        if let Some((connection, form)) = self.channel.websocket() {
            context.shared.websocket_sessions = context.shared.websocket_sessions.saturating_sub(1);
            end_websocket(connection, form, ending.farewell, context);
        } else {
            self.end_polling(ending.farewell, context);
        }
        context.outboxes.close(context.session);
        if let Some(asker) = ending.refused {
            let answer = asker.empty(400, &context.shared.config);
            context.respond(asker.connection, answer);
        }
        let Ending { reason, detail, .. } = ending;
        context.shared.counters.count_closed(reason);
        let (session, sid) = (context.session, self.sid);
        context.output(Output::Closed { session, sid, reason, detail });
    }

    fn end_polling(&mut self, farewell: Farewell, context: &mut Context<'_>) {
        let body = match farewell {
            _ if !self.has_get() => None,
            Farewell::Discard => None,
            _ => self.take_payload(context),
        };
        let form = self.protocol.payload_form();
        let Channel::Polling(Polling { get, post }) = &mut self.channel else { return };
        let post = post.take();
        if let Some(post) = &post
            && post.stage == Stage::Receiving
        {
            context.output(Output::Destroy { connection: post.asker.connection });
        }
        if let Some(asker) = get.take() {
            let farewell = if farewell == Farewell::Noop { NOOP } else { CLOSE };
            let body = body.unwrap_or_else(|| PollBody::control(form, &[farewell]));
            let answer = asker.payload(body, context.shared);
            context.respond(asker.connection, answer);
        }
        if let Some(post) = post
            && post.stage == Stage::Handling
        {
            let answer = post.asker.accepted(&context.shared.config);
            context.respond(post.asker.connection, answer);
        }
    }

    /// Hands what waits for a GET over to a WebSocket, up to a buffered ping (or pong) and with it.
    pub(crate) fn send_until_beat(
        &mut self,
        connection: ConnectionKey,
        form: Form,
        context: &mut Context<'_>,
    ) {
        let Some(behind) = self.beat_behind.take() else { return };
        for _ in 0..behind {
            let Some(message) = context.outboxes.pop(context.session) else { break };
            context.send(connection, Frame::Message(message, form));
        }
        context.send(connection, beat_frame(self.protocol));
    }
}

fn end_websocket(
    connection: ConnectionKey,
    form: Form,
    farewell: Farewell,
    context: &mut Context<'_>,
) {
    let is_handed_over = match farewell {
        Farewell::Silent => return,
        Farewell::Discard => false,
        Farewell::Graceful => true,
        // A peer that doesn't read won't come to what waits before it is cut off.
        Farewell::Close | Farewell::Noop | Farewell::Failure(_) => {
            !context.outboxes.is_blocked(context.session)
        }
    };
    while is_handed_over && let Some(message) = context.outboxes.pop(context.session) {
        context.send(connection, Frame::Message(message, form));
    }
    let code = match farewell {
        Farewell::Failure(code) => Some(code),
        _ => None,
    };
    context.close_websocket(connection, code);
}

/// How long a session waits for the GET that is told of its close.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(30);

//! One session: what it does with requests, packets and deadlines.
//!
//! Its parts keep their own rules: [`Heartbeat`] the pings, [`Channel`] and [`Polling`] the
//! transports, `upgrade` the probe, `closing` the end. A session never removes itself: what ends
//! it is returned as an [`Ending`], and the engine acts on it.
//!
//! ```text
//! > POST 42["chat","hi"] 1e 3       < ok
//! > GET                             < 42["chat","hi"]
//! ```

use std::time::Duration;

use super::closing::{Ending, Farewell, LINGER_TIMEOUT, Phase};
use super::context::Context;
use super::heartbeat::{Beat, Heartbeat};
use super::output::{Frame, Output, PING_FRAME, PONG_FRAME};
use super::packet::{Incoming, Packet, RawPacket};
use super::polling::{Asker, CLOSE, NOOP, PollBody, Polling, Post, Stage};
use super::reason::DisconnectReason;
use super::sent::Sent;
use super::sid::Sid;
use super::transport::{Channel, Protocol};
use super::upgrade::Probe;
use crate::message::Form;
use crate::outbox::Sink;
use crate::slots::ConnectionKey;

/// The state of one session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) sid: Sid,
    pub(crate) protocol: Protocol,
    pub(crate) phase: Phase,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) channel: Channel,
    /// A WebSocket that may take the place of the channel.
    pub(crate) probe: Option<Box<Probe>>,
    /// A ping, in EIO 3 a pong, waits for a GET, behind this many messages.
    pub(crate) beat_behind: Option<u32>,
    /// EIO 3: the client takes polling payloads in bytes.
    pub(crate) takes_bytes: bool,
    /// The deadline that was told last and hasn't come yet.
    armed_at: Option<Duration>,
}

/// What to do with a POST whose head has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostStart {
    /// Read its body, of at most this many bytes.
    Accept { body_bytes_max: usize },
    /// It is answered, or will be by the outputs; its body is of no interest.
    Refused,
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The peer closed its side.
    Eof,
    /// The connection was reset, or a read or write failed.
    Reset,
    /// The peer sent a close frame, which was answered.
    CloseFrame,
    /// The peer broke RFC 6455 or a limit; the code belongs into our close frame.
    Failure(u16),
}

impl Session {
    pub(crate) fn new(
        sid: Sid,
        protocol: Protocol,
        heartbeat: Heartbeat,
        channel: Channel,
    ) -> Self {
        Self {
            sid,
            protocol,
            phase: Phase::Open,
            heartbeat,
            channel,
            probe: None,
            beat_behind: None,
            takes_bytes: false,
            armed_at: None,
        }
    }

    /// A GET: answered with what waits, or held.
    pub(crate) fn handle_poll(
        &mut self,
        asker: Asker,
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        let Channel::Polling(polling) = &mut self.channel else {
            let answer = asker.empty(400, &context.shared.config);
            context.respond(asker.connection, answer);
            return Ok(());
        };
        if polling.get.is_some() {
            return Err(Ending::error("overlap from client").refusing(asker));
        }
        polling.get = Some(asker);
        if let Some(body) = self.take_payload(context) {
            self.answer_get(body, context);
            if let Phase::Draining { reason } = self.phase {
                let until = context.now.saturating_add(LINGER_TIMEOUT);
                self.phase = Phase::Lingering { reason, until };
            }
            return Ok(());
        }
        match self.phase {
            Phase::Open => {
                context.outboxes.set_sink(context.session, Sink::Poll);
                Ok(())
            }
            Phase::Draining { reason } | Phase::Lingering { reason, .. } => {
                self.answer_get(
                    PollBody::control(self.protocol.payload_form(), &[NOOP, CLOSE]),
                    context,
                );
                Err(Ending::new(reason, Farewell::Close))
            }
        }
    }

    /// The head of a POST.
    pub(crate) fn handle_post(
        &mut self,
        asker: Asker,
        is_octet_stream: bool,
        context: &mut Context<'_>,
    ) -> Result<PostStart, Ending> {
        let Channel::Polling(polling) = &mut self.channel else {
            let answer = asker.empty(400, &context.shared.config);
            context.respond(asker.connection, answer);
            return Ok(PostStart::Refused);
        };
        if polling.post.is_some() {
            return Err(Ending::error("data request overlap from client").refusing(asker));
        }
        if is_octet_stream && self.protocol == Protocol::V4 {
            return Err(Ending::error("invalid content").refusing(asker));
        }
        polling.post = Some(Box::new(Post { asker, stage: Stage::Receiving }));
        Ok(PostStart::Accept { body_bytes_max: context.shared.config.payload_bytes_max })
    }

    /// A POST whose body is larger than was accepted. The session lives on unless the host wants
    /// it otherwise.
    pub(crate) fn post_too_large(
        &mut self,
        connection: ConnectionKey,
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        let Some(post) = self.take_post(connection) else { return Ok(()) };
        context.shared.counters.posts_too_large += 1;
        let answer = post.asker.empty(413, &context.shared.config);
        context.respond(connection, answer);
        if context.shared.config.large_body_ends_session {
            return Err(Ending::error("Max payload size exceeded"));
        }
        Ok(())
    }

    /// A POST of which all packets were handled.
    pub(crate) fn finish_post(&mut self, connection: ConnectionKey, context: &mut Context<'_>) {
        if let Some(post) = self.take_post(connection) {
            let answer = post.asker.accepted(&context.shared.config);
            context.respond(connection, answer);
        }
    }

    /// One packet that this connection carried.
    pub(crate) fn handle_packet<'p>(
        &mut self,
        connection: ConnectionKey,
        raw: RawPacket<'p>,
        context: &mut Context<'_>,
    ) -> Result<Option<Incoming<'p>>, Ending> {
        if self.probe.as_ref().is_some_and(|probe| probe.connection == connection) {
            return self.handle_probe_packet(raw, context).map(|()| None);
        }
        let is_ours = match &mut self.channel {
            Channel::Polling(polling) => polling.begin_handling(connection),
            Channel::WebSocket { connection: main, .. }
            | Channel::Upgraded { connection: main, .. } => *main == connection,
        };
        if !is_ours {
            return Ok(None);
        }
        let packet = Packet::decode(raw, self.protocol);
        // On a WebSocket a close packet means nothing: there the connection itself is closed.
        if packet == Ok(Packet::Close) && matches!(self.channel, Channel::Polling(_)) {
            return Err(Ending::new(DisconnectReason::TransportClose, Farewell::Noop));
        }
        if self.phase != Phase::Open {
            return Ok(None);
        }
        self.handle_main_packet(packet.ok(), context)
    }

    fn handle_main_packet<'p>(
        &mut self,
        packet: Option<Packet<'p>>,
        context: &mut Context<'_>,
    ) -> Result<Option<Incoming<'p>>, Ending> {
        let shared = &mut *context.shared;
        shared.counters.packets_received += 1;
        match packet {
            None => return Err(Ending::new(DisconnectReason::ParseError, Farewell::Close)),
            Some(Packet::Ping(_)) if self.protocol == Protocol::V3 => {
                shared.counters.pings_received += 1;
                self.heartbeat.handle_ping(context.now, &shared.config);
                self.send_beat(context);
                return Ok(None);
            }
            Some(Packet::Pong) if self.protocol == Protocol::V4 => {
                shared.counters.pongs += 1;
                self.heartbeat.handle_pong(context.now, &shared.config);
                return Ok(None);
            }
            Some(Packet::Ping(_) | Packet::Pong) => {
                return Err(Ending::error("invalid heartbeat direction"));
            }
            _ => self.heartbeat.handle_packet(context.now, &shared.config),
        }
        Ok(match packet {
            Some(Packet::Message(message)) => Some(message),
            _ => None,
        })
    }

    /// A connection of this session is gone, or about to be.
    pub(crate) fn handle_disconnect(
        &mut self,
        connection: ConnectionKey,
        how: Lost,
        context: &mut Context<'_>,
    ) -> Result<(), Ending> {
        if self.probe.as_ref().is_some_and(|probe| probe.connection == connection) {
            self.drop_probe(how, context);
            return Ok(());
        }
        match &mut self.channel {
            Channel::WebSocket { connection: main, .. }
            | Channel::Upgraded { connection: main, .. }
                if *main == connection =>
            {
                return Err(how.into_ending());
            }
            Channel::Polling(polling) => polling.lose(connection)?,
            Channel::WebSocket { .. } | Channel::Upgraded { .. } => {}
        }
        if let Lost::Failure(code) = how {
            context.close_websocket(connection, Some(code));
        }
        Ok(())
    }

    /// The moment told by `Schedule` has come, or an earlier one.
    pub(crate) fn handle_deadline(&mut self, context: &mut Context<'_>) -> Result<(), Ending> {
        self.armed_at = None;
        if let Phase::Lingering { reason, until } = self.phase
            && until <= context.now
        {
            return Err(Ending::new(reason, Farewell::Close));
        }
        self.expire_probe(context);
        match self.heartbeat.expire(context.now, &context.shared.config) {
            Beat::Nothing => Ok(()),
            Beat::Ping => {
                if self.phase == Phase::Open {
                    context.shared.counters.pings += 1;
                    self.send_beat(context);
                }
                Ok(())
            }
            Beat::TimedOut => Err(Ending::new(DisconnectReason::PingTimeout, Farewell::Close)),
        }
    }

    /// Answers the held GET, if there is one, with all that waits.
    pub(crate) fn flush_poll(&mut self, context: &mut Context<'_>) {
        if self.has_get()
            && let Some(body) = self.take_payload(context)
        {
            self.answer_get(body, context);
        }
    }

    /// Tells the conductor when this session wants to be looked at, if that is earlier than told.
    pub(crate) fn arm(&mut self, context: &mut Context<'_>) {
        let at = self.wake_at();
        if self.armed_at.is_none_or(|armed_at| at < armed_at) {
            self.armed_at = Some(at);
            context.output(Output::Schedule { session: context.session, at });
        }
    }

    fn wake_at(&self) -> Duration {
        let mut at = self.heartbeat.wake_at();
        if let Phase::Lingering { until, .. } = self.phase {
            at = at.min(until);
        }
        if let Some(probe) = &self.probe {
            at = at.min(probe.wake_at());
        }
        at
    }

    /// Sends a ping, in EIO 3 a pong. It counts as sent even while there is no GET to carry it.
    fn send_beat(&mut self, context: &mut Context<'_>) {
        if let Some((connection, _)) = self.channel.websocket() {
            context.send(connection, beat_frame(self.protocol));
            return;
        }
        // One that waits already is not doubled: only a client that posts but never polls could
        // let them pile up.
        if self.beat_behind.is_none() {
            let waiting = context.outboxes.messages(context.session).count();
            self.beat_behind = Some(u32::try_from(waiting).unwrap_or(u32::MAX));
        }
        self.flush_poll(context);
    }

    pub(crate) fn has_get(&self) -> bool {
        matches!(&self.channel, Channel::Polling(Polling { get: Some(_), .. }))
    }

    /// All that waits for a GET, in order, removed from where it waited.
    pub(crate) fn take_payload(&mut self, context: &mut Context<'_>) -> Option<PollBody> {
        let session = context.session;
        let form = self.payload_form(context);
        let beat_behind = self.beat_behind.take();
        // A byte for each separator, as if the messages were 32 bytes: it only saves a growth.
        let bytes = context.outboxes.bytes(session);
        let mut body = PollBody::with_capacity(form, bytes.saturating_add(bytes / 32));
        let mut messages = 0;
        while let Some(message) = context.outboxes.pop(session) {
            if beat_behind == Some(messages) {
                self.push_beat(&mut body, context);
            }
            body.push_message(&message);
            context.shared.note_sent(session, || Sent::Message(message));
            messages = messages.saturating_add(1);
        }
        if beat_behind.is_some_and(|behind| behind >= messages) {
            self.push_beat(&mut body, context);
        }
        (!body.is_empty()).then_some(body)
    }

    fn push_beat(&self, body: &mut PollBody, context: &mut Context<'_>) {
        body.push_beat();
        context.shared.note_sent(context.session, || Sent::beat(self.protocol));
    }

    /// The form of the next payload. In EIO 3 it is bytes where some of what waits is binary and
    /// the client can read them.
    fn payload_form(&self, context: &Context<'_>) -> Form {
        let takes_bytes = self.takes_bytes
            && self.protocol == Protocol::V3
            && matches!(&self.channel, Channel::Polling(Polling { get: Some(get), .. })
                if !get.is_jsonp());
        if takes_bytes
            && context.outboxes.messages(context.session).any(|message| message.has_binary())
        {
            Form::PollingBinaryV3
        } else {
            self.protocol.payload_form()
        }
    }

    /// Answers the held GET; from then on messages wait for the next one.
    pub(crate) fn answer_get(&mut self, body: PollBody, context: &mut Context<'_>) {
        let Channel::Polling(polling) = &mut self.channel else { return };
        let Some(asker) = polling.get.take() else { return };
        if self.phase == Phase::Open {
            context.outboxes.set_sink(context.session, Sink::Held);
        }
        let answer = asker.payload(body, context.shared);
        context.respond(asker.connection, answer);
    }

    fn take_post(&mut self, connection: ConnectionKey) -> Option<Box<Post>> {
        let Channel::Polling(polling) = &mut self.channel else { return None };
        polling.post.take_if(|post| post.asker.connection == connection)
    }
}

impl Polling {
    /// The first packet of a POST says that its whole body is there. What comes otherwise, on a
    /// WebSocket that has failed to upgrade for one, isn't this session's: `false`.
    fn begin_handling(&mut self, connection: ConnectionKey) -> bool {
        match &mut self.post {
            Some(post) if post.asker.connection == connection => {
                post.stage = Stage::Handling;
                true
            }
            _ => false,
        }
    }

    /// A request that was aborted ends the session. A POST whose body has arrived is none: its
    /// packets count, only the answer is lost.
    fn lose(&mut self, connection: ConnectionKey) -> Result<(), Ending> {
        if self.get.take_if(|get| get.connection == connection).is_some() {
            return Err(Ending::error("poll connection closed prematurely"));
        }
        let aborted = |post: &mut Box<Post>| {
            post.asker.connection == connection && post.stage == Stage::Receiving
        };
        if self.post.take_if(aborted).is_some() {
            return Err(Ending::error("data request connection closed prematurely"));
        }
        Ok(())
    }
}

/// The server's half of the heartbeat, as a frame.
pub(crate) const fn beat_frame(protocol: Protocol) -> Frame {
    match protocol {
        Protocol::V3 => PONG_FRAME,
        Protocol::V4 => PING_FRAME,
    }
}

impl Lost {
    fn into_ending(self) -> Ending {
        match self {
            Self::Eof | Self::CloseFrame => {
                Ending::new(DisconnectReason::TransportClose, Farewell::Silent)
            }
            Self::Reset => Ending {
                detail: Some("read ECONNRESET"),
                ..Ending::new(DisconnectReason::TransportError, Farewell::Silent)
            },
            Self::Failure(code) => Ending {
                detail: Some(match code {
                    1007 => "Invalid UTF-8 sequence",
                    1008 => "Too many message fragments",
                    1009 => "Max payload size exceeded",
                    _ => "Invalid WebSocket frame",
                }),
                ..Ending::new(DisconnectReason::TransportError, Farewell::Failure(code))
            },
        }
    }
}

//! The handshake: a new session, its open packet and its cookie.
//!
//! Whether a request may open one is `route`'s business.
//!
//! ```text
//! 0{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"pingInterval":25000,...}
//! Set-Cookie: io=lv_VI97HAXpY6yYWAAAB; Path=/; HttpOnly; SameSite=Lax
//! ```

use std::hash::BuildHasher;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use super::Engine;
use super::heartbeat::Heartbeat;
use super::output::{Frame, Output};
use super::polling::{Asker, PollBody, Polling};
use super::query::Query;
use super::sent::Sent;
use super::session::Session;
use super::sid::Sid;
use super::transport::{Channel, Protocol, Transport};
use crate::config::{Cookie, CookiePriority, EngineConfig, SameSite};
use crate::deadlines::Now;
use crate::entropy::Entropy;
use crate::http::Request;
use crate::message::{Form, TEXT_FRAME, TEXT_START, frame_header};
use crate::outbox::{Outboxes, Sink};
use crate::slots::{ConnectionKey, SessionKey};

/// What follows the session id in the open packet, the same for all sessions of a transport.
pub(crate) struct OpenTails {
    polling: Box<str>,
    websocket: Box<str>,
}

impl Engine {
    /// Opens a session for a polling handshake and answers it. `headers` are the host's, for this
    /// answer only.
    pub(crate) fn open_polling(
        &mut self,
        now: Now,
        connection: ConnectionKey,
        request: &Request,
        headers: &[(String, String)],
        entropy: &mut dyn Entropy,
        outboxes: &mut Outboxes,
    ) -> SessionKey {
        let query = Query::of(request);
        let protocol = query.protocol();
        let channel = Channel::Polling(Polling::default());
        let (session, sid) = self.open(now, channel, protocol, entropy, outboxes);
        if let Some(session) = self.sessions.get_mut(session.cast()) {
            session.takes_bytes = !query.b64;
        }
        let asker = Asker::new(connection, request, &self.shared.config);
        let packet = self.open_tails.packet(sid);
        let is_binary = self.shared.initial.as_ref().is_some_and(|initial| initial.has_binary());
        let form = match protocol {
            // As any payload with bytes for a client that can read them.
            Protocol::V3 if is_binary && !query.b64 && !asker.is_jsonp() => Form::PollingBinaryV3,
            _ => protocol.payload_form(),
        };
        let mut body = PollBody::open(form, &packet);
        if let Some(initial) = &self.shared.initial {
            body.push_message(initial);
        }
        self.note_open(session, packet);
        let mut response = asker.payload(body, &mut self.shared);
        if let Some(cookie) = &self.shared.config.cookie {
            response = response.header("Set-Cookie", set_cookie(cookie, sid));
        }
        for (name, value) in headers {
            response = response.header(name, value);
        }
        self.shared.outputs.push_back(Output::Respond { connection, response });
        self.announce(now, session, outboxes);
        session
    }

    /// Opens a session on a WebSocket whose 101 has been written.
    pub(crate) fn open_websocket(
        &mut self,
        now: Now,
        connection: ConnectionKey,
        form: Form,
        entropy: &mut dyn Entropy,
        outboxes: &mut Outboxes,
    ) -> SessionKey {
        let channel = Channel::WebSocket { connection, form };
        let protocol = Protocol::of_form(form);
        let (session, sid) = self.open(now, channel, protocol, entropy, outboxes);
        let frame = Frame::Owned(self.open_tails.frame(sid));
        if self.shared.sent.is_some() {
            self.note_open(session, self.open_tails.websocket_packet(sid));
        }
        self.shared.counters.packets_sent += 1;
        self.shared.outputs.push_back(Output::Send { connection, frame });
        if let Some(initial) = &self.shared.initial {
            let frame = Frame::Message(Rc::clone(initial), form);
            self.shared.counters.packets_sent += 1;
            self.shared.outputs.push_back(Output::Send { connection, frame });
        }
        self.announce(now, session, outboxes);
        session
    }

    fn note_open(&mut self, session: SessionKey, packet: String) {
        self.shared.note_sent(session, || Sent::Control(packet.into()));
        if let Some(initial) = self.shared.initial.clone() {
            self.shared.note_sent(session, || Sent::Message(initial));
        }
    }

    fn open(
        &mut self,
        now: Now,
        channel: Channel,
        protocol: Protocol,
        entropy: &mut dyn Entropy,
        outboxes: &mut Outboxes,
    ) -> (SessionKey, Sid) {
        let sid = self.offered_sid.take().unwrap_or_else(|| Sid::generate(entropy));
        let config = &self.shared.config;
        let heartbeat = match protocol {
            Protocol::V3 => Heartbeat::listen(now.monotonic, config),
            Protocol::V4 => Heartbeat::start(now.monotonic, config, entropy),
        };
        let sink = match channel.websocket() {
            Some((connection, form)) => Sink::WebSocket(connection, form),
            None => Sink::Held,
        };
        let transport = channel.transport();
        self.shared.counters.count_opened(transport, protocol);
        self.shared.websocket_sessions += usize::from(transport == Transport::WebSocket);
        let session = Session::new(sid, protocol, heartbeat, channel);
        let key = self.sessions.insert(session).cast();
        let (sessions, hasher) = (&self.sessions, &self.hasher);
        self.index.insert_unique(hasher.hash_one(sid), key, |key| {
            sessions.get(key.cast()).map_or(0, |session| hasher.hash_one(session.sid))
        });
        outboxes.open(key, sink);
        (key, sid)
    }

    /// Tells of a new session after its open packet, as the reference does.
    fn announce(&mut self, now: Now, session: SessionKey, outboxes: &mut Outboxes) {
        self.shared.outputs.push_back(Output::Opened { session });
        self.visit(now, session, outboxes, |_, _| Ok(()));
    }
}

impl OpenTails {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let tail = |upgrades: &str| {
            format!(
                "\",\"upgrades\":[{upgrades}],\"pingInterval\":{},\"pingTimeout\":{},\
                 \"maxPayload\":{}}}",
                config.ping_interval.as_millis(),
                config.ping_timeout.as_millis(),
                config.payload_bytes_max,
            )
            .into_boxed_str()
        };
        let can_upgrade = config.allow_upgrades && config.transports.websocket();
        Self { polling: tail(if can_upgrade { "\"websocket\"" } else { "" }), websocket: tail("") }
    }

    /// The open packet of a polling session.
    fn packet(&self, sid: Sid) -> String {
        [OPEN_START, sid.as_str(), &self.polling].concat()
    }

    fn websocket_packet(&self, sid: Sid) -> String {
        [OPEN_START, sid.as_str(), &self.websocket].concat()
    }

    /// The open packet of a WebSocket session, as a frame.
    fn frame(&self, sid: Sid) -> Box<[u8]> {
        let packet = [OPEN_START.as_bytes(), sid.as_bytes(), self.websocket.as_bytes()];
        let packet_bytes = packet.iter().map(|part| part.len()).sum();
        let mut header = [0; TEXT_START];
        let header = frame_header(TEXT_FRAME, packet_bytes, &mut header);
        let [start, sid, tail] = packet;
        [header, start, sid, tail].concat().into_boxed_slice()
    }
}

/// `io=lv_VI97HAXpY6yYWAAAB; Path=/; HttpOnly; SameSite=Lax`
fn set_cookie(cookie: &Cookie, sid: Sid) -> String {
    let mut line = format!("{}={sid}", cookie.name);
    if let Some(age) = cookie.max_age {
        line.push_str("; Max-Age=");
        line.push_str(&age.as_secs().to_string());
    }
    if let Some(domain) = &cookie.domain {
        line.push_str("; Domain=");
        line.push_str(domain);
    }
    if let Some(path) = &cookie.path {
        line.push_str("; Path=");
        line.push_str(path);
    }
    if let Some(expires) = cookie.expires {
        // What such a date can't tell is as good as its first or last one.
        let expires = expires.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_DATE);
        line.push_str("; Expires=");
        line.push_str(&httpdate::fmt_http_date(expires));
    }
    if cookie.http_only {
        line.push_str("; HttpOnly");
    }
    if cookie.secure {
        line.push_str("; Secure");
    }
    if cookie.partitioned {
        line.push_str("; Partitioned");
    }
    line.push_str(match cookie.priority {
        Some(CookiePriority::Low) => "; Priority=Low",
        Some(CookiePriority::Medium) => "; Priority=Medium",
        Some(CookiePriority::High) => "; Priority=High",
        None => "",
    });
    line.push_str(match cookie.same_site {
        Some(SameSite::Strict) => "; SameSite=Strict",
        Some(SameSite::Lax) => "; SameSite=Lax",
        Some(SameSite::None) => "; SameSite=None",
        None => "",
    });
    line
}

/// The end of the year 9999, since 1970.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);
/// What stands before the session id in the open packet.
const OPEN_START: &str = "0{\"sid\":\"";

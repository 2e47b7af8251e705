//! A client that speaks over long-polling: one connection polls, another posts, both are kept alive
//! and opened again when the server has closed them between requests. Its upgrade is in `upgrade`.
//!
//! ```text
//! main > GET &transport=polling           < 0{"sid":"x",..}
//! main > GET ..&sid=x                     < 40{"sid":..} 0x1e 42["chat","~tb1.."]   > GET ..
//! post > POST ..&sid=x  40                < ok
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Answer, next_answer};
use super::body::{Packet, Packets, SEPARATOR, content_type, framed};
use super::opened::Opened;
use super::upgrade::Upgrade;
use super::websocket::Websocket;
use super::{Dialect, Ending, Event, Lane, Output};

/// A session over long-polling, which may be on its way to a WebSocket.
#[derive(Debug)]
pub(crate) struct Polling {
    pub(super) stage: Stage,
    pub(super) poll: Poll,
    post: Post,
    pub(super) upgrade: Upgrade,
    pub(super) mask: [u8; 4],
    /// Whether it is to move to a WebSocket.
    upgrades: bool,
    /// As in `&sid=..`; empty until the session is open.
    pub(super) sid: String,
    /// What the server takes in one POST.
    body_bytes_max: usize,
    /// Packets that wait for a POST, with separators between them.
    pub(super) waiting: Vec<u8>,
    /// The body that is on its way.
    pub(super) posting: Vec<u8>,
}

/// How far the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The open packet is awaited.
    Opening,
    /// CONNECT is sent or waits to be, its answer awaited.
    Joining,
    /// Events flow.
    Joined,
}

/// The connection that polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poll {
    /// It isn't there.
    Closed,
    /// It is being opened, for a GET.
    Opening,
    /// A GET is on its way, or held by the server.
    Asked,
    /// It is open, and no GET follows: the upgrade is near.
    Resting,
}

/// The connection that posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    /// It isn't there.
    Closed,
    /// It is being opened, for a POST.
    Opening,
    /// It is open for the next POST.
    Idle,
    /// A POST is on its way, the first of this connection.
    First,
    /// A later POST is on its way: the server may have closed the connection before it came.
    Later,
}

impl Polling {
    pub(crate) fn new(mask: [u8; 4], upgrades: bool) -> Self {
        Self {
            stage: Stage::Opening,
            poll: Poll::Closed,
            post: Post::Closed,
            upgrades,
            upgrade: Upgrade::Unasked,
            mask,
            sid: String::new(),
            body_bytes_max: usize::MAX,
            waiting: Vec::new(),
            posting: Vec::new(),
        }
    }

    pub(crate) fn connect(&mut self, outputs: &mut Vec<Output>) {
        self.poll = Poll::Opening;
        outputs.push(Output::Open(Lane::Main));
    }

    pub(crate) fn handle_open(&mut self, dialect: &Dialect, lane: Lane, outputs: &mut Vec<Output>) {
        match lane {
            Lane::Main => {
                self.poll = Poll::Asked;
                outputs.push(Output::Write(Lane::Main, self.request(dialect)));
            }
            Lane::Post => {
                self.post = Post::Idle;
                self.flush(dialect, Post::First, outputs);
            }
            Lane::Probe => {
                let request = Websocket::request(dialect, &self.sid);
                outputs.push(Output::Write(Lane::Probe, request));
            }
        }
    }

    /// Takes what a lane received; returns how many bytes need not be shown again.
    pub(crate) fn handle_input(
        &mut self,
        dialect: &Dialect,
        lane: Lane,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        match lane {
            Lane::Main => self.handle_polled(dialect, input, outputs, sink),
            Lane::Post => self.handle_posted(dialect, input, outputs, sink),
            Lane::Probe => Ok(self.handle_probe(dialect, input, outputs, sink)),
        }
    }

    /// A lane has ended or couldn't be opened; `is_midway` when a part of an answer had come.
    pub(crate) fn handle_end(
        &mut self,
        dialect: &Dialect,
        (lane, is_midway): (Lane, bool),
        ending: Ending,
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        match (lane, self.poll, self.post) {
            (Lane::Probe, _, _) => {
                outputs.push(Output::Close(Lane::Probe));
                self.refuse_upgrade(dialect, outputs, sink);
                Ok(())
            }
            (Lane::Main, Poll::Resting, _) => {
                self.close_main(outputs);
                Ok(())
            }
            (Lane::Post, _, Post::Idle) => {
                self.close_post(outputs);
                Ok(())
            }
            // Kept-alive connections may be closed just when they are used again: as browsers do,
            // the request is made once more, on a connection that can't be old.
            (Lane::Post, _, Post::Later) if !is_midway => {
                self.close_post(outputs);
                self.post = Post::Opening;
                outputs.push(Output::Open(Lane::Post));
                Ok(())
            }
            (Lane::Main | Lane::Post, _, _) => Err(ending),
        }
    }

    /// Sends a Socket.IO packet with its attachment, in a POST of its own or with what waits.
    pub(crate) fn send(
        &mut self,
        dialect: &Dialect,
        packet: &[u8],
        attachment: Option<&[u8]>,
        outputs: &mut Vec<Output>,
    ) {
        self.push(b'4', packet);
        if let Some(attachment) = attachment {
            self.push(b'b', STANDARD.encode(attachment).as_bytes());
        }
        self.post(dialect, outputs);
    }

    pub(crate) fn ping(&mut self, dialect: &Dialect, outputs: &mut Vec<Output>) {
        self.push(b'2', b"");
        self.post(dialect, outputs);
    }

    pub(crate) fn mask(&self) -> [u8; 4] {
        self.mask
    }

    /// Bytes that wait for an earlier POST to be answered.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting.len()
    }

    fn handle_polled(
        &mut self,
        dialect: &Dialect,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        if self.poll != Poll::Asked {
            // What nobody asked for, such as a 408, is the end of a kept-alive connection.
            self.close_main(outputs);
            return Ok(input.len());
        }
        let Some(answer) = next_answer(input)? else { return Ok(0) };
        let Answer { body, is_last, bytes } = answer;
        for packet in Packets::of(dialect, &body) {
            match (packet?, self.stage) {
                (Packet::Text(text), _) => self.handle_packet(dialect, text, outputs, sink)?,
                (Packet::Attachment(bytes), Stage::Joined) => sink(Event::Attachment(&bytes)),
                (Packet::Attachment(_), Stage::Joining) if dialect.is_v2() => {}
                (Packet::Attachment(_), _) => return Err(Ending::BadPacket),
            }
        }
        self.poll = Poll::Resting;
        if is_last {
            self.close_main(outputs);
        }
        if self.upgrade == Upgrade::Switching {
            self.switch(dialect, outputs, sink);
        } else {
            self.post(dialect, outputs);
            self.ask(dialect, outputs);
        }
        Ok(bytes)
    }

    fn handle_posted(
        &mut self,
        dialect: &Dialect,
        input: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Ending> {
        if !matches!(self.post, Post::First | Post::Later) {
            self.close_post(outputs);
            return Ok(input.len());
        }
        let Some(answer) = next_answer(input)? else { return Ok(0) };
        self.post = Post::Idle;
        self.posting = Vec::new();
        if answer.is_last {
            self.close_post(outputs);
        }
        if self.upgrade == Upgrade::Switching {
            self.switch(dialect, outputs, sink);
        } else {
            self.post(dialect, outputs);
        }
        Ok(answer.bytes)
    }

    fn handle_packet(
        &mut self,
        dialect: &Dialect,
        packet: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        match (self.stage, packet) {
            (Stage::Joined, [b'4', b'1', ..]) => return Err(Ending::Disconnected),
            (Stage::Joined, [b'4', packet @ ..]) => sink(Event::Packet(packet)),
            (Stage::Opening, [b'0', opened @ ..]) => {
                self.handle_opened(dialect, opened, outputs, sink)?;
            }
            (Stage::Joining, [b'4', b'0', connect @ ..]) if dialect.lets_in(connect) => {
                self.stage = Stage::Joined;
                self.settle(sink);
            }
            (Stage::Joining, [b'4', b'4', ..]) => return Err(Ending::Refused),
            (Stage::Joining, [b'4', b'0' | b'2' | b'5', ..]) if dialect.is_v2() => {}
            (_, b"3") if dialect.is_v2() => sink(Event::Pong),
            (_, b"2") if !dialect.is_v2() => {
                self.push(b'3', b"");
                sink(Event::Ping);
            }
            (_, [b'1', ..]) => return Err(Ending::Disconnected),
            (_, b"6") => {}
            _ => return Err(Ending::BadPacket),
        }
        Ok(())
    }

    fn handle_opened(
        &mut self,
        dialect: &Dialect,
        opened: &[u8],
        outputs: &mut Vec<Output>,
        sink: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Ending> {
        let opened = Opened::read(opened)?;
        if opened.sid.is_empty() || opened.sid.len() > SID_BYTES_MAX {
            return Err(Ending::BadPacket);
        }
        self.sid = format!("&sid={}", utf8_percent_encode(&opened.sid, &ESCAPED));
        self.body_bytes_max = opened.max_payload.filter(|bytes| *bytes > 0).unwrap_or(usize::MAX);
        if dialect.is_v2() {
            // With their lengths, packets take at most twice as much as with separators.
            self.body_bytes_max /= 2;
        }
        sink(Event::Opened(opened.heartbeat(dialect)));
        self.stage = Stage::Joining;
        if let Some(connect) = dialect.connect() {
            self.push(b'4', connect.as_bytes());
        }
        if self.upgrades {
            self.begin_upgrade(&opened.upgrades, outputs);
        }
        Ok(())
    }

    /// Polls, now or when there is a connection for it.
    pub(super) fn ask(&mut self, dialect: &Dialect, outputs: &mut Vec<Output>) {
        match self.poll {
            Poll::Closed => {
                self.poll = Poll::Opening;
                outputs.push(Output::Open(Lane::Main));
            }
            Poll::Resting => {
                self.poll = Poll::Asked;
                outputs.push(Output::Write(Lane::Main, self.request(dialect)));
            }
            Poll::Opening | Poll::Asked => {}
        }
    }

    /// Posts what waits, unless a POST is on its way or the WebSocket is to take it.
    pub(super) fn post(&mut self, dialect: &Dialect, outputs: &mut Vec<Output>) {
        if self.waiting.is_empty() || self.upgrade == Upgrade::Switching {
            return;
        }
        match self.post {
            Post::Closed => {
                self.post = Post::Opening;
                outputs.push(Output::Open(Lane::Post));
            }
            Post::Idle => self.flush(dialect, Post::Later, outputs),
            Post::Opening | Post::First | Post::Later => {}
        }
    }

    /// Writes a POST on an open connection: what was on its way when the one before was closed,
    /// or what waits.
    fn flush(&mut self, dialect: &Dialect, post: Post, outputs: &mut Vec<Output>) {
        if self.posting.is_empty() && self.upgrade != Upgrade::Switching {
            self.posting = framed(dialect, self.take_body());
        }
        if self.posting.is_empty() {
            return;
        }
        let mut out = format!(
            "POST {}&transport=polling{} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\
             Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
            dialect.target,
            self.sid,
            dialect.host,
            content_type(&self.posting),
            self.posting.len(),
        )
        .into_bytes();
        out.extend_from_slice(&self.posting);
        self.post = post;
        outputs.push(Output::Write(Lane::Post, out));
    }

    /// As many whole packets as the server takes at once; a larger one goes alone, to be refused
    /// by whom it concerns.
    fn take_body(&mut self) -> Vec<u8> {
        let is_separator = |byte: &u8| *byte == SEPARATOR;
        let cut = match self.waiting.get(..=self.body_bytes_max) {
            Some(begin) => begin
                .iter()
                .rposition(is_separator)
                .or_else(|| self.waiting.iter().position(is_separator)),
            _ => None,
        };
        let Some(cut) = cut else { return std::mem::take(&mut self.waiting) };
        let rest = self.waiting.split_off(cut + 1);
        let mut body = std::mem::replace(&mut self.waiting, rest);
        body.truncate(cut);
        body
    }

    fn push(&mut self, kind: u8, packet: &[u8]) {
        if !self.waiting.is_empty() {
            self.waiting.push(SEPARATOR);
        }
        self.waiting.push(kind);
        self.waiting.extend_from_slice(packet);
    }

    fn request(&self, dialect: &Dialect) -> Vec<u8> {
        format!(
            "GET {}&transport=polling{} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n\r\n",
            dialect.target, self.sid, dialect.host,
        )
        .into_bytes()
    }

    fn close_main(&mut self, outputs: &mut Vec<Output>) {
        self.poll = Poll::Closed;
        outputs.push(Output::Close(Lane::Main));
    }

    fn close_post(&mut self, outputs: &mut Vec<Output>) {
        self.post = Post::Closed;
        outputs.push(Output::Close(Lane::Post));
    }
}

const SID_BYTES_MAX: usize = 1_024;
/// What `encodeURIComponent` leaves as it is.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

#[cfg(test)]
mod tests {
    use crate::bench::client::tests::{Trial, dialect, get, ok, post};
    use crate::bench::transports::Transport;

    use super::*;

    fn joined() -> Trial {
        let mut trial = Trial::new(Transport::Polling, dialect("/"));
        trial.join();
        trial
    }

    #[test]
    fn a_session_is_opened_joined_and_polled_byte_by_byte() {
        let mut trial = Trial::new(Transport::Polling, dialect("/chat"));
        trial.connect(&["open main"]);
        trial.open(Lane::Main, &[&get("")]);
        let opened = "0{\"sid\":\"a-b_1\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\
                      \"pingTimeout\":20000,\"maxPayload\":1000000}";
        trial.take(Lane::Main, &ok(opened), &["open post", &get("&sid=a-b_1")]);
        trial.open(Lane::Post, &[&post("&sid=a-b_1", "40/chat,")]);
        trial.take(Lane::Post, &ok("ok"), &[]);
        assert!(trial.events.is_empty());
        let joined = "40/chat,{\"sid\":\"x\"}\x1e42/chat,[\"chat\",\"one\"]\x1e6";
        trial.take(Lane::Main, &ok(joined), &[&get("&sid=a-b_1")]);
        assert_eq!(trial.events, ["connected", "packet 2/chat,[\"chat\",\"one\"]"]);
    }

    #[test]
    fn chunked_answers_are_read_as_well() {
        let mut trial = joined();
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                      5\r\n42[\"a\r\n3\r\n\"]\x1e\r\n1\r\n6\r\n0\r\n\r\n";
        trial.take(Lane::Main, answer, &[&get("&sid=x")]);
        assert_eq!(trial.events, ["packet 2[\"a\"]"]);
    }

    #[test]
    fn pings_are_answered_by_post_and_attachments_come_in_base64() {
        let mut trial = joined();
        let answer = ok("2\x1e451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1ebAQIDBA==");
        trial.take(Lane::Main, &answer, &[&post("&sid=x", "3"), &get("&sid=x")]);
        let packet = "packet 51-[\"a\",{\"_placeholder\":true,\"num\":0}]";
        assert_eq!(trial.events, ["ping", packet, "attachment [1, 2, 3, 4]"]);
    }

    #[test]
    fn one_post_is_on_its_way_at_a_time_and_what_waits_is_joined() {
        let mut trial = joined();
        trial.send("2[\"a\"]", None, &[&post("&sid=x", "42[\"a\"]")]);
        trial.send("51-[\"b\",{\"_placeholder\":true,\"num\":0}]", Some(&[255, 0]), &[]);
        trial.send("2[\"c\"]", None, &[]);
        // 39 + 1 + 5 + 1 + 7 bytes.
        assert_eq!(trial.client.waiting_bytes(), 53);
        let body = "451-[\"b\",{\"_placeholder\":true,\"num\":0}]\x1eb/wA=\x1e42[\"c\"]";
        trial.take(Lane::Post, &ok("ok"), &[&post("&sid=x", body)]);
        assert_eq!(trial.client.waiting_bytes(), 0);
        trial.take(Lane::Post, &ok("ok"), &[]);
    }

    #[test]
    fn a_body_is_as_large_as_the_server_takes() {
        let mut trial = Trial::new(Transport::Polling, dialect("/"));
        trial.connect(&["open main"]);
        trial.open(Lane::Main, &[&get("")]);
        let opened = "0{\"sid\":\"x\",\"upgrades\":[],\"maxPayload\":9}";
        trial.take(Lane::Main, &ok(opened), &["open post", &get("&sid=x")]);
        for packet in ["2[1]", "2[2]", "2[\"large\"]", "2[4]", "2[55]"] {
            trial.send(packet, None, &[]);
        }
        // 40 and the first event are 8 bytes; two events of 5 bytes would be 11.
        trial.open(Lane::Post, &[&post("&sid=x", "40\x1e42[1]")]);
        for body in ["42[2]", "42[\"large\"]", "42[4]", "42[55]"] {
            trial.take(Lane::Post, &ok("ok"), &[&post("&sid=x", body)]);
        }
        trial.take(Lane::Post, &ok("ok"), &[]);
    }

    #[test]
    fn a_body_of_exactly_that_size_is_one_post() {
        let mut trial = Trial::new(Transport::Polling, dialect("/"));
        trial.connect(&["open main"]);
        trial.open(Lane::Main, &[&get("")]);
        let opened = "0{\"sid\":\"x\",\"upgrades\":[],\"maxPayload\":8}";
        trial.take(Lane::Main, &ok(opened), &["open post", &get("&sid=x")]);
        trial.send("2[1]", None, &[]);
        trial.send("2[2]", None, &[]);
        trial.open(Lane::Post, &[&post("&sid=x", "40\x1e42[1]")]);
    }

    #[test]
    fn connections_closed_between_requests_are_opened_again() {
        let mut trial = joined();
        trial.end(Lane::Post, false, &["close post"]);
        trial.send("2[\"a\"]", None, &["open post"]);
        trial.open(Lane::Post, &[&post("&sid=x", "42[\"a\"]")]);
        let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
        trial.take(Lane::Post, last, &["close post"]);
        let last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n6";
        trial.take(Lane::Main, last, &["close main", "open main"]);
        trial.open(Lane::Main, &[&get("&sid=x")]);
        // What nobody asked for closes a connection, and is no answer to a later request.
        trial.send("2[\"b\"]", None, &["open post"]);
        trial.open(Lane::Post, &[&post("&sid=x", "42[\"b\"]")]);
        trial.take(Lane::Post, &ok("ok"), &[]);
        trial.take_begin(Lane::Post, "HTTP/1.1 408 Request Timeout\r\n\r\n", &["close post"]);
    }

    #[test]
    fn a_post_that_met_a_closed_connection_is_made_again_once() {
        let mut trial = joined();
        let body = post("&sid=x", "42[\"a\"]");
        trial.send("2[\"a\"]", None, &[&body]);
        trial.send("2[\"b\"]", None, &[]);
        trial.end(Lane::Post, false, &["close post", "open post"]);
        trial.open(Lane::Post, &[&body]);
        assert_eq!(trial.ending(Lane::Post, false), Ending::EndOfFile);
    }

    #[test]
    fn an_end_amid_an_answer_or_a_held_poll_is_the_end() {
        let mut trial = joined();
        trial.send("2[\"a\"]", None, &[&post("&sid=x", "42[\"a\"]")]);
        assert_eq!(trial.ending(Lane::Post, true), Ending::EndOfFile);
        assert_eq!(joined().ending(Lane::Main, false), Ending::EndOfFile);
        assert_eq!(joined().ending(Lane::Main, true), Ending::EndOfFile);
    }

    #[test]
    fn closes_refusals_and_statuses_end_it() {
        let fails = |answer: &str| joined().failure(Lane::Main, answer);
        assert_eq!(fails(&ok("1")), Ending::Disconnected);
        assert_eq!(fails(&ok("41")), Ending::Disconnected);
        assert_eq!(fails(&ok("")), Ending::BadPacket);
        assert_eq!(fails(&ok("b*")), Ending::BadPacket);
        assert_eq!(fails(&ok("0{}")), Ending::BadPacket);
        assert_eq!(fails("HTTP/1.1 400 Bad Request\r\n\r\n"), Ending::Status(400));
        assert_eq!(fails("HTTP/1.1 200 OK\r\n\r\n"), Ending::BadResponse);
        let mut trial = joined();
        trial.send("2[]", None, &[&post("&sid=x", "42[]")]);
        let status = trial.failure(Lane::Post, "HTTP/1.1 413 Payload Too Large\r\n\r\n");
        assert_eq!(status, Ending::Status(413));
        let opening = |answer: &str| {
            let mut trial = Trial::new(Transport::Polling, dialect("/"));
            trial.connect(&["open main"]);
            trial.open(Lane::Main, &[&get("")]);
            trial.failure(Lane::Main, answer)
        };
        assert_eq!(opening(&ok("0{\"sid\":\"\"}")), Ending::BadPacket);
        assert_eq!(opening(&ok("0{\"upgrades\":[]}")), Ending::BadPacket);
        assert_eq!(opening(&ok("42[]")), Ending::BadPacket);
        assert_eq!(opening(&ok("0{\"sid\":\"x\"}\x1e44{}")), Ending::Refused);
    }

    #[test]
    fn ids_are_escaped_as_in_a_url() {
        let mut trial = Trial::new(Transport::Polling, dialect("/"));
        trial.connect(&["open main"]);
        trial.open(Lane::Main, &[&get("")]);
        let opened = ok("0{\"sid\":\"a&b\\r\\n=/é\"}");
        trial.take(Lane::Main, &opened, &["open post", &get("&sid=a%26b%0D%0A%3D%2F%C3%A9")]);
    }
}

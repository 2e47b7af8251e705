//! What goes out: one write call per connection and turn, answers and frames into the queue, and
//! the ways a connection ends.

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;

use super::Reactor;
use super::connection::{Answer, Ending, Interest, Speaks, Stage};
use super::net::Net;
use crate::http::response::Encode;
use crate::http::{Response, Status};
use crate::message::{Form, Message};
use crate::send_queue::{Chunk, Flushed, SendQueue, Spares};
use crate::slots::ConnectionKey;
use crate::websocket::{self, Decoder, Limits};

impl<N: Net, O: Copy + Default> Reactor<N, O> {
    /// Queues bytes for one connection; they go out with its next flush.
    pub(crate) fn queue(&mut self, key: ConnectionKey, chunk: Chunk) {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return };
        if matches!(connection.ending, Ending::Dead | Ending::Drain(_)) {
            return;
        }
        connection.queue.push(chunk, &mut self.spares);
        self.list_unflushed(key);
    }

    /// Lists a connection that has bytes queued, to be flushed at the end of the turn.
    pub(crate) fn list_unflushed(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return };
        if !connection.listed.unflushed && !connection.queue.is_empty() {
            connection.listed.unflushed = true;
            self.unflushed.push_back(key);
        }
    }

    /// Bytes queued for one connection.
    pub(crate) fn queued_bytes(&self, key: ConnectionKey) -> usize {
        self.connection(key).map_or(0, |connection| connection.queue.bytes())
    }

    /// What is left of the first thing queued for one connection.
    pub(crate) fn first_queued_bytes(&self, key: ConnectionKey) -> usize {
        self.connection(key).map_or(0, |connection| connection.queue.first_bytes())
    }

    pub(crate) fn has_unflushed(&self) -> bool {
        self.unflushed_len() > 0
    }

    /// How many connections have something queued, at most.
    pub(crate) fn unflushed_len(&self) -> usize {
        self.unflushed.len()
    }

    pub(crate) fn next_unflushed(&mut self) -> Option<ConnectionKey> {
        while let Some(key) = self.unflushed.pop_front() {
            if let Some(connection) = self.connections.get_mut(key.cast())
                && std::mem::take(&mut connection.listed.unflushed)
            {
                return Some(key);
            }
        }
        None
    }

    /// Writes what is queued for the connection and then the messages, in one call.
    pub(crate) fn flush<'m>(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        messages: impl Iterator<Item = &'m Rc<Message>> + Clone,
        form: Form,
    ) -> Flushed {
        let Some(connection) = self.connections.get_mut(key.cast()) else {
            return Flushed { lost: true, ..Flushed::default() };
        };
        connection.listed.unflushed = false;
        if matches!(connection.ending, Ending::Dead | Ending::Drain(_)) {
            return Flushed { lost: true, ..Flushed::default() };
        }
        if !connection.ready.writable {
            return Flushed { blocked: true, ..Flushed::default() };
        }
        let (net, stream, queue) = (&mut self.net, &mut connection.stream, &mut connection.queue);
        let mut ahead = messages.clone();
        let written = match (queue.is_empty(), ahead.next(), ahead.next()) {
            (true, None, _) => Ok(Flushed::default()),
            (true, Some(message), None) => {
                self.counters.writes += 1;
                write_one(net, stream, queue, message, form)
            }
            _ => {
                self.counters.writes += 1;
                write_many(net, stream, queue, messages, form, &mut self.joined, &mut self.spares)
            }
        };
        match written {
            // All went out and nothing hangs on it, as nearly always.
            Ok(flushed)
                if connection.queue.is_empty()
                    && !flushed.blocked
                    && !connection.listed.held
                    && connection.ending != Ending::Flush =>
            {
                self.counters.bytes_written += flushed.bytes as u64;
                flushed
            }
            written => self.after_flush(now, key, &written),
        }
    }

    fn after_flush(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        written: &io::Result<Flushed>,
    ) -> Flushed {
        let flushed = match written {
            Ok(flushed) if !flushed.blocked || self.await_writable(key) => *flushed,
            _ => return self.after_failure(key),
        };
        let Some(connection) = self.connections.get_mut(key.cast()) else {
            return Flushed { lost: true, ..Flushed::default() };
        };
        connection.ready.writable = !flushed.blocked;
        if flushed.blocked {
            self.counters.short_writes += 1;
        }
        self.counters.bytes_written += flushed.bytes as u64;
        let is_released = connection.listed.held && connection.queue.is_empty();
        connection.listed.held &= !is_released;
        if !connection.queue.is_empty() {
            if flushed.bytes > 0 {
                self.postpone_deadline(now, key);
            }
            // One call takes so many chunks; no event tells that the socket would take the rest.
            if !flushed.blocked {
                self.list_unflushed(key);
            }
        } else if connection.ending == Ending::Flush {
            self.end_output(now, key);
        }
        if is_released {
            self.list_ready(key);
        }
        flushed
    }

    /// Has the network tell when the socket has room again; whether it will.
    fn await_writable(&mut self, key: ConnectionKey) -> bool {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return false };
        if connection.interest == Interest::Readable
            && self.net.await_writable(&mut connection.stream, key.to_bits()).is_ok()
        {
            connection.interest = Interest::Both;
        }
        connection.interest == Interest::Both
    }

    fn after_failure(&mut self, key: ConnectionKey) -> Flushed {
        if let Some(connection) = self.connections.get_mut(key.cast()) {
            if connection.ending == Ending::Flush {
                self.destroy(key);
            } else {
                // Reading tells what happened, and to whom; it may hold the peer's last words.
                connection.ready.writable = false;
                (connection.ready.readable, connection.ready.hung_up) = (true, true);
                connection.queue = SendQueue::new();
                self.list_ready(key);
            }
        }
        Flushed { lost: true, ..Flushed::default() }
    }

    /// Gives a WebSocket that belongs to no session the time that a session has to take something
    /// of what is queued for it.
    pub(crate) fn watch_stall(&mut self, now: Duration, key: ConnectionKey) {
        let at = now.saturating_add(self.stall_time_max);
        if let Some(connection) = self.connection(key)
            && connection.ending == Ending::Open
            && connection.deadline.is_none()
        {
            self.set_deadline(key, Some(at));
        }
    }

    /// A download may take its time as long as the peer takes some of it.
    fn postpone_deadline(&mut self, now: Duration, key: ConnectionKey) {
        let Some(connection) = self.connection_mut(key) else { return };
        let period = match (connection.ending, connection.http().map(|http| http.stage)) {
            (Ending::Open, Some(Stage::Idle)) => self.http.keep_alive_timeout,
            (Ending::Flush, Some(_)) => self.config.close_timeout,
            (Ending::Open, None) if connection.deadline.is_some() => self.stall_time_max,
            _ => return,
        };
        self.set_deadline(key, Some(now.saturating_add(period)));
    }

    /// Answers the request at hand.
    pub(crate) fn respond(&mut self, now: Duration, key: ConnectionKey, response: Response) {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return };
        let has_kept = connection.kept.is_some();
        let Some(http) = connection.http() else { return };
        if !http.is_answering() {
            return;
        }
        // A body that was not let in is not read past: the connection ends behind the answer.
        if http.stage != Stage::Answering {
            http.answer.keep_alive = false;
        }
        http.request = None;
        let Answer { version, keep_alive, head_only } = http.answer;
        http.stage = Stage::Idle;
        let date = &self.date;
        let encode = Encode { version, keep_alive, head_only, date };
        if response.body().len() <= JOINED_BODY_BYTES_MAX {
            let bytes = response.encode(encode);
            self.queue(key, Chunk::from(bytes));
        } else {
            let (head, body) = response.into_parts(encode);
            self.queue(key, Chunk::from(head));
            self.queue(key, Chunk::Shared(Box::new(body)));
        }
        if keep_alive {
            self.set_deadline(key, Some(now.saturating_add(self.http.keep_alive_timeout)));
            if has_kept {
                self.list_ready(key);
            }
        } else {
            self.finish(now, key);
        }
    }

    /// Answers a request that could not be read, and ends the connection behind the answer.
    pub(super) fn refuse(&mut self, now: Duration, key: ConnectionKey, status: Status) {
        self.counters.refused_requests += 1;
        let Answer { version, head_only, .. } = Answer::default();
        let encode = Encode { version, keep_alive: false, head_only, date: &self.date };
        let bytes = Response::from(status).encode(encode);
        self.queue(key, Chunk::from(bytes));
        self.finish(now, key);
    }

    /// Turns the connection into a WebSocket: `head` is the answer 101. Its limits are the
    /// reactor's, but for the size of a message where one is given.
    pub(crate) fn upgrade(
        &mut self,
        key: ConnectionKey,
        head: Vec<u8>,
        message_bytes_max: Option<usize>,
    ) {
        self.queue(key, Chunk::from(head));
        self.set_deadline(key, None);
        let shared = self.websocket_limits;
        let own = message_bytes_max.map(|bytes| Limits { message_bytes_max: bytes, ..shared });
        let Some(connection) = self.connection_mut(key) else { return };
        connection.speaks = Speaks::WebSocket(Decoder::new(), own.map(Box::new));
        if connection.kept.is_some() {
            self.list_ready(key);
        }
    }

    /// Sends a close frame and awaits the peer's; what it sends in between is ignored.
    pub(crate) fn close_websocket(
        &mut self,
        now: Duration,
        key: ConnectionKey,
        code: Option<u16>,
        reason: &str,
    ) {
        if self.connection(key).is_none_or(|connection| connection.ending != Ending::Open) {
            return;
        }
        self.send_close_frame(key, code, reason);
        if let Some(connection) = self.connection_mut(key) {
            connection.ending = Ending::Handshake;
        }
        self.set_deadline(key, Some(now.saturating_add(self.config.close_timeout)));
    }

    pub(super) fn send_close_frame(&mut self, key: ConnectionKey, code: Option<u16>, reason: &str) {
        self.queue(key, Chunk::from(websocket::close_frame(code, reason)));
    }

    /// Ends the connection once everything queued has gone out.
    pub(crate) fn finish(&mut self, now: Duration, key: ConnectionKey) {
        let Some(connection) = self.connection_mut(key) else { return };
        if matches!(connection.ending, Ending::Dead | Ending::Drain(_) | Ending::Flush) {
            return;
        }
        connection.ending = Ending::Flush;
        connection.kept = None;
        if connection.queue.is_empty() {
            self.end_output(now, key);
        } else {
            self.set_deadline(key, Some(now.saturating_add(self.config.close_timeout)));
        }
    }

    /// Ends our direction; what the peer still sends is drained for a while.
    fn end_output(&mut self, now: Duration, key: ConnectionKey) {
        let Some(connection) = self.connections.get_mut(key.cast()) else { return };
        if self.net.shutdown(&mut connection.stream).is_err() {
            return self.destroy(key);
        }
        connection.ending = Ending::Drain(DRAINED_BYTES_MAX);
        self.set_deadline(key, Some(now.saturating_add(self.config.linger_timeout)));
        self.list_ready(key);
    }

    /// Ends the connection without another byte; it is freed at the end of the turn.
    pub(crate) fn destroy(&mut self, key: ConnectionKey) {
        let Some(connection) = self.connection_mut(key) else { return };
        if connection.ending != Ending::Dead {
            connection.ending = Ending::Dead;
            connection.queue = SendQueue::new();
            connection.kept = None;
            self.set_deadline(key, None);
            self.dead.push(key);
        }
    }

    /// As [`Reactor::destroy`], for a peer that is behind: what it has not taken is thrown away
    /// here and in the system, and it is told by a reset.
    pub(crate) fn abort(&mut self, key: ConnectionKey) {
        if let Some(connection) = self.connections.get_mut(key.cast())
            && connection.ending != Ending::Dead
        {
            self.net.discard(&mut connection.stream);
        }
        self.destroy(key);
    }

    /// Frees what has ended, once a turn: within the turn every key still finds its connection.
    pub(crate) fn reap(&mut self) {
        for index in 0..self.dead.len() {
            let key = self.dead[index];
            if let Some(connection) = self.connections.remove(key.cast()) {
                self.counters.closed += 1;
                self.net.close(connection.stream);
            }
        }
        if !self.dead.is_empty() {
            self.dead.clear();
            self.listeners.resume();
        }
    }

    /// Queues the replies to control frames.
    pub(super) fn queue_replies(&mut self, key: ConnectionKey) {
        if !self.replies.is_empty() {
            let replies = Chunk::from(self.replies.clone());
            self.replies.clear();
            self.queue(key, replies);
        }
    }
}

fn write<N: Net>(net: &mut N, stream: &mut N::Stream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    loop {
        match net.write(stream, slices) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            result => return result,
        }
    }
}

/// Writes a message for which nothing else has to wait.
fn write_one<N: Net>(
    net: &mut N,
    stream: &mut N::Stream,
    queue: &mut SendQueue,
    message: &Rc<Message>,
    form: Form,
) -> io::Result<Flushed> {
    let bytes = message.form(form);
    let written = write(net, stream, &[IoSlice::new(bytes)])?;
    let blocked = written < bytes.len();
    if blocked && written > 0 {
        queue.push_from(Chunk::Message(Rc::clone(message), form), written);
    }
    let taken = usize::from(written > 0 || bytes.is_empty());
    Ok(Flushed { taken, bytes: written, blocked, lost: false })
}

/// Joins what is queued and the messages into one write. Short ones are copied together, which
/// costs less than what the kernel asks for a vector of them.
fn write_many<'m, N: Net>(
    net: &mut N,
    stream: &mut N::Stream,
    queue: &mut SendQueue,
    messages: impl Iterator<Item = &'m Rc<Message>> + Clone,
    form: Form,
    joined: &mut Vec<u8>,
    spares: &mut Spares,
) -> io::Result<Flushed> {
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let mut filled = queue.gather(&mut slices);
    for (slice, message) in slices[filled..].iter_mut().zip(messages.clone()) {
        *slice = IoSlice::new(message.form(form));
        filled += 1;
    }
    let slices = &slices[..filled];
    let offered: usize = slices.iter().map(|slice| slice.len()).sum();
    let written = if offered <= COPIED_BYTES_MAX {
        joined.clear();
        for slice in slices {
            joined.extend_from_slice(slice);
        }
        write(net, stream, &[IoSlice::new(joined)])?
    } else {
        write(net, stream, slices)?
    };
    let mut beyond = queue.advance(written, spares);
    let mut taken = 0;
    for message in messages {
        let bytes = message.form(form).len();
        if beyond == 0 {
            break;
        }
        taken += 1;
        if beyond < bytes {
            queue.push_from(Chunk::Message(Rc::clone(message), form), beyond);
            break;
        }
        beyond -= bytes;
    }
    Ok(Flushed { taken, bytes: written, blocked: written < offered, lost: false })
}

/// Up to this size a body is copied behind its head; a larger one is queued as it is.
const JOINED_BODY_BYTES_MAX: usize = 4 * 1_024;
/// Up to this size together, chunks are copied for one plain write.
pub(super) const COPIED_BYTES_MAX: usize = 4 * 1_024;
/// How many chunks one write call joins.
const SLICES_MAX: usize = 64;
/// How much of what a peer still sends is read and thrown away before its connection is cut.
const DRAINED_BYTES_MAX: usize = 64 * 1_024 * 1_024;

//! Sources of the host's own in the server's reactor.
//!
//! What became ready is noted by source, each once, and told within the turn: so whatever its
//! handler does, no list grows and nobody who was taken off is told.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;

use super::Server;
use crate::reactor::net::{Net, Ready};
use crate::slots::{Slots, SourceKey};
use crate::socketio::Io;
use crate::source::{Interest, Readiness, SourceId};

/// All sources, and those of them that are to be told.
pub(super) struct Sources {
    entries: Slots<Entry>,
    ready: VecDeque<SourceKey>,
}

struct Entry {
    kind: Kind,
    /// What it has become since it was told of last; nothing if it is neither listed nor waits to
    /// be pulled.
    pending: Option<Readiness>,
}

enum Kind {
    /// The server has it, and a handler.
    Watched(Rc<dyn Watched>),
    /// The host has it, and pulls events under this word.
    Registered(u64),
}

/// A source and its handler, whatever their types.
trait Watched {
    fn descriptor(&self) -> BorrowedFd<'_>;
    fn tell(&self, io: Io<'_>, readiness: Readiness);
}

struct Source<S, F> {
    source: S,
    handler: F,
}

impl<S: AsFd, F: Fn(Io<'_>, &S, Readiness)> Watched for Source<S, F> {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    fn tell(&self, io: Io<'_>, readiness: Readiness) {
        (self.handler)(io, &self.source, readiness);
    }
}

/// How the host is told.
enum Told {
    Called(Rc<dyn Watched>, Readiness),
    Pulled(u64),
}

impl Default for Sources {
    fn default() -> Self {
        Self { entries: Slots::with_capacity(0), ready: VecDeque::new() }
    }
}

impl Sources {
    fn note(&mut self, event: Ready) {
        let Ready { token, readable, writable, closed } = event;
        let Some(key) = SourceKey::from_token(token) else { return };
        let Some(entry) = self.entries.get_mut(key.cast()) else { return };
        let readiness = Readiness { readable, writable, closed };
        match &mut entry.pending {
            Some(pending) => *pending = pending.union(readiness),
            pending => {
                *pending = Some(readiness);
                self.ready.push_back(key);
            }
        }
    }

    /// The next that is to be told. Of one that is pulled, what is pending stays until it is.
    fn next_ready(&mut self) -> Option<(SourceKey, Told)> {
        loop {
            let key = self.ready.pop_front()?;
            let Some(entry) = self.entries.get_mut(key.cast()) else { continue };
            match &entry.kind {
                Kind::Registered(token) => return Some((key, Told::Pulled(*token))),
                Kind::Watched(watched) => {
                    let watched = Rc::clone(watched);
                    if let Some(readiness) = entry.pending.take() {
                        return Some((key, Told::Called(watched, readiness)));
                    }
                }
            }
        }
    }

    /// What has become of a source that is pulled; nothing if it is gone.
    pub(super) fn take_pending(&mut self, source: SourceId) -> Option<Readiness> {
        self.entries.get_mut(source.0.cast())?.pending.take()
    }

    fn watched(&self, source: SourceId) -> Option<&Rc<dyn Watched>> {
        match &self.entries.get(source.0.cast())?.kind {
            Kind::Watched(watched) => Some(watched),
            Kind::Registered(_) => None,
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }
}

impl<N: Net> Server<N> {
    /// Watches a source of the host's own, in the same wait as the server's connections: its
    /// handler runs within [`Server::poll`], after what other threads have posted and before
    /// anything is read.
    ///
    /// Readiness is told once when it arises, as epoll does where it is edge-triggered: read or
    /// write until that would block. What is ready already is told in the next turn. The source
    /// is the server's until [`Server::unwatch`] or [`Io::unwatch`]; it must not block. A handler
    /// that panics costs the source its watch.
    ///
    /// Fails where epoll takes no such descriptor (that of a file, or one that it has already), and
    /// on a network that watches nothing else ([`Net::watch`]).
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use throng::Server;
    /// use throng::source::Interest;
    ///
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// let quotes = UdpSocket::bind("127.0.0.1:0")?;
    /// quotes.set_nonblocking(true)?;
    /// let address = quotes.local_addr()?;
    /// server.watch(quotes, Interest::READABLE, |io, quotes, _| {
    ///     let mut datagram = [0; 1500];
    ///     while let Ok(bytes) = quotes.recv(&mut datagram) {
    ///         io.emit("quote", &String::from_utf8_lossy(&datagram[..bytes]));
    ///     }
    /// })?;
    /// UdpSocket::bind("127.0.0.1:0")?.send_to(b"EUR 1.09", address)?;
    /// assert_eq!(server.poll(None)?.sources, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn watch<S: AsFd + 'static>(
        &mut self,
        source: S,
        interest: Interest,
        handler: impl Fn(Io<'_>, &S, Readiness) + 'static,
    ) -> io::Result<SourceId> {
        let watched = Rc::new(Source { source, handler });
        let key: SourceKey = self.sources.entries.vacant_key().cast();
        self.reactor.net_mut().watch(watched.descriptor(), key.to_token(), interest)?;
        self.sources.entries.insert(Entry { kind: Kind::Watched(watched), pending: None });
        Ok(SourceId(key))
    }

    /// Changes what a source is watched for, and has it tell anew what it is ready for; fails of
    /// one that isn't watched.
    pub fn set_interest(&mut self, source: SourceId, interest: Interest) -> io::Result<()> {
        let watched = self.sources.watched(source).ok_or(io::ErrorKind::NotFound)?;
        self.reactor.net_mut().rewatch(watched.descriptor(), source.0.to_token(), interest)
    }

    /// Takes a source off the reactor and drops it; `false` if it was watched no longer. It isn't
    /// told of again, not even what had come before.
    pub fn unwatch(&mut self, source: SourceId) -> bool {
        self.end_watch(source.0)
    }

    /// Watches a source that stays the host's, under a word of the host's: what it becomes is
    /// pulled as [`Event::Source`](crate::Event::Source) from [`Server::next_event`]. As with
    /// [`Server::watch`], readiness is told once when it arises; what arises before it is pulled
    /// is told with it.
    ///
    /// Take it off by [`Server::deregister`] before it is closed. Errors are those of
    /// [`Server::watch`].
    ///
    /// ```
    /// use std::net::UdpSocket;
    /// use throng::source::Interest;
    /// use throng::{Event, Server};
    ///
    /// const QUOTES: u64 = 1;
    /// let mut server = Server::builder().bind("127.0.0.1:0")?;
    /// let quotes = UdpSocket::bind("127.0.0.1:0")?;
    /// server.register(&quotes, QUOTES, Interest::READABLE)?;
    /// UdpSocket::bind("127.0.0.1:0")?.send_to(b"EUR 1.09", quotes.local_addr()?)?;
    /// server.poll(None)?;
    /// while let Some(event) = server.next_event() {
    ///     if let Event::Source { token: QUOTES, readiness, .. } = event {
    ///         assert!(readiness.readable);
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn register(
        &mut self,
        source: &impl AsFd,
        token: u64,
        interest: Interest,
    ) -> io::Result<SourceId> {
        let key: SourceKey = self.sources.entries.vacant_key().cast();
        self.reactor.net_mut().watch(source.as_fd(), key.to_token(), interest)?;
        self.sources.entries.insert(Entry { kind: Kind::Registered(token), pending: None });
        Ok(SourceId(key))
    }

    /// Changes what such a source is watched for, and has it tell anew what it is ready for; fails
    /// of one that isn't registered, or by another id.
    pub fn reregister(
        &mut self,
        source: &impl AsFd,
        id: SourceId,
        interest: Interest,
    ) -> io::Result<()> {
        self.check_registered(id)?;
        self.reactor.net_mut().rewatch(source.as_fd(), id.0.to_token(), interest)
    }

    /// Takes such a source off the reactor. It isn't told of again, not even what had come before.
    /// Fails as [`Server::reregister`] does; an id that was registered is forgotten then, too.
    pub fn deregister(&mut self, source: &impl AsFd, id: SourceId) -> io::Result<()> {
        self.check_registered(id)?;
        self.sources.entries.remove(id.0.cast());
        self.reactor.net_mut().unwatch(source.as_fd())
    }

    fn check_registered(&self, id: SourceId) -> io::Result<()> {
        match self.sources.entries.get(id.0.cast()).map(|entry| &entry.kind) {
            Some(Kind::Registered(_)) => Ok(()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn note_sources(&mut self) {
        while let Some(event) = self.reactor.next_foreign() {
            self.sources.note(event);
        }
    }

    /// Tells the host of those that were ready when this began.
    pub(super) fn run_sources(&mut self) {
        if self.is_backed_up() {
            return;
        }
        for _ in 0..self.sources.ready.len() {
            let Some((key, told)) = self.sources.next_ready() else { return };
            self.turn.sources += 1;
            match told {
                Told::Pulled(token) => self.hub.pull_source(SourceId(key), token),
                Told::Called(watched, readiness) => self.call_source(key, watched, readiness),
            }
            if self.turn_deliveries >= self.budget.deliveries_max || self.is_out_of_time() {
                return;
            }
        }
    }

    fn call_source(&mut self, key: SourceKey, watched: Rc<dyn Watched>, readiness: Readiness) {
        self.hub.state.borrow_mut().outboxes.begin_tick();
        let before = self.fanned_out();
        let told = self.hub.run_unbound(|| watched.tell(Io::new(&self.hub), readiness));
        self.count_fan_out(before);
        drop(watched);
        if !told {
            self.end_watch(key);
        }
        // It may have taken off the one that comes next.
        self.drain_outputs();
    }

    pub(super) fn end_watch(&mut self, key: SourceKey) -> bool {
        let Some(watched) = self.sources.watched(SourceId(key)) else { return false };
        // It may have gone by itself, where the host closed it by another name.
        let _ = self.reactor.net_mut().unwatch(watched.descriptor());
        let entry = self.sources.entries.remove(key.cast());
        // It is the host's, and so is what its end may run.
        self.hub.run_unbound(|| drop(entry));
        true
    }
}

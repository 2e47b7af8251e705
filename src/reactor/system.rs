//! [`Net`] on the operating system: mio's poll over TCP and Unix sockets, and over whatever else
//! the host has registered.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, event::Source};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::alarm::{Alarm, monotonic};
use super::net::{Accepted, Net, Ready};
use crate::config::ReactorConfig;
use crate::source;

/// The [`Net`] of this machine: epoll, TCP and Unix sockets. A [`Server`](crate::Server) has it
/// unless told otherwise.
///
/// ```
/// use throng::{Server, SystemNet};
///
/// let server: Server<SystemNet> = Server::builder().bind("127.0.0.1:0")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SystemNet {
    poll: Poll,
    events: Events,
    waker: Arc<SystemWaker>,
    /// Where timers are finer than what epoll waits in.
    alarm: Option<Alarm>,
    /// For how long a wait looks again before it sleeps.
    spin: Duration,
    options: SocketOptions,
}

/// What is set on every TCP socket.
#[derive(Clone, Copy, Debug)]
struct SocketOptions {
    nodelay: bool,
    send_buffer_bytes: Option<usize>,
    receive_buffer_bytes: Option<usize>,
}

/// A listening socket, TCP or Unix, of a [`SystemNet`].
#[derive(Debug)]
pub struct SystemListener(Listener);

#[derive(Debug)]
enum Listener {
    /// IPv4, IPv6, or both.
    Tcp(TcpListener),
    Unix(UnixSocket),
}

/// A Unix listener and its file, which is removed with it: closed, or dropped with its server.
#[derive(Debug)]
struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// A connected socket, TCP or Unix, of a [`SystemNet`].
#[derive(Debug)]
pub struct SystemStream(Stream);

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

#[derive(Debug)]
struct SystemWaker(mio::Waker);

impl Wake for SystemWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A write to an eventfd fails only when its counter is full: then a wake-up is due anyway.
        let _ = self.0.wake();
    }
}

impl SystemNet {
    pub(crate) fn new(config: &ReactorConfig) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(SystemWaker(mio::Waker::new(poll.registry(), WAKE_TOKEN)?));
        let alarm = if config.has_fine_timers() {
            Some(Alarm::new(poll.registry(), ALARM_TOKEN)?)
        } else {
            None
        };
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_MAX),
            waker,
            alarm,
            spin: config.spin,
            options: SocketOptions::of(config),
        })
    }

    /// Looks again and again, for as long as a wait may before it sleeps; whether it saw something.
    fn spin(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        let spin = timeout.map_or(self.spin, |timeout| timeout.min(self.spin));
        let until = monotonic().saturating_add(spin);
        loop {
            self.look(Some(Duration::ZERO))?;
            if !self.events.is_empty() {
                return Ok(true);
            }
            if monotonic() >= until {
                return Ok(false);
            }
        }
    }

    /// A look that may sleep.
    fn first_look(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            return self.look(timeout);
        }
        if !self.spin.is_zero() && self.spin(timeout)? {
            return Ok(());
        }
        if self.alarm.as_ref().is_some_and(Alarm::is_ahead) {
            return self.look(None);
        }
        self.look(timeout.map(|timeout| timeout.saturating_sub(self.spin)))
    }

    fn look(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }
}

impl SocketOptions {
    fn of(config: &ReactorConfig) -> Self {
        Self {
            nodelay: config.nodelay,
            send_buffer_bytes: config.send_buffer_bytes,
            receive_buffer_bytes: config.receive_buffer_bytes,
        }
    }

    fn set(self, socket: &Socket) -> io::Result<()> {
        if self.nodelay {
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(bytes) = self.send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }
}

impl SystemListener {
    /// Binds a TCP listener; port 0 lets the system choose.
    pub(crate) fn bind(address: SocketAddr, config: &ReactorConfig) -> io::Result<Self> {
        let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if let (SocketAddr::V6(_), Some(only)) = (address, config.only_v6) {
            socket.set_only_v6(only)?;
        }
        if INHERITS_OPTIONS {
            SocketOptions::of(config).set(&socket)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(config.backlog).unwrap_or(i32::MAX))?;
        Ok(Self(Listener::Tcp(TcpListener::from_std(socket.into()))))
    }

    /// Binds a Unix listener; the path must be free.
    pub(crate) fn bind_unix(path: PathBuf) -> io::Result<Self> {
        Ok(Self(Listener::Unix(UnixSocket { listener: UnixListener::bind(&path)?, path })))
    }

    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Listener::Tcp(listener) => listener.local_addr().ok(),
            Listener::Unix(_) => None,
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.0 {
            Listener::Tcp(listener) => listener,
            Listener::Unix(socket) => &mut socket.listener,
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl SystemStream {
    fn source(&mut self) -> &mut dyn Source {
        match &mut self.0 {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        }
    }
}

impl Net for SystemNet {
    type Listener = SystemListener;
    type Stream = SystemStream;

    fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> io::Result<()> {
        self.first_look(timeout)?;
        // Who waits for our descriptor and is told of edges only would never hear of what is left.
        for _ in 0..LOOKS_MAX {
            let mut seen = 0;
            for event in &self.events {
                seen += 1;
                if !is_own(event.token()) {
                    ready.push(Ready {
                        token: event.token().0 as u64,
                        readable: event.is_readable(),
                        writable: event.is_writable(),
                        closed: event.is_read_closed() || event.is_error(),
                    });
                }
            }
            if seen < EVENTS_MAX {
                break;
            }
            self.look(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn arm(&mut self, at: Option<Duration>) {
        if let Some(alarm) = &mut self.alarm {
            alarm.set(at);
        }
    }

    fn watch(
        &mut self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: source::Interest,
    ) -> io::Result<()> {
        let mut source = SourceFd(&source.as_raw_fd());
        self.poll.registry().register(&mut source, to_token(token), mio_interest(interest))
    }

    fn rewatch(
        &mut self,
        source: BorrowedFd<'_>,
        token: u64,
        interest: source::Interest,
    ) -> io::Result<()> {
        let mut source = SourceFd(&source.as_raw_fd());
        self.poll.registry().reregister(&mut source, to_token(token), mio_interest(interest))
    }

    fn unwatch(&mut self, source: BorrowedFd<'_>) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&source.as_raw_fd()))
    }

    fn listen(&mut self, listener: &mut SystemListener, token: u64) -> io::Result<()> {
        self.poll.registry().register(listener.source(), to_token(token), Interest::READABLE)
    }

    fn accept(&mut self, listener: &mut SystemListener) -> io::Result<Accepted<SystemStream>> {
        match &mut listener.0 {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                if !INHERITS_OPTIONS {
                    // A socket that the peer has reset already refuses options; reading will tell.
                    let _ = self.options.set(&SockRef::from(&stream));
                }
                Ok(Accepted { stream: SystemStream(Stream::Tcp(stream)), peer: Some(peer) })
            }
            Listener::Unix(socket) => {
                let (stream, _) = socket.listener.accept()?;
                Ok(Accepted { stream: SystemStream(Stream::Unix(stream)), peer: None })
            }
        }
    }

    fn register(&mut self, stream: &mut SystemStream, token: u64) -> io::Result<()> {
        self.poll.registry().register(stream.source(), to_token(token), Interest::READABLE)
    }

    fn await_writable(&mut self, stream: &mut SystemStream, token: u64) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().reregister(stream.source(), to_token(token), interest)
    }

    fn read(&mut self, stream: &mut SystemStream, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut stream.0 {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, stream: &mut SystemStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&mut stream.0, slices) {
            // One chunk goes out by send(2), which asks for no SIGPIPE and copies no vector.
            (Stream::Tcp(stream), [one]) => stream.write(one),
            (Stream::Tcp(stream), slices) => stream.write_vectored(slices),
            (Stream::Unix(stream), slices) => stream.write_vectored(slices),
        }
    }

    fn shutdown(&mut self, stream: &mut SystemStream) -> io::Result<()> {
        match &mut stream.0 {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn discard(&mut self, stream: &mut SystemStream) {
        // A Unix socket keeps nothing once both ends are closed.
        if let Stream::Tcp(stream) = &stream.0 {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }

    fn close(&mut self, stream: SystemStream) {
        // Closing the last descriptor takes it off the epoll set: no call of its own is needed.
        drop(stream);
    }

    fn close_listener(&mut self, mut listener: SystemListener) {
        let _ = self.poll.registry().deregister(listener.source());
    }

    fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.waker))
    }
}

impl AsRawFd for SystemNet {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}

impl AsFd for SystemNet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poll.registry().as_fd()
    }
}

fn to_token(token: u64) -> Token {
    Token(usize::try_from(token).unwrap_or(usize::MAX))
}

fn is_own(token: Token) -> bool {
    token == WAKE_TOKEN || token == ALARM_TOKEN
}

fn mio_interest(interest: source::Interest) -> Interest {
    match (interest.is_readable(), interest.is_writable()) {
        (true, true) => Interest::READABLE | Interest::WRITABLE,
        (_, true) => Interest::WRITABLE,
        _ => Interest::READABLE,
    }
}

/// Whether an accepted socket has the options of its listener: a call less for each connection.
const INHERITS_OPTIONS: bool = cfg!(any(target_os = "linux", target_os = "android"));
const WAKE_TOKEN: Token = Token(usize::MAX);
const ALARM_TOKEN: Token = Token(usize::MAX >> 1);
const EVENTS_MAX: usize = 1_024;
/// Beyond which readiness is left for the next wait, which finds it there.
const LOOKS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    /// A network, the server's end of one connection on it, and the client's.
    fn connect(config: &ReactorConfig) -> (SystemNet, SystemStream, std::net::TcpStream) {
        let mut net = SystemNet::new(config).unwrap();
        let mut listener = SystemListener::bind((Ipv4Addr::LOCALHOST, 0).into(), config).unwrap();
        net.listen(&mut listener, 1).unwrap();
        let client = std::net::TcpStream::connect(listener.local_address().unwrap()).unwrap();
        net.wait(&mut Vec::new(), None).unwrap();
        let stream = net.accept(&mut listener).unwrap().stream;
        (net, stream, client)
    }

    fn wait(net: &mut SystemNet) -> Vec<Ready> {
        let mut ready = Vec::new();
        net.wait(&mut ready, Some(Duration::ZERO)).unwrap();
        ready
    }

    #[test]
    fn accepted_sockets_have_the_options() {
        for nodelay in [true, false] {
            let config = ReactorConfig {
                nodelay,
                send_buffer_bytes: Some(100_000),
                receive_buffer_bytes: Some(50_000),
                ..ReactorConfig::default()
            };
            let (_net, stream, _client) = connect(&config);
            let Stream::Tcp(stream) = &stream.0 else { panic!("a TCP socket was accepted") };
            assert_eq!(stream.nodelay().unwrap(), nodelay);
            // Linux doubles what it is asked for, to have room for its own.
            assert_eq!(SockRef::from(stream).send_buffer_size().unwrap(), 200_000);
            assert_eq!(SockRef::from(stream).recv_buffer_size().unwrap(), 100_000);
        }
    }

    #[test]
    fn what_is_discarded_never_arrives() {
        let (mut net, mut stream, mut client) = connect(&ReactorConfig::default());
        net.register(&mut stream, 7).unwrap();
        let bytes = vec![0; 1 << 20];
        while net.write(&mut stream, &[IoSlice::new(&bytes)]).is_ok() {}
        net.discard(&mut stream);
        net.close(stream);
        let end = client.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
        assert_eq!(end, Err(io::ErrorKind::ConnectionReset));
    }

    #[test]
    fn room_is_told_of_once_it_is_awaited() {
        let (mut net, mut stream, mut client) = connect(&ReactorConfig::default());
        net.register(&mut stream, 7).unwrap();
        assert_eq!(wait(&mut net), []);
        let bytes = vec![0; 1 << 20];
        let mut written = 0;
        while let Ok(more) = net.write(&mut stream, &[IoSlice::new(&bytes)]) {
            written += more;
        }
        net.await_writable(&mut stream, 7).unwrap();
        assert_eq!(wait(&mut net), []);
        client.read_exact(&mut vec![0; written]).unwrap();
        let mut ready = Vec::new();
        net.wait(&mut ready, None).unwrap();
        assert_eq!(ready, [Ready { token: 7, writable: true, ..Ready::default() }]);
    }
}

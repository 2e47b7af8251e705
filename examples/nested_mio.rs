//! The server inside a mio loop of the host's own, beside a UDP socket of the host's whose
//! datagrams go to everybody.
//!
//!     cargo run --example nested_mio [ADDRESS [SECONDS]]
//!
//! A host that has no loop yet would rather let the server watch its socket: `Server::watch`.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::net::UdpSocket;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use throng::Server;

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let mut server = Server::builder().bind(&*address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    let mut news = UdpSocket::bind(([127, 0, 0, 1], 0).into())?;
    println!("listening on http://{}", server.local_addresses()[0]);
    println!("news by UDP to {}", news.local_addr()?);

    let mut poll = Poll::new()?;
    let mut events = Events::with_capacity(16);
    poll.registry().register(&mut SourceFd(&server.as_raw_fd()), SERVER, Interest::READABLE)?;
    poll.registry().register(&mut news, NEWS, Interest::READABLE)?;
    while !server.is_closed() {
        match poll.poll(&mut events, server.next_timeout()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        }
        if events.iter().any(|event| event.token() == NEWS) {
            let mut datagram = [0; 1_500];
            while let Ok(bytes) = news.recv(&mut datagram) {
                server.emit("news", &String::from_utf8_lossy(&datagram[..bytes]));
            }
        }
        // After every wait: it may have ended for a deadline, and the host has queued something.
        while server.poll(Some(Duration::ZERO))?.more {}
    }
    Ok(())
}

const SERVER: Token = Token(0);
const NEWS: Token = Token(1);

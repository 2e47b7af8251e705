//! The server inside an epoll loop of the host's own, beside a UDP socket of the host's whose
//! datagrams go to everybody.
//!
//!     cargo run --example nested_epoll [ADDRESS [SECONDS [edge]]]
//!
//! Level-triggered or, with `edge`, edge-triggered: both are the same to the server.

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use throng::Server;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:3000", String::as_str);
    let mut server = Server::builder().bind(address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.get(1).and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    let news = UdpSocket::bind("127.0.0.1:0")?;
    news.set_nonblocking(true)?;
    println!("listening on http://{}", server.local_addresses()[0]);
    println!("news by UDP to {}", news.local_addr()?);

    let edge = arguments.iter().any(|argument| argument == "edge");
    let mode = if edge { EventFlags::ET } else { EventFlags::empty() };
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &server, EventData::new_u64(SERVER), EventFlags::IN | mode)?;
    epoll::add(&epoll, &news, EventData::new_u64(NEWS), EventFlags::IN | mode)?;
    let mut events = Vec::with_capacity(16);
    while !server.is_closed() {
        let timeout = server.next_timeout().and_then(|timeout| Timespec::try_from(timeout).ok());
        match epoll::wait(&epoll, spare_capacity(&mut events), timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            result => drop(result?),
        }
        for event in events.drain(..) {
            if event.data.u64() == NEWS {
                let mut datagram = [0; 1_500];
                while let Ok(bytes) = news.recv(&mut datagram) {
                    server.emit("news", &String::from_utf8_lossy(&datagram[..bytes]));
                }
            }
        }
        // After every wait: it may have ended for a deadline, and the host has queued something.
        while server.poll(Some(Duration::ZERO))?.more {}
    }
    Ok(())
}

const SERVER: u64 = 0;
const NEWS: u64 = 1;

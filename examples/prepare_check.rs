//! The server inside a loop of three phases, as libuv and libev have them: prepare, wait,
//! check. Beside it a UDP socket of the host's whose datagrams go to everybody.
//!
//!     cargo run --example prepare_check [ADDRESS [SECONDS]]

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use throng::Server;

/// What hangs into the phases of such a loop.
struct Watcher {
    server: Server,
}

impl Watcher {
    /// Before the wait: what the host has queued goes out. How long the loop may wait.
    fn prepare(&mut self) -> Option<Duration> {
        self.server.flush();
        self.server.next_timeout()
    }

    /// After the wait, whether the descriptor is readable or not: a deadline may have come.
    fn check(&mut self) -> io::Result<()> {
        // One turn is bounded work; what is left makes the next time-out zero.
        self.server.poll(Some(Duration::ZERO)).map(drop)
    }
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let server = Server::builder().bind(&*address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    let news = UdpSocket::bind("127.0.0.1:0")?;
    news.set_nonblocking(true)?;
    println!("listening on http://{}", server.local_addresses()[0]);
    println!("news by UDP to {}", news.local_addr()?);

    let mut watcher = Watcher { server };
    while !watcher.server.is_closed() {
        let timeout = watcher.prepare().and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut descriptors =
            [PollFd::new(&watcher.server, PollFlags::IN), PollFd::new(&news, PollFlags::IN)];
        match poll(&mut descriptors, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            result => drop(result?),
        }
        let mut datagram = [0; 1_500];
        while let Ok(bytes) = news.recv(&mut datagram) {
            watcher.server.emit("news", &String::from_utf8_lossy(&datagram[..bytes]));
        }
        watcher.check()?;
    }
    Ok(())
}

//! The server inside calloop, the event loop of Wayland compositors, beside a UDP socket whose
//! datagrams go to everybody.
//!
//!     cargo run --example nested_calloop [ADDRESS [SECONDS]]

use std::error::Error;
use std::net::UdpSocket;
use std::time::Duration;

use calloop::generic::Generic;
use calloop::{EventLoop, Interest, Mode, PostAction};
use throng::Server;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let mut server = Server::builder().bind(&*address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    let news = UdpSocket::bind("127.0.0.1:0")?;
    news.set_nonblocking(true)?;
    println!("listening on http://{}", server.local_addresses()[0]);
    println!("news by UDP to {}", news.local_addr()?);

    let mut event_loop = EventLoop::<Server>::try_new()?;
    // The loop owns its sources; a second descriptor of the same epoll leaves the server to us.
    let readable = server_descriptor(&server)?;
    event_loop.handle().insert_source(readable, |_, _, _| Ok(PostAction::Continue))?;
    let news = Generic::new(news, Interest::READ, Mode::Level);
    event_loop.handle().insert_source(news, |_, news, server| {
        let mut datagram = [0; 1_500];
        while let Ok(bytes) = news.recv(&mut datagram) {
            server.emit("news", &String::from_utf8_lossy(&datagram[..bytes]));
        }
        Ok(PostAction::Continue)
    })?;
    while !server.is_closed() {
        event_loop.dispatch(server.next_timeout(), &mut server)?;
        // After every wait: it may have ended for a deadline, and the host has queued something.
        while server.poll(Some(Duration::ZERO))?.more {}
    }
    Ok(())
}

fn server_descriptor(server: &Server) -> std::io::Result<Generic<std::os::fd::OwnedFd>> {
    use std::os::fd::AsFd;

    let descriptor = server.as_fd().try_clone_to_owned()?;
    Ok(Generic::new(descriptor, Interest::READ, Mode::Level))
}

//! The server inside a task of tokio, beside a UDP socket of tokio's whose datagrams go to
//! everybody.
//!
//!     cargo run --example nested_tokio [ADDRESS [SECONDS]]
//!
//! The server stays on its thread: a runtime of one thread, or a `LocalSet`.

use std::future::pending;
use std::io;
use std::time::Duration;

use throng::Server;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UdpSocket;
use tokio::time::sleep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let server = Server::builder().bind(&*address)?;
    server.of("/").on_with_ack("add", |_, (a, b): (i64, i64)| a + b);
    if let Some(seconds) = arguments.next().and_then(|seconds| seconds.parse().ok()) {
        server.io().after(Duration::from_secs(seconds), |io| io.close());
    }
    let news = UdpSocket::bind("127.0.0.1:0").await?;
    println!("listening on http://{}", server.local_addresses()[0]);
    println!("news by UDP to {}", news.local_addr()?);

    #[expect(deprecated, reason = "its successor is unsafe; the server's descriptor is its own")]
    let mut server = AsyncFd::with_interest(server, Interest::READABLE)?;
    let mut datagram = [0; 1_500];
    while !server.get_ref().is_closed() {
        let timeout = server.get_ref().next_timeout();
        let deadline = async {
            match timeout {
                Some(timeout) => sleep(timeout).await,
                None => pending().await,
            }
        };
        tokio::select! {
            // Cleared before the poll that follows, so that no edge is lost.
            readable = server.readable() => readable?.clear_ready(),
            () = deadline => {}
            received = news.recv(&mut datagram) => {
                let text = String::from_utf8_lossy(&datagram[..received?]);
                server.get_ref().emit("news", &text);
            }
        }
        while server.get_mut().poll(Some(Duration::ZERO))?.more {
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}

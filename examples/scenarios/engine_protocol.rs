//! `engine-protocol`: bare Engine.IO that sends each message back as it came. The same is
//! `engine-protocol-v3`, where clients of EIO 3 get in as well.
//!
//! It is no Socket.IO server, and sends nothing unasked:
//!
//! ```text
//! > 4hello         < 4hello
//! > 01 02 03       < 01 02 03
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use throng::config::Cors;
use throng::{Server, SessionMessage};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    bind_for(address, false)
}

pub(crate) fn bind_v3(address: SocketAddr) -> io::Result<Server> {
    bind_for(address, true)
}

fn bind_for(address: SocketAddr, allow_eio3: bool) -> io::Result<Server> {
    let server = Server::builder()
        .path("/engine.io")
        .allow_eio3(allow_eio3)
        .ping_interval(Duration::from_millis(300))
        .ping_timeout(Duration::from_millis(200))
        .payload_bytes_max(1_000_000)
        .cors(Cors::default())
        .bind(address)?;
    server.engine().on_message(|session, message| {
        match message {
            SessionMessage::Text { text, .. } => session.send_text(text),
            SessionMessage::Binary { bytes, .. } => session.send_binary(bytes),
        };
    });
    Ok(server)
}

//! `ws-echo`: a raw WebSocket on any path, which sends each message of up to 16 MiB back.
//!
//! There is no Engine.IO in it; the frames are those of the client, unmasked:
//!
//! ```text
//! > 81 82 37 fa 21 3d 5f 93    < 81 02 68 69
//! ```

use std::io;
use std::net::SocketAddr;

use throng::config::Transports;
use throng::{Server, WebSocketEvent};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let server = Server::builder().transports(Transports::None).bind(address)?;
    server.websocket("*", MESSAGE_BYTES_MAX, |socket, event| match event {
        WebSocketEvent::Text(text) => socket.send_text(text),
        WebSocketEvent::Binary(bytes) => socket.send_binary(bytes),
        _ => {}
    });
    Ok(server)
}

const MESSAGE_BYTES_MAX: usize = 16 * 1_024 * 1_024;

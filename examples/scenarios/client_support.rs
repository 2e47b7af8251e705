//! `client-support`: the Socket.IO server for the tests of socket.io-client.
//!
//! Clients that come back within two minutes get their sockets back, and what they missed.
//!
//! ```text
//! > 42["hi"]        < 42["hi"]
//! > 420["echo",5]   < 430[5]
//! ```

mod binary;
mod data;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use throng::config::{Config, RecoveryConfig};
use throng::http::Request;
use throng::{Decision, Io, Refusal, Server};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let mut config = Config::default();
    config.engine.ping_interval = Duration::from_secs(2);
    config.socket.recovery = Some(RecoveryConfig::default());
    let mut server = Server::builder().config(config).bind(address)?;
    server.allow_request(admit_later);
    declare_namespaces(&server);
    data::declare(server.of("/"));
    binary::declare(server.of("/"));
    Ok(server)
}

/// Clients with a connection time-out of nothing count on the server taking its time.
fn admit_later(io: Io<'_>, _: &Request, decision: Decision) {
    io.after(ADMISSION_DELAY, |_| decision.allow());
}

fn declare_namespaces(server: &Server) {
    server.of("/").middleware(|socket| match socket.handshake().query("fail") {
        Some(fail) if !fail.is_empty() => Err(Refusal::new("Auth failed (main namespace)")),
        _ => Ok(()),
    });
    server.of("/foo").on_with_ack("getId", |socket, (): ()| socket.id());
    server.of("/abc").on_connect(|socket| {
        socket.emit("handshake", &socket.handshake());
    });
    server.of("/no").middleware(|_| Err(Refusal::new("Auth failed (custom namespace)")));
    for name in ["/timeout_socket", "/valid", "/asd"] {
        server.of(name);
    }
}

const ADMISSION_DELAY: Duration = Duration::from_millis(10);

//! `smoke`: one app that uses nearly everything, with short times and small sizes.
//!
//! `smoke-recovery` keeps what clients miss while they are away, and `smoke-msgpack` speaks to
//! clients that have the same parser.
//!
//! ```text
//! > 40                 < 40{"sid":"..."}
//!                      < 42["welcome",{"id":"...","auth":{},"recovered":false}]
//! > 420["echo",1,2]    < 430[1,2]
//! ```

mod binary;
mod echo;
mod forwarded;
mod heard;
mod http;
mod namespaces;
mod report;
mod rooms;
mod store;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use throng::config::{Config, Cors, CorsOrigin, RecoveryConfig};
use throng::{DisconnectReason, MsgpackParser, Server, Socket};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    declare(Server::builder().config(config()).bind(address)?)
}

pub(crate) fn bind_with_recovery(address: SocketAddr) -> io::Result<Server> {
    let mut recovery = RecoveryConfig::default();
    recovery.max_disconnection_duration = Duration::from_secs(2);
    let mut config = config();
    config.socket.recovery = Some(recovery);
    declare(Server::builder().config(config).bind(address)?)
}

pub(crate) fn bind_with_msgpack(address: SocketAddr) -> io::Result<Server> {
    declare(Server::builder().config(config()).parser(MsgpackParser).bind(address)?)
}

fn declare(server: Server) -> io::Result<Server> {
    let main = server.of("/").on_connect(welcome).on_disconnecting(tell_observers);
    heard::declare(main);
    echo::declare(main);
    rooms::declare(main);
    store::declare(main);
    binary::declare(main);
    report::declare(main);
    namespaces::declare(&server).map_err(io::Error::other)?;
    http::declare(&server);
    Ok(server)
}

fn config() -> Config {
    let mut cors = Cors::default();
    cors.origin = CorsOrigin::One("http://conf.test".to_owned());
    cors.credentials = true;
    let mut config = Config::default();
    config.engine.ping_interval = Duration::from_secs(1);
    config.engine.ping_timeout = Duration::from_millis(1_500);
    config.engine.upgrade_timeout = Duration::from_secs(1);
    config.engine.payload_bytes_max = 100_000;
    config.engine.allow_eio3 = true;
    config.engine.cors = Some(cors);
    config.socket.connect_timeout = Duration::from_secs(1);
    config
}

fn welcome(socket: Socket<'_>) {
    let auth: Value = socket.handshake().auth().unwrap_or_else(|| json!({}));
    let recovered = socket.recovered();
    socket.emit("welcome", &json!({ "id": socket.id(), "auth": auth, "recovered": recovered }));
}

fn tell_observers(socket: Socket<'_>, reason: DisconnectReason) {
    let left = json!({
        "id": socket.id(),
        "reason": reason.as_str(),
        "rooms": rooms::sorted(socket),
    });
    socket.to("observers").emit("left", &left);
}

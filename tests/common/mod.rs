//! The vocabulary that the wire suites share: a server in a thread, and clients that speak bytes.
//!
//! A client here is no Socket.IO client: it sends what it is told, right or wrong, and shows what
//! comes back. Every read has a time limit, so that a silent server is a failure and not a hang.
//!
//! ```text
//! > GET /socket.io/?EIO=4&transport=polling HTTP/1.1
//! < HTTP/1.1 200 OK
//! ```

#![allow(dead_code, reason = "each suite uses its own part of the vocabulary")]
#![allow(unused_imports, reason = "each suite uses its own part of the vocabulary")]

mod example;
mod http;
mod poller;
mod running;
mod socket;
mod wire;

pub(crate) use example::{Example, examples};
pub(crate) use http::Response;
pub(crate) use poller::{Poller, engine_get, handshake_polling, upgrade_head};
pub(crate) use running::{Log, Running, declare_echo, log, serve, serve_by, serve_with};
pub(crate) use socket::{Frame, WebSocket, masked_frame};
pub(crate) use wire::Wire;

use std::time::Duration;

/// How long anything may take that is about to happen.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// How long nothing must happen for it to count as nothing.
pub(crate) const SILENCE: Duration = Duration::from_millis(150);

/// The value of a string in flat JSON, where no quote is escaped: enough for ids.
pub(crate) fn json_string<'a>(json: &'a str, key: &str) -> &'a str {
    let start = format!("\"{key}\":\"");
    let from = json.find(&start).unwrap_or_else(|| panic!("no {key} in {json:?}")) + start.len();
    let rest = &json[from..];
    &rest[..rest.find('"').unwrap()]
}

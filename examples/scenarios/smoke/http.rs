//! The plain HTTP beside Socket.IO.
//!
//! ```text
//! > GET /stats    < {"sessions":2,"sockets":1}
//! ```

use serde_json::json;
use throng::Server;
use throng::http::{Folder, Response};

pub(crate) fn declare(server: &Server) {
    server
        .http()
        .get("/healthz", |_, _| Response::ok().text("ok"))
        .get("/stats", |io, _| {
            let (sessions, sockets) = (io.sessions_len(), io.of("/").sockets_len());
            Response::ok().json(&json!({ "sessions": sessions, "sockets": sockets }))
        })
        .folder("/static", Folder::new(FILES));
}

/// Beside this folder lies a file that nobody may get.
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/scenarios/files/public");

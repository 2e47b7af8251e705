//! `engine-client-support`: bare Engine.IO for the tests of engine.io-client.
//!
//! It says `hi` first and sends messages back, but for three texts that ask for something:
//!
//! ```text
//! < 4hi
//! > 4give binary   < 00 01 02 03 04
//! > 4anything      < 4anything
//! ```

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use throng::config::Config;
use throng::http::{Request, Response};
use throng::{Decision, Io, Server, Session, SessionMessage};

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let mut config = Config::default();
    config.engine.large_body_ends_session = true;
    let mut server = Server::builder()
        .config(config)
        .path("/engine.io")
        .ping_interval(Duration::from_millis(500))
        .payload_bytes_max(100)
        .bind(address)?;
    server.allow_request(give_cookies);
    server
        .engine()
        .middleware(deny)
        .on_open(|session, _| {
            session.send_text("hi");
        })
        .on_message(|session, message| match message {
            SessionMessage::Text { text, request } => answer(session, text, request),
            SessionMessage::Binary { bytes, .. } => {
                session.send_binary(bytes);
            }
        });
    Ok(server)
}

/// Whoever asks to be denied is, as a middleware since an upgrade that the server itself refuses is
/// answered 400, as by the reference.
fn deny(_: Io<'_>, request: &Request) -> Result<(), Response> {
    let opens = request.query_param("sid").is_none();
    if opens && request.query_param("deny").is_some() {
        return Err(Response::new(403).json(&json!({ "code": 4, "message": "Forbidden" })));
    }
    Ok(())
}

/// Everybody gets cookies, of which two expire at once.
fn give_cookies(io: Io<'_>, _: &Request, decision: Decision) {
    let now = httpdate::fmt_http_date(UNIX_EPOCH + io.now().wall);
    decision
        .header("Set-Cookie", "1=1; Max-Age=86400")
        .header("Set-Cookie", "2=2; Path=/; HttpOnly; Secure; SameSite=Strict")
        .header("Set-Cookie", "3=3; Max-Age=0")
        .header("Set-Cookie", &format!("4=4; Expires={now}"))
        .allow();
}

fn answer(session: Session<'_>, text: &str, request: Option<&Request>) {
    match text {
        "give binary" => session.send_binary(&[0, 1, 2, 3, 4]),
        "give utf8" => session.send_text("пойду спать всем спокойной ночи"),
        "sendHeaders" => session.send_text(&headers_json(request)),
        _ => session.send_text(text),
    };
}

/// The headers of the POST that carried the message, as a JSON object.
fn headers_json(request: Option<&Request>) -> String {
    let headers: BTreeMap<_, _> = request.into_iter().flat_map(Request::headers).collect();
    json!(headers).to_string()
}

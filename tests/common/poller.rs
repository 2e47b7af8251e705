//! A session over long-polling: one connection for GETs, one for POSTs, both kept alive.

use super::{Response, Running, Wire, json_string};

/// A polling session.
pub(crate) struct Poller<'s> {
    pub(crate) server: &'s Running,
    pub(crate) sid: String,
    pub(crate) getter: Wire,
    pub(crate) poster: Wire,
}

/// Opens a session by polling.
pub(crate) fn handshake_polling(server: &Running) -> Poller<'_> {
    let mut getter = Wire::connect(server);
    let response = getter.ask(engine_get("transport=polling"));
    assert_eq!(response.status, 200, "{response:?}");
    let sid = json_string(response.text(), "sid").to_owned();
    Poller { server, sid, getter, poster: Wire::connect(server) }
}

/// A GET of Engine.IO with this query besides the protocol.
pub(crate) fn engine_get(query: &str) -> String {
    format!("GET /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: test\r\n\r\n")
}

/// The head of an upgrade request, with further header lines (each with its end).
pub(crate) fn upgrade_head(target: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

impl Poller<'_> {
    /// The query of this session's requests.
    pub(crate) fn query(&self) -> String {
        format!("transport=polling&sid={}", self.sid)
    }

    /// The target of this session's WebSocket.
    pub(crate) fn websocket_target(&self) -> String {
        format!("/socket.io/?EIO=4&transport=websocket&sid={}", self.sid)
    }

    /// Sends a GET without waiting for its answer.
    pub(crate) fn send_get(&mut self) {
        let request = engine_get(&self.query());
        self.getter.send(request);
    }

    /// Sends a GET; gives the body of its answer.
    pub(crate) fn poll(&mut self) -> String {
        self.send_get();
        self.polled()
    }

    /// The body of the answer to a GET sent before.
    pub(crate) fn polled(&mut self) -> String {
        let response = self.getter.response();
        assert_eq!(response.status, 200, "{response:?}");
        response.text().to_owned()
    }

    /// Sends a GET and makes sure it is held.
    pub(crate) fn park(&mut self) {
        self.send_get();
        self.getter.expect_silence();
    }

    /// The bytes of a POST with this body.
    pub(crate) fn post_bytes(&self, body: impl AsRef<[u8]>) -> Vec<u8> {
        self.post_bytes_as("text/plain;charset=UTF-8", body)
    }

    pub(crate) fn post_bytes_as(&self, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
        let (query, body) = (self.query(), body.as_ref());
        let mut bytes = format!(
            "POST /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: test\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    /// Sends a POST and reads its answer, whatever it is.
    pub(crate) fn post_for(&mut self, body: impl AsRef<[u8]>) -> Response {
        let bytes = self.post_bytes(body);
        self.poster.ask(bytes)
    }

    /// Sends a POST that is answered `ok`.
    pub(crate) fn post(&mut self, body: impl AsRef<[u8]>) {
        self.post_for(body).expect(200, "ok");
    }

    /// Joins `/`; gives the id of the socket.
    pub(crate) fn join(&mut self) -> String {
        self.post("40");
        let reply = self.poll();
        assert!(reply.starts_with("40{\"sid\":\""), "{reply:?}");
        json_string(&reply, "sid").to_owned()
    }

    /// The next request learns that the session is gone.
    pub(crate) fn expect_gone(&mut self) {
        let mut wire = Wire::connect(self.server);
        wire.ask(engine_get(&self.query())).expect_code(400, 1, "Session ID unknown");
    }
}

//! Between the 101 of a client of EIO 3 and its open packet lies a moment.
//!
//! Such clients begin to listen once they have heard that they are connected. An open packet that
//! comes in one segment with the 101 finds nobody; the reference takes long enough to write it.
//!
//! ```text
//! < HTTP/1.1 101 Switching Protocols    (a moment)    < 0{"sid":"..."}
//! ```

use std::time::Duration;

use super::{Owner, Server};
use crate::engineio::Sid;
use crate::http::Request;
use crate::message::Form;
use crate::reactor::Lost;
use crate::reactor::net::Net;
use crate::slots::ConnectionKey;
use crate::socketio::Timer;

/// A client whose 101 is written and whose session is not open so far.
#[derive(Debug)]
pub(super) struct Greeting {
    request: Request,
    form: Form,
    sid: Option<Sid>,
}

impl<N: Net> Server<N> {
    /// Opens the session on this connection in a moment.
    pub(super) fn greet_soon(
        &mut self,
        key: ConnectionKey,
        request: Request,
        form: Form,
        sid: Option<Sid>,
    ) {
        self.reactor.set_owner(key, Owner::Greeting);
        self.greetings.insert(key, Greeting { request, form, sid });
        let at = self.now.monotonic.saturating_add(MOMENT);
        let state = &mut *self.hub.state.borrow_mut();
        // After its 101 it can't be told any more that there are too many.
        state.engine.reserve();
        state.timers.schedule(at, Timer::Greeting(key));
    }

    /// The moment is over.
    pub(super) fn greet(&mut self, key: ConnectionKey) {
        if let Some(Greeting { request, form, sid }) = self.greetings.remove(&key) {
            {
                let engine = &mut self.hub.state.borrow_mut().engine;
                engine.release();
                engine.offer_sid(sid);
            }
            self.open_websocket(key, request, form);
        }
    }

    /// Whether a session that opens in a moment has this id.
    pub(super) fn is_greeted_as(&self, sid: Sid) -> bool {
        self.greetings.values().any(|greeting| greeting.sid == Some(sid))
    }

    /// The client has gone before.
    pub(super) fn forget_greeting(&mut self, key: ConnectionKey, lost: Lost) {
        if self.greetings.remove(&key).is_some() {
            self.hub.state.borrow_mut().engine.release();
        }
        if let Lost::Failure(failure) = lost {
            let code = failure.close_code();
            self.reactor.close_websocket(self.now.monotonic, key, Some(code), "");
        }
    }

    /// The server closes: nobody gets in any more.
    pub(super) fn refuse_greetings(&mut self) {
        let mut keys: Vec<_> = self.greetings.drain().map(|(key, _)| key).collect();
        keys.sort_unstable();
        for key in keys {
            self.hub.state.borrow_mut().engine.release();
            self.reactor.set_owner(key, Owner::Nobody);
            self.reactor.close_websocket(self.now.monotonic, key, None, "");
        }
    }
}

/// Longer than a client takes to wake up for the 101.
const MOMENT: Duration = Duration::from_millis(2);

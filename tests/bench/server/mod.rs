//! A Socket.IO server with known behaviour: it speaks just enough for a load generator, to clients
//! of either version and on a bare WebSocket, does what a [`Script`] says wrong, and tells what it
//! did.
//!
//! It is no server to serve with: one thread, a few hundred clients.
//!
//! ```text
//! let server = ScriptedServer::start(Script::new().at(250, Deed::Drop));
//! .. throng bench broadcast {server.url()} ..
//! let record = server.stop();
//! ```

mod connection;
mod deliveries;
mod engine;
mod message;
mod packet;
mod protocol;
mod record;
mod script;
mod session;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Waker;

pub(crate) use record::Record;
pub(crate) use script::{Deed, Ending, Refusal, Script};

use engine::Engine;

/// A running server.
pub(crate) struct ScriptedServer {
    address: SocketAddr,
    waker: Arc<Waker>,
    events: Receiver<()>,
    thread: Option<JoinHandle<Record>>,
}

impl ScriptedServer {
    pub(crate) fn start(script: Script) -> Self {
        let (tell, events) = channel();
        let engine = Engine::bind(script, tell);
        let (address, waker) = (engine.address(), engine.waker());
        let thread = std::thread::spawn(move || engine.run());
        Self { address, waker, events, thread: Some(thread) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until so many more events have come.
    pub(crate) fn wait_for_events(&self, count: usize) {
        for _ in 0..count {
            self.events.recv_timeout(EVENT_TIME_MAX).expect("the generator sends");
        }
    }

    /// Ends it; gives what it did.
    pub(crate) fn stop(mut self) -> Record {
        self.waker.wake().unwrap();
        self.thread.take().unwrap().join().expect("the scripted server understood its clients")
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = self.waker.wake();
            let _ = thread.join();
        }
    }
}

/// The longest that a run takes to begin.
const EVENT_TIME_MAX: Duration = Duration::from_secs(30);

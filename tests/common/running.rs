//! A server that runs in a thread of the test, on a port of its own.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use throng::config::Config;
use throng::{Handle, Io, Server};

use super::SOON;

/// A running server; dropping it closes it and waits for its thread.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    thread: Option<JoinHandle<()>>,
}

/// What handlers tell the test, in order.
pub(crate) struct Log {
    told: Receiver<String>,
}

/// A server with the default configuration.
pub(crate) fn serve(declare: impl FnOnce(&mut Server) + Send + 'static) -> Running {
    serve_with(|_| {}, declare)
}

/// A server whose configuration is changed first. Both closures run in the server's thread: a
/// server isn't `Send`, and need not be.
pub(crate) fn serve_with(
    configure: impl FnOnce(&mut Config) + Send + 'static,
    declare: impl FnOnce(&mut Server) + Send + 'static,
) -> Running {
    serve_by(configure, |mut server, ready| {
        declare(&mut server);
        ready(&server);
        server.run().unwrap();
    })
}

/// A server in a loop of the test's own: `drive` runs it to its end, and says when it is ready.
pub(crate) fn serve_by(
    configure: impl FnOnce(&mut Config) + Send + 'static,
    drive: impl FnOnce(Server, &dyn Fn(&Server)) + Send + 'static,
) -> Running {
    let (tell, told) = channel();
    let thread = std::thread::spawn(move || {
        let mut config = Config::default();
        config.reactor.connections_max = Some(512);
        configure(&mut config);
        let server = Server::builder().config(config).bind("127.0.0.1:0").unwrap();
        drive(server, &|server| {
            tell.send((server.local_addresses()[0], server.handle())).unwrap();
        });
    });
    let (address, handle) = told.recv_timeout(SOON).unwrap();
    Running { address, handle, thread: Some(thread) }
}

/// A log, and its writing end for handlers.
pub(crate) fn log() -> (Sender<String>, Log) {
    let (sender, told) = channel();
    (sender, Log { told })
}

impl Running {
    /// Runs a closure in the server's loop and waits for what it gives.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Io<'_>) -> T + Send + 'static,
    ) -> T {
        let (answer, answered) = channel();
        self.handle.post(move |io| answer.send(question(io)).unwrap()).unwrap();
        answered.recv_timeout(SOON).expect("the server's loop answers")
    }

    /// Asks until the answer is yes.
    pub(crate) fn wait_until(&self, question: impl Fn(Io<'_>) -> bool + Clone + Send + 'static) {
        let started = Instant::now();
        while !self.ask(question.clone()) {
            assert!(started.elapsed() < SOON, "it never came to be");
            std::thread::yield_now();
        }
    }

    /// Waits until this many sessions are open.
    pub(crate) fn wait_for_sessions(&self, count: usize) {
        self.wait_until(move |io| io.sessions_len() == count);
    }

    /// The server must have been closed by then.
    pub(crate) fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.handle.post(|io| io.close());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server's thread panicked");
        }
    }
}

impl Log {
    /// The next line.
    pub(crate) fn next(&self) -> String {
        self.told.recv_timeout(SOON).expect("a handler tells something")
    }

    /// The next lines.
    pub(crate) fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.next(), *line);
        }
    }

    /// What has been told by now.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.told.try_iter().collect()
    }
}

/// An application that echoes `echo`, and tells the reason of each disconnect.
pub(crate) fn declare_echo(server: &Server, tell: std::sync::mpsc::Sender<String>) {
    server
        .of("/")
        .on_raw("echo", |socket, args, _| {
            socket.emit("echo", args);
        })
        .on_disconnect(move |_, reason| tell.send(reason.to_string()).unwrap());
}

//! `cluster`: two servers in one process, each in a thread and on a port of its own, that are one
//! to their clients: whoever is said something hears it, whichever server it came in by.
//!
//! ```text
//! The other listens on http://127.0.0.1:3001
//! Listening on http://127.0.0.1:3000
//! ```

mod adapter;
mod passed;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use throng::{Handle, Namespace, Server};

use adapter::{PassingAdapter, Peer};

/// Binds the first, which is to be run by the caller, and starts the other.
pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let (first, second) = (Peer::default(), Peer::default());
    let server = bind_member(address, &second)?;
    // A peer is set once, before any client can be there.
    let _ = first.set(server.handle());
    let (other, handle) = start_other(first)?;
    let _ = second.set(handle);
    println!("The other listens on http://{other}");
    Ok(server)
}

/// A server stays in the thread that makes it, so it is made there, and tells where it listens.
fn start_other(first: Peer) -> io::Result<(SocketAddr, Handle)> {
    let (tell, told) = channel();
    thread::spawn(move || {
        let mut server = match bind_member((Ipv4Addr::LOCALHOST, 0).into(), &first) {
            Ok(server) => server,
            Err(error) => return drop(tell.send(Err(error))),
        };
        let _ = tell.send(Ok((server.local_addresses()[0], server.handle())));
        if let Err(error) = server.run() {
            eprintln!("the other: {error}");
        }
    });
    told.recv().map_err(io::Error::other)?
}

fn bind_member(address: SocketAddr, other: &Peer) -> io::Result<Server> {
    let other = Peer::clone(other);
    let server = Server::builder()
        .adapter(move |_| Box::new(PassingAdapter::new(Peer::clone(&other))))
        .bind(address)?;
    declare(server.of("/"));
    Ok(server)
}

fn declare(namespace: Namespace<'_>) {
    namespace
        .on_with_ack("join", |socket, room: String| {
            socket.join(&room);
            true
        })
        .on_raw("shout", |socket, args, _| {
            socket.broadcast().emit("shouted", args);
        })
        .on_raw("say", |socket, args, _| {
            if let Ok(room) = args.get::<String>(0) {
                socket.namespace().to(&room).except("deaf").emit("said", args.skip(1));
            }
        })
        .on_raw("mutter", |socket, args, _| {
            socket.local().emit("muttered", args);
        })
        .on("gather", |socket, (from, to): (String, String)| {
            socket.namespace().to(&from).sockets_join(&to);
        })
        .on("scatter", |socket, (from, to): (String, String)| {
            socket.namespace().to(&from).sockets_leave(&to);
        })
        .on("dismiss", |socket, room: String| socket.namespace().to(&room).disconnect_sockets())
        .on_raw("vote", |socket, args, ack| {
            let (Ok(room), Some(ack)) = (args.get::<String>(0), ack) else { return };
            let jury = socket.namespace().to(&room).timeout(VOTE_TIMEOUT);
            jury.emit_with_ack::<Value>("vote?", (), |_, answers| {
                let mut votes = answers.values;
                votes.sort_by_key(Value::to_string);
                ack.send((&votes, &answers.timed_out));
            });
        })
        .on("note", |socket, text: String| socket.namespace().server_side_emit("note", &text))
        .on_server_side("note", |namespace, text: String| {
            namespace.local().emit("noted", &text);
        });
}

const VOTE_TIMEOUT: Duration = Duration::from_millis(500);

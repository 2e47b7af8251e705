//! What the program serves: a chat page, and the events that load tools use.

use std::cell::Cell;
use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use throng::http::Response;
use throng::{Io, Server, Socket};

/// Declares the application on a server.
pub(crate) fn declare(server: &Server, log: bool) {
    declare_http(server);
    declare_events(server);
    declare_users(server);
    if log {
        declare_log(server);
    }
}

fn declare_http(server: &Server) {
    server
        .http()
        .get("/", |_, _| {
            Response::ok()
                .header("Cache-Control", "no-cache")
                .header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
                .html(PAGE)
        })
        .get("/healthz", |_, _| Response::ok().text("ok"));
}

fn declare_events(server: &Server) {
    server
        .of("/")
        .on_raw("chat", |socket, args, _| {
            socket.server().emit("chat", args);
        })
        .on_raw("echo", |socket, args, _| {
            socket.emit("echo", args);
        })
        .on_raw("ack-echo", |_, args, ack| {
            if let Some(ack) = ack {
                ack.send(args);
            }
        })
        .on_raw("message", |socket, _, _| {
            socket.emit("reply", ("Hello Client",));
        })
        .on("join", |socket, room: String| {
            socket.join(&room);
            if room == USERS {
                socket.emit("users", &socket.namespace().sockets_len());
            }
        })
        .on("leave", |socket, room: String| socket.leave(&room))
        .on_raw("room", |socket, args, _| {
            if let Ok(room) = args.get::<String>(0) {
                socket.server().to(&room).emit("room", args.skip(1));
            }
        });
}

/// Whoever joined the room `users` hears how many there are; many changes are told as one.
fn declare_users(server: &Server) {
    let changed = Rc::new(Cell::new(false));
    let note = move |socket: Socket<'_>| {
        if !changed.replace(true) {
            let changed = Rc::clone(&changed);
            socket.server().after(USERS_DELAY, move |io| {
                changed.set(false);
                tell_users(io);
            });
        }
    };
    let note_leave = note.clone();
    server.of("/").on_connect(note).on_disconnect(move |socket, _| note_leave(socket));
}

fn tell_users(io: Io<'_>) {
    io.to(USERS).emit("users", &io.of("/").sockets_len());
}

fn declare_log(server: &Server) {
    server
        .of("/")
        .on_connect(|_| log("Client connected"))
        .on_disconnect(|_, _| log("Client disconnected"));
}

/// A closed standard output is no reason to stop serving.
fn log(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

const PAGE: &str = include_str!("page.html");
/// The page holds everything it needs, and talks to nobody but the server it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
     script-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";
const USERS: &str = "users";
const USERS_DELAY: Duration = Duration::from_millis(50);

//! What a handler may do: every public method of the views it holds, an act each.
//!
//! An act is a plain function, so that it may be posted from another thread too. What has left in
//! the meantime answers with nothing; no act may panic, wherever and in whatever order it comes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use throng::{Io, Refusal, Session, Socket, WebSocket};

/// An act of the host's code.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// On the server, whoever is there.
    Server(fn(Io<'_>)),
    /// On one socket, or on all who are there.
    Socket(fn(Socket<'_>)),
}

use Act::{Server as OnServer, Socket as OnSocket};

/// How long is no time at all.
const MOMENT: Duration = Duration::from_millis(1);

/// The methods of [`Io`].
pub(crate) const IO: &[(&str, Act)] = &[
    ("of", OnServer(|io| done(io.of("/made").name()))),
    ("of_pattern", OnServer(|io| done(io.of_pattern("^/x-[0-9]+$").unwrap().name()))),
    ("of_dynamic", OnServer(|io| done(io.of_dynamic(|_, _| false).name()))),
    ("of_deferred", OnServer(|io| done(io.of_deferred(|_, _, _, next| next.refuse()).name()))),
    ("on_new_namespace", OnServer(|io| io.on_new_namespace(|made| done(made.name())))),
    ("namespaces", OnServer(|io| done(io.namespaces()))),
    ("emit", OnServer(|io| done(io.emit("sent", &1)))),
    ("to", OnServer(|io| done(io.to("room").emit("sent", ())))),
    ("within", OnServer(|io| done(io.within("room").emit("sent", ())))),
    ("except", OnServer(|io| done(io.except("room").emit("sent", ())))),
    ("volatile", OnServer(|io| done(io.volatile().emit("sent", ())))),
    ("local", OnServer(|io| done(io.local().emit("sent", ())))),
    ("compress", OnServer(|io| done(io.compress(false).emit("sent", ())))),
    ("timeout", OnServer(|io| io.timeout(MOMENT).emit_with_raw_ack("sent", (), |_, _| {}))),
    ("fetch_sockets", OnServer(|io| io.fetch_sockets(|io, found| done((io.now(), found.is_ok()))))),
    (
        "sessions_len, websocket_sessions_len, sockets_len, queued_bytes, now, engine_counters, \
         socket_counters",
        OnServer(|io| {
            let _ = (io.sessions_len(), io.websocket_sessions_len(), io.sockets_len());
            let _ = (io.queued_bytes(), io.now(), io.engine_counters(), io.socket_counters());
        }),
    ),
    ("after", OnServer(|io| done(io.after(Duration::ZERO, |io| done(io.emit("sent", ())))))),
    (
        "every, cancel",
        OnServer(|io| {
            let timer = io.every(MOMENT, |io| done(io.emit("sent", ())));
            io.after(3 * MOMENT, move |io| assert!(io.cancel(timer)));
        }),
    ),
    ("cancel", OnServer(|io| assert!(io.cancel(io.after(MOMENT, |_| unreachable!()))))),
];

/// The methods of [`Namespace`](throng::Namespace).
pub(crate) const NAMESPACE: &[(&str, Act)] = &[
    ("server, name", OnServer(|io| done(io.of("/p").server().of("/p").name()))),
    ("middleware", OnServer(|io| done(io.of("/p").middleware(|_| Ok(())).name()))),
    (
        "middleware_deferred",
        OnServer(|io| done(io.of("/p").middleware_deferred(|_, next| next.allow()).name())),
    ),
    ("on_connect", OnServer(|io| done(io.of("/p").on_connect(|_| {}).name()))),
    ("on", OnServer(|io| done(io.of("/p").on("go", |_, (): ()| {}).name()))),
    ("on_with_ack", OnServer(|io| done(io.of("/p").on_with_ack("go", |_, (): ()| 1).name()))),
    ("on_raw", OnServer(|io| done(io.of("/p").on_raw("go", |_, _, _| {}).name()))),
    ("once", OnServer(|io| done(io.of("/p").once("go", |_, (): ()| {}).name()))),
    (
        "add_listener, remove_listener",
        OnServer(|io| {
            let listener = io.of("/p").add_listener("go", |_, (): ()| {});
            assert!(io.of("/p").remove_listener(listener));
            assert!(!io.of("/p").remove_listener(listener));
        }),
    ),
    ("remove_all_listeners", OnServer(|io| io.of("/p").remove_all_listeners("go"))),
    (
        "catch-alls that are taken back",
        OnServer(|io| {
            let own = io.of("/p");
            let kept = own.add_any_listener(|_, _, _| {});
            own.prepend_any_listener(|_, _, _| {});
            own.add_any_outgoing_listener(|_, _, _| {});
            own.prepend_any_outgoing_listener(|_, _, _| {});
            let _ = (own.any_listeners(), own.any_outgoing_listeners(), own.listeners("go"));
            own.remove_listener(kept);
            own.remove_all_any_listeners();
            own.remove_all_any_outgoing_listeners();
        }),
    ),
    ("on_any", OnServer(|io| done(io.of("/p").on_any(|_, _, _| {}).name()))),
    ("prepend_any", OnServer(|io| done(io.of("/p").prepend_any(|_, _, _| {}).name()))),
    ("on_any_outgoing", OnServer(|io| done(io.of("/p").on_any_outgoing(|_, _, _| {}).name()))),
    (
        "prepend_any_outgoing",
        OnServer(|io| done(io.of("/p").prepend_any_outgoing(|_, _, _| {}).name())),
    ),
    (
        "event_middleware",
        OnServer(|io| done(io.of("/p").event_middleware(|_, _, _| Err(Refusal::new("no"))).name())),
    ),
    ("on_error", OnServer(|io| done(io.of("/p").on_error(|_, _| {}).name()))),
    ("on_disconnecting", OnServer(|io| done(io.of("/p").on_disconnecting(|_, _| {}).name()))),
    ("on_disconnect", OnServer(|io| done(io.of("/p").on_disconnect(|_, _| {}).name()))),
    ("on_high_water", OnServer(|io| done(io.of("/p").on_high_water(|_, _| {}).name()))),
    ("on_low_water", OnServer(|io| done(io.of("/p").on_low_water(|_| {}).name()))),
    ("pull", OnServer(|io| done(io.of("/p").pull().name()))),
    ("pull_middleware", OnServer(|io| done(io.of("/p").pull_middleware().name()))),
    (
        "socket, sockets_len, room, rooms_len",
        OnServer(|io| {
            let namespace = io.of("/p");
            for id in namespace.room("room") {
                assert!(namespace.socket(&id).is_some());
            }
            let _ = (namespace.sockets_len(), namespace.rooms_len());
        }),
    ),
    ("emit", OnServer(|io| done(io.of("/p").emit("sent", ())))),
    ("to", OnServer(|io| done(io.of("/p").to("room").emit("sent", ())))),
    ("within", OnServer(|io| done(io.of("/p").within("room").emit("sent", ())))),
    ("except", OnServer(|io| done(io.of("/p").except("room").emit("sent", ())))),
    ("volatile", OnServer(|io| done(io.of("/p").volatile().emit("sent", ())))),
    ("local", OnServer(|io| done(io.of("/p").local().emit("sent", ())))),
    ("compress", OnServer(|io| done(io.of("/p").compress(false).emit("sent", ())))),
    (
        "timeout",
        OnServer(|io| io.of("/p").timeout(MOMENT).emit_with_raw_ack("sent", (), |_, _| {})),
    ),
    ("fetch_sockets", OnServer(|io| io.of("/p").fetch_sockets(|_, found| done(found.is_ok())))),
    ("sockets_join", OnServer(|io| io.of("/p").sockets_join("room"))),
    ("sockets_leave", OnServer(|io| io.of("/p").sockets_leave("room"))),
    ("on_server_side", OnServer(|io| done(io.of("/p").on_server_side("s", |_, (): ()| {}).name()))),
    (
        "on_server_side_raw",
        OnServer(|io| done(io.of("/p").on_server_side_raw("s", |_, _, _| {}).name())),
    ),
    ("server_side_emit", OnServer(|io| io.of("/p").server_side_emit("s", ()))),
    (
        "server_side_emit_with_ack",
        OnServer(|io| {
            let namespace = io.of("/p");
            namespace.server_side_emit_with_ack::<()>("s", (), |io, _| done(io.emit("sent", ())));
        }),
    ),
    ("on_room_event", OnServer(|io| done(io.of("/p").on_room_event(|_, _| {}).name()))),
    ("shared_data", OnServer(|io| done(io.of("/p").shared_data::<Cell<u32>>().name()))),
    ("adapter_event", OnServer(|io| io.of("/p").adapter_event(b"bytes"))),
    ("all", OnServer(|io| done(io.of("/p").all().emit("sent", ())))),
];

/// The methods of [`BroadcastOperator`](throng::BroadcastOperator), which every view makes.
pub(crate) const BROADCAST: &[(&str, Act)] = &[
    (
        "to, within, except, volatile, compress, local, timeout, emit",
        OnServer(|io| {
            let many = io.of("/p").all().to("room").within(["other"]).except("none");
            many.volatile().compress(true).local().timeout(MOMENT).emit("sent", (&1, &"two"));
        }),
    ),
    (
        "emit_with_ack",
        OnServer(|io| {
            let all = io.of("/p").all().timeout(2 * MOMENT);
            all.emit_with_ack::<bool>("sent", (), |io, answers| {
                io.of("/p").emit("sent", &answers.expected);
            });
        }),
    ),
    (
        "emit_with_raw_ack",
        OnServer(|io| {
            let all = io.of("/p").all().timeout(2 * MOMENT);
            all.emit_with_raw_ack("sent", (), |io, _| io.of("/p").all().sockets_join("answered"));
        }),
    ),
    (
        "fetch_sockets",
        OnServer(|io| {
            io.of("/p").all().fetch_sockets(|_, found| {
                for socket in found.unwrap() {
                    let _ = (socket.id(), socket.rooms().len(), socket.handshake_json());
                    let _ = (socket.data_json().len(), socket.data::<u32>());
                    socket.join("fetched");
                    socket.emit("sent", ());
                    socket.leave("fetched");
                    let asking = socket.timeout(MOMENT);
                    asking.emit_with_ack::<bool>("sent", (), |io, _| done(io.now()));
                    asking.disconnect();
                    asking.disconnect_client();
                }
            });
        }),
    ),
    ("local_sockets", OnServer(|io| done(io.of("/p").all().local_sockets()))),
    ("queued_bytes", OnServer(|io| done(io.of("/p").all().queued_bytes()))),
    ("sockets_join", OnServer(|io| io.of("/p").all().sockets_join(["room", "other"]))),
    ("sockets_leave", OnServer(|io| io.of("/p").all().sockets_leave(["room", "other"]))),
    ("disconnect_sockets", OnServer(|io| io.of("/p").all().disconnect_sockets())),
    ("disconnect_clients", OnServer(|io| io.of("/p").all().disconnect_clients())),
    ("disconnect_sockets of a namespace", OnServer(|io| io.of("/p").disconnect_sockets())),
    ("disconnect_clients of a namespace", OnServer(|io| io.of("/p").disconnect_clients())),
];

/// The methods of [`Socket`] that declare, as those of a namespace do.
pub(crate) const SOCKET_DECLARATIONS: &[(&str, Act)] = &[
    ("on", OnSocket(|socket| done(socket.on("go", |_, (): ()| {}).id()))),
    ("on_with_ack", OnSocket(|socket| done(socket.on_with_ack("go", |_, (): ()| 1).id()))),
    ("on_raw", OnSocket(|socket| done(socket.on_raw("go", |_, _, _| {}).id()))),
    ("once", OnSocket(|socket| done(socket.once("go", |_, (): ()| {}).id()))),
    (
        "add_listener, remove_listener",
        OnSocket(|socket| {
            let listener = socket.add_listener("go", |_, (): ()| {});
            socket.remove_listener(listener);
        }),
    ),
    ("remove_all_listeners", OnSocket(|socket| socket.remove_all_listeners("go"))),
    (
        "catch-alls that are taken back",
        OnSocket(|own| {
            let kept = own.add_any_listener(|_, _, _| {});
            own.prepend_any_listener(|_, _, _| {});
            own.add_any_outgoing_listener(|_, _, _| {});
            own.prepend_any_outgoing_listener(|_, _, _| {});
            let _ = (own.any_listeners(), own.any_outgoing_listeners(), own.listeners("go"));
            own.remove_listener(kept);
            own.remove_all_any_listeners();
            own.remove_all_any_outgoing_listeners();
        }),
    ),
    ("on_any", OnSocket(|socket| done(socket.on_any(|_, _, _| {}).id()))),
    ("prepend_any", OnSocket(|socket| done(socket.prepend_any(|_, _, _| {}).id()))),
    ("on_any_outgoing", OnSocket(|socket| done(socket.on_any_outgoing(|_, _, _| {}).id()))),
    (
        "prepend_any_outgoing",
        OnSocket(|socket| done(socket.prepend_any_outgoing(|_, _, _| {}).id())),
    ),
    ("event_middleware", OnSocket(|socket| done(socket.event_middleware(|_, _, _| Ok(())).id()))),
    ("on_error", OnSocket(|socket| done(socket.on_error(|_, _| {}).id()))),
    ("on_disconnecting", OnSocket(|socket| done(socket.on_disconnecting(|_, _| {}).id()))),
    ("on_disconnect", OnSocket(|socket| done(socket.on_disconnect(|_, _| {}).id()))),
];

/// The methods of [`Socket`] and of its [`Emitter`](throng::Emitter).
pub(crate) const SOCKET: &[(&str, Act)] = &[
    (
        "id, is_connected, server, namespace, transport, protocol, session, disconnect_detail, \
         handshake, rooms",
        OnSocket(|socket| {
            let _ = (socket.id(), socket.is_connected(), socket.server().now());
            let _ = (socket.namespace().name(), socket.transport(), socket.protocol());
            let _ = (socket.session().map(Session::id), socket.disconnect_detail());
            let _ = (socket.handshake().query("x"), socket.rooms());
        }),
    ),
    (
        "to_ref, queued_bytes, and the server's socket",
        OnSocket(|socket| {
            let (again, _) = (socket.server().socket(socket.to_ref()), socket.queued_bytes());
            assert_eq!(again.id(), socket.id());
        }),
    ),
    ("ask", OnSocket(|socket| done(socket.ask("sent", ())))),
    ("emit", OnSocket(|socket| done(socket.emit("sent", ())))),
    ("volatile", OnSocket(|socket| done(socket.volatile().emit("sent", ())))),
    ("compress", OnSocket(|socket| done(socket.compress(false).emit("sent", ())))),
    (
        "timeout",
        OnSocket(|socket| {
            socket.timeout(MOMENT).emit_with_raw_ack("sent", (), |socket, _| socket.join("late"));
        }),
    ),
    (
        "emit_with_ack",
        OnSocket(|socket| {
            socket.emit_with_ack::<bool>("sent", (), |socket, _| done(socket.emit("sent", ())));
        }),
    ),
    (
        "emit_with_raw_ack",
        OnSocket(|socket| socket.emit_with_raw_ack("sent", (), |socket, _| socket.disconnect())),
    ),
    (
        "an emitter's volatile, compress, timeout, emit, emit_with_ack",
        OnSocket(|socket| {
            let emitter = socket.volatile().compress(true).timeout(MOMENT);
            emitter.emit("sent", &1);
            emitter.ask("sent", ());
            emitter.volatile().emit_with_ack::<bool>("sent", (), |_, _| {});
            emitter.emit_with_raw_ack("sent", (), |_, _| {});
        }),
    ),
    ("join", OnSocket(|socket| socket.join(["room", "other"]))),
    ("leave", OnSocket(|socket| socket.leave(["room", "other"]))),
    ("to", OnSocket(|socket| done(socket.to("room").emit("sent", ())))),
    ("within", OnSocket(|socket| done(socket.within("room").emit("sent", ())))),
    ("except", OnSocket(|socket| done(socket.except("room").emit("sent", ())))),
    ("local", OnSocket(|socket| done(socket.local().emit("sent", ())))),
    ("broadcast", OnSocket(|socket| done(socket.broadcast().emit("sent", ())))),
    ("disconnect", OnSocket(|socket| socket.disconnect())),
    ("disconnect_client", OnSocket(|socket| socket.disconnect_client())),
    (
        "data, set_data",
        OnSocket(|socket| {
            socket.data::<Cell<u32>>().set(1);
            socket.set_data(Rc::new(Cell::new(2_u32)));
        }),
    ),
    ("a session's id, sockets and all the rest", OnSocket(on_session)),
    (
        "a session's close",
        OnSocket(|socket| {
            if let Some(session) = socket.session() {
                session.close();
                session.send_text("late");
            }
        }),
    ),
];

fn on_session(socket: Socket<'_>) {
    let Some(session) = socket.session() else { return };
    in_session(session);
    for socket in session.sockets() {
        socket.emit("sent", ());
    }
}

/// The methods of [`Session`], but for `close`.
pub(crate) fn in_session(session: Session<'_>) {
    let _ = (session.id(), session.sid(), session.transport(), session.protocol());
    let _ = (session.handshake().query("x"), session.sockets().len(), session.close_detail());
    let _ = session.queued_bytes();
    session.data::<Cell<u32>>().set(1);
    session.set_data(Rc::new(Cell::new(2_u32)));
    session.send_text("2[\"sent\"]");
    session.send_binary(b"");
}

/// An act on a raw WebSocket.
pub(crate) type WebSocketAct = fn(WebSocket<'_>);

/// The methods of [`WebSocket`].
pub(crate) const WEBSOCKET: &[(&str, WebSocketAct)] = &[
    ("send_text", |socket| socket.send_text("text")),
    ("send_binary", |socket| socket.send_binary(b"bytes")),
    ("close", |socket| socket.close(Some(1000), "enough")),
    ("close without a code", |socket| socket.close(None, "")),
    ("send after close", |socket| {
        socket.close(Some(1000), "enough");
        socket.send_text("late");
        socket.close(Some(1001), "again");
    }),
];

/// What a method returned is of no interest.
fn done<T>(_: T) {}

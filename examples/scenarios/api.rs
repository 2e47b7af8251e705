//! `api`: what a host sees and decides beside its events: what leaves, who is in which room, who
//! gets in, the requests below; and what another thread answers.
//!
//! ```text
//! > 420["watch"]    > 42["say","hi"]      > 421["unwatch"]
//! < 430[true]       < 42["said","hi"]     < 431[["said"]]
//! ```

mod broadcasts;
mod listeners;
mod outgoing;
mod requests;
mod rooms;
mod threads;

use std::io;
use std::net::SocketAddr;

use throng::Server;

pub(crate) fn bind(address: SocketAddr) -> io::Result<Server> {
    let mut server = Server::builder().allow_eio3(true).bind(address)?;
    requests::declare(&mut server);
    threads::declare(&mut server);
    let main = server.of("/");
    broadcasts::declare(main);
    listeners::declare(main);
    outgoing::declare(main);
    rooms::declare(main);
    main.on_raw("echo", |_, args, ack| {
        if let Some(ack) = ack {
            ack.send(args);
        }
    })
    .on_disconnect(|socket, reason| println!("{} has left: {reason}", socket.id()));
    Ok(server)
}

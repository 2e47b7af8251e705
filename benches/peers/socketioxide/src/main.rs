//! The benchmarks' application on socketioxide and axum.
//!
//! ```text
//! peer-socketioxide --port 0 --threads 1
//! ```

use std::io;
use std::net::Ipv4Addr;

use axum::Router;
use axum::routing::get;
use axum::serve::ListenerExt;
use clap::Parser;
use rmpv::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[derive(Parser)]
struct Options {
    /// Port to listen on; 0 lets the system choose.
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Threads of the runtime; with 1 all happens on the thread of the program.
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

fn main() -> io::Result<()> {
    let options = Options::parse();
    let runtime = runtime(options.threads)?;
    // A task of its own, so that accepting is shared by the runtime's threads too.
    let serving = runtime.spawn(serve(options.port));
    runtime.block_on(serving).map_err(io::Error::other)?
}

fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        0 | 1 => Builder::new_current_thread().enable_all().build(),
        _ => Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

async fn serve(port: u16) -> io::Result<()> {
    let (layer, io) = SocketIo::new_layer();
    io.ns("/", declare);
    let app = Router::new().route("/healthz", get(async || "ok")).layer(layer);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    // axum's documents set it so; without it Nagle's algorithm would hold small messages back.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await
}

/// A failed emit means that its recipient is gone or full: nothing that the application mends.
async fn declare(socket: SocketRef) {
    socket.on("chat", async |io: SocketIo, Data::<Value>(data)| {
        io.emit("chat", &data).await.ok();
    });
    socket.on("echo", async |socket: SocketRef, Data::<Value>(data)| {
        socket.emit("echo", &data).ok();
    });
    socket.on("ack-echo", async |Data::<Value>(data), ack: AckSender| {
        ack.send(&data).ok();
    });
    socket.on("message", async |socket: SocketRef| {
        socket.emit("reply", "Hello Client").ok();
    });
    socket.on("join", async |socket: SocketRef, Data::<String>(room)| {
        socket.join(room);
    });
    socket.on("leave", async |socket: SocketRef, Data::<String>(room)| {
        socket.leave(room);
    });
    socket.on("room", async |io: SocketIo, Data::<(String, Value)>((room, data))| {
        io.to(room).emit("room", &data).await.ok();
    });
}

//! A small website with Socket.IO on the same port.
//!
//! ```text
//! cargo run --example express -- --port 3000
//! curl localhost:3000/
//! curl localhost:3000/hello/Ann
//! curl localhost:3000/news -d "It rains."
//! ```
//!
//! A client that connects, says Hi and leaves makes it print this:
//!
//! ```text
//! Listening on port 3000
//! Client connected
//! Received: Hi
//! Client disconnected
//! ```

use std::error::Error;

use throng::Server;
use throng::http::Response;

fn main() -> Result<(), Box<dyn Error>> {
    let mut server = Server::builder().bind(("localhost", port()?))?;
    declare_routes(&server);
    declare_events(&server);
    println!("Listening on port {}", server.local_addresses()[0].port());
    server.run()?;
    Ok(())
}

/// The website: what a browser asks for.
fn declare_routes(server: &Server) {
    server
        .http()
        .get("/", |io, _| {
            let clients = io.of("/").sockets_len();
            Response::ok().html(format!("<h1>Welcome</h1><p>{clients} connected</p>"))
        })
        .get("/hello/{name}", |_, request| {
            let name = request.param("name").unwrap_or("stranger");
            Response::ok().text(format!("Hello {name}"))
        })
        .post("/news", |io, request| match request.text() {
            Ok(news) => {
                io.emit("news", news);
                Response::new(204)
            }
            Err(error) => Response::new(400).text(error.to_string()),
        });
}

/// Socket.IO: what its clients say and hear.
fn declare_events(server: &Server) {
    server
        .of("/")
        .on_connect(|_| println!("Client connected"))
        .on("message", |socket, text: String| {
            println!("Received: {text}");
            socket.emit("reply", "Hello Client");
        })
        .on_disconnect(|_, _| println!("Client disconnected"));
}

/// The port after `--port`; 3000 without. With 0 the system chooses one that is free.
fn port() -> Result<u16, Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (None, _) => Ok(3000),
        (Some("--port"), Some(port)) => Ok(port.parse()?),
        _ => Err("usage: express [--port N]".into()),
    }
}

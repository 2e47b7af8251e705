//! The chat of the Socket.IO overview: what anybody says, everybody hears.
//!
//! ```text
//! > 42["chat","hello"]
//! < 42["chat","hello"]    to every client, the one who said it too
//! ```

use throng::Server;

fn main() -> std::io::Result<()> {
    let mut server = Server::builder().bind("localhost:3000")?;
    server.of("/").on("chat", |socket, message: String| {
        socket.server().emit("chat", &message);
    });
    println!("Listening on port 3000");
    server.run()
}

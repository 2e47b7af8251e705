// The benchmarks' application: what every server under test serves. It knows nothing of what
// carries it; the files beside it attach it to Node.js, Bun and uWebSockets.js.
//
//   import { declare } from "./application.mjs";
//   declare(new Server(httpServer));

/** Declares the application's events on a Socket.IO server. */
export function declare(io) {
  // Socket.IO's advice on memory: the first request of a session isn't needed any more.
  io.engine.on("connection", (rawSocket) => {
    rawSocket.request = null;
  });
  io.on("connection", (socket) => {
    socket.on("chat", (data) => io.emit("chat", data));
    socket.on("echo", (data) => socket.emit("echo", data));
    socket.on("ack-echo", (data, ack) => ack?.(data));
    socket.on("message", () => socket.emit("reply", "Hello Client"));
    socket.on("join", (room) => socket.join(room));
    socket.on("leave", (room) => socket.leave(room));
    socket.on("room", (room, data) => io.to(room).emit("room", data));
  });
}

/** The value of `--port`; 0 lets the system choose. */
export function portWanted(argv = process.argv) {
  const at = argv.indexOf("--port");
  return at === -1 ? 3000 : Number(argv[at + 1]);
}

/** Tells whoever started the server where it listens. */
export function announce(port) {
  console.log(`Listening on http://127.0.0.1:${port}`);
}

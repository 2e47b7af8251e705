// The app `cluster` of examples/scenarios, on the Node.js reference: two servers in one process,
// and an adapter between them that is the reference's own but for what carries its messages.
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";

const require = createRequire(new URL("../.cache/reference/package.json", import.meta.url));
const { Server } = require("socket.io");
const { ClusterAdapter } = createRequire(require.resolve("socket.io"))("socket.io-adapter");

const adapters = new Set();

class PassingAdapter extends ClusterAdapter {
  init() {
    adapters.add(this);
  }

  close() {
    adapters.delete(this);
  }

  #others() {
    return [...adapters].filter((other) => other !== this && other.nsp.name === this.nsp.name);
  }

  async serverCount() {
    return 1 + this.#others().length;
  }

  async doPublish(message) {
    this.#others().forEach((other) => other.onMessage(message));
    return "";
  }

  async doPublishResponse(requester, response) {
    this.#others().find((other) => other.uid === requester)?.onResponse(response);
  }
}

/** Starts both, the first on the port given. */
export async function cluster(port) {
  const [first, second] = await Promise.all([member(port), member(0)]);
  console.log(`The other listens on http://127.0.0.1:${second.http.address().port}`);
  console.log(`Listening on http://127.0.0.1:${first.http.address().port}`);
  process.on("SIGTERM", () => {
    for (const { io, http } of [first, second]) {
      io.close();
      http.closeAllConnections();
    }
  });
}

async function member(port) {
  const http = createServer();
  const io = new Server(http, { adapter: PassingAdapter });
  io.on("connection", (socket) => declare(io, socket));
  io.on("note", (text) => io.local.emit("noted", text));
  http.listen(port, "127.0.0.1");
  await once(http, "listening");
  return { io, http };
}

function declare(io, socket) {
  socket.on("join", (room, ack) => (socket.join(room), ack?.(true)));
  socket.on("shout", (...args) => socket.broadcast.emit("shouted", ...args));
  socket.on("say", (room, ...args) => io.to(room).except("deaf").emit("said", ...args));
  socket.on("mutter", (...args) => socket.local.emit("muttered", ...args));
  socket.on("gather", (from, to) => io.in(from).socketsJoin(to));
  socket.on("scatter", (from, to) => io.in(from).socketsLeave(to));
  socket.on("dismiss", (room) => io.in(room).disconnectSockets());
  socket.on("vote", (room, ack) => {
    io.to(room).timeout(500).emit("vote?", (error, votes) => ack?.(votes.sort(), Boolean(error)));
  });
  socket.on("note", (text) => io.serverSideEmit("note", text));
}

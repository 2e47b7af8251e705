// The smoke app of examples/scenarios, on the Node.js reference: it proves the suite, and shows
// where the two servers differ.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../.cache/reference/package.json", import.meta.url));
const { Server } = require("socket.io");

const RESERVED = "connect connect_error disconnect disconnecting newListener removeListener";
const reserved = new Set(RESERVED.split(" "));

/** Starts the app on a free port of 127.0.0.1. */
export function smoke(port, { recovery = false, parser } = {}) {
  const http = createServer((request, response) => answer(io, request, response));
  const io = new Server(http, {
    pingInterval: 1_000,
    pingTimeout: 1_500,
    connectTimeout: 1_000,
    upgradeTimeout: 1_000,
    maxHttpBufferSize: 100_000,
    allowEIO3: true,
    cors: { origin: "http://conf.test", credentials: true },
    serveClient: false,
    ...(parser && { parser }),
    ...(recovery && {
      connectionStateRecovery: { maxDisconnectionDuration: 2_000, skipMiddlewares: true },
    }),
  });
  io.on("connection", (socket) => declare(io, socket));
  declareNamespaces(io);
  http.listen(port, "127.0.0.1", () => {
    console.log(`Listening on http://127.0.0.1:${http.address().port}`);
  });
  process.on("SIGTERM", () => process.exit());
}

function answer(io, request, response) {
  if (request.url === "/healthz") {
    response.end("ok");
  } else if (request.url === "/stats") {
    const stats = { sessions: io.engine.clientsCount, sockets: io.of("/").sockets.size };
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(stats));
  } else {
    response.statusCode = 404;
    response.end();
  }
}

function declare(io, socket) {
  const { id, recovered } = socket;
  const heard = [];
  const rooms = () => [...socket.rooms].filter((room) => room !== id).sort();
  const on = (event, handler) =>
    socket.on(event, (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      handler(args, ack);
    });
  const forward = (recipients, [event, ...args]) => {
    if (typeof event === "string" && !reserved.has(event)) {
      recipients.emit(event, ...args);
    }
  };

  socket.emit("welcome", { id, auth: socket.handshake.auth, recovered });
  socket.onAny((event) => heard.length < 1_000 && heard.push(event));
  socket.use(([event], next) => next(event === "forbidden" ? new Error("forbidden event") : undefined));
  socket.on("error", (error) => socket.emit("refused", error.message));
  socket.on("disconnecting", (reason) => {
    io.to("observers").emit("left", { id, reason, rooms: rooms() });
  });

  on("echo", (args, ack) => (ack ? ack(...args) : socket.emit("echo", ...args)));
  on("reflect", (args) => forward(socket, args));
  on("ask", (args) => {
    socket.timeout(1_000).emit("question", ...args, (error, ...answer) => {
      socket.emit(...(error ? ["no-answer", error.message] : ["answer", ...answer]));
    });
  });
  on("join", ([room], ack) => (socket.join(room), ack?.(rooms())));
  on("leave", ([room], ack) => (socket.leave(room), ack?.(rooms())));
  on("to", ([room, ...args]) => forward(socket.to(room), args));
  on("in", ([room, ...args]) => forward(io.in(room), args));
  on("except", ([room, ...args]) => forward(io.except(room), args));
  on("broadcast", (args) => forward(socket.broadcast, args));
  on("volatile", (args) => forward(socket.volatile, args));
  on("ask-room", ([room, ms, ...args], ack) => {
    io.in(room).timeout(ms).emit("question", ...args, (error, responses) => {
      const sorted = responses.map((each) => [JSON.stringify(each), each]).sort();
      ack?.({ timedOut: Boolean(error), responses: sorted.map(([, each]) => each) });
    });
  });
  on("fetch", async ([room], ack) => {
    const sockets = await io.in(room).fetchSockets();
    const described = sockets.map((each) => ({
      id: each.id,
      rooms: [...each.rooms].sort(),
      data: each.data,
    }));
    ack?.(described.sort((a, b) => (a.id < b.id ? -1 : 1)));
  });
  on("set", ([key, value], ack) => ((socket.data[key] = value), ack?.(true)));
  on("make-join", ([from, to], ack) => (io.in(from).socketsJoin(to), ack?.(true)));
  on("make-leave", ([from, to], ack) => (io.in(from).socketsLeave(to), ack?.(true)));
  on("kick", ([room, close]) => io.in(room).disconnectSockets(close === true));
  on("bye", ([close]) => socket.disconnect(close === true));
  on("blob", ([n]) => {
    const data = Buffer.from(Array.from({ length: n }, (_, i) => (7 * i + 3) % 256));
    socket.emit("blob", { n, data, nested: [{ head: data.subarray(0, 4) }] });
  });
  on("digest", (args, ack) => {
    const found = binaries(args);
    const bytes = found.reduce((sum, each) => sum + each.length, 0);
    const sum = found.reduce((sum, each) => each.reduce((a, b) => (a + b) % 65_536, sum), 0);
    ack?.({ count: found.length, bytes, sum });
  });
  on("text", ([n]) => socket.emit("text", "é".repeat(n)));
  on("flood", ([count, size]) => {
    for (let index = 0; index < count; index += 1) {
      socket.emit("f", index, "f".repeat(size));
    }
    socket.emit("flood-done", count);
  });
  on("handshake", (_, ack) => {
    const { query, auth, headers, secure, xdomain, url } = socket.handshake;
    ack?.({ query, auth, headers, secure, xdomain, url });
  });
  on("who", (_, ack) => {
    const { transport, protocol } = socket.conn;
    ack?.({ id, transport: transport.name, protocol, nsp: socket.nsp.name });
  });
  on("count", (_, ack) => ack?.(io.of("/").sockets.size));
  on("heard", (_, ack) => ack?.(heard));
}

function declareNamespaces(io) {
  io.of("/echo").on("connection", (socket) => {
    socket.on("echo", (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      return ack ? ack(...args) : socket.emit("echo", ...args);
    });
  });
  io.of("/auth")
    .use((socket, next) => {
      const got = socket.handshake.auth.token ?? socket.handshake.query.token ?? null;
      const error = new Error("unauthorized");
      error.data = { code: "E_TOKEN", got };
      next(got === "secret" ? undefined : error);
    })
    .use((socket, next) => {
      socket.data.user = socket.handshake.auth.user ?? "anonymous";
      next();
    })
    .on("connection", (socket) => socket.emit("user", socket.data.user));
  io.of("/slow")
    .use((_, next) => setTimeout(next, 300))
    .on("connection", (socket) => socket.emit("at-last"));
  io.of(/^\/room-\d+$/).on("connection", (socket) => {
    socket.emit("nsp", socket.nsp.name);
    socket.on("all", (...args) => socket.nsp.emit("all", ...args));
  });
}

function binaries(value) {
  if (Buffer.isBuffer(value)) {
    return [value];
  }
  return value && typeof value === "object" ? Object.values(value).flatMap(binaries) : [];
}

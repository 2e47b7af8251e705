// The app `api` of examples/scenarios, on the Node.js reference. What its thread does there, a timer
// does here.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../.cache/reference/package.json", import.meta.url));
const { Server } = require("socket.io");

/** Starts the app on a free port of 127.0.0.1. */
export function api(port) {
  const http = createServer((_, response) => response.writeHead(404).end());
  const io = new Server(http, {
    allowEIO3: true,
    allowRequest: (request, decide) => {
      const key = new URL(request.url, "http://host").searchParams.get("key");
      setImmediate(() => (key === "wrong" ? decide("wrong key", false) : decide(null, true)));
    },
  });
  const errors = declareEngine(io.engine);
  declareRooms(io);
  declareGuarded(io.of("/guarded"));
  io.on("connection", (socket) => declare(io, socket, errors));
  http.listen(port, "127.0.0.1", () => {
    console.log(`Listening on http://127.0.0.1:${http.address().port}`);
  });
  process.on("SIGTERM", () => {
    io.close();
    // Not before those who poll have been told.
    setTimeout(() => http.closeAllConnections(), 100);
  });
}

function declareEngine(engine) {
  const errors = [];
  engine.generateId = () => `api-${randomBytes(12).toString("base64url")}`;
  engine.on("initial_headers", (headers) => {
    headers["Set-Cookie"] = "node=a; Path=/; HttpOnly";
  });
  engine.on("headers", (headers) => {
    headers["X-Served-By"] = "node a";
  });
  engine.on("connection_error", ({ code, message, context }) => {
    errors.push({ code, message, context });
  });
  engine.on("connection", (session) => {
    const tell = (what) => console.log(`session ${session.id} ${what}`);
    tell(`has opened by ${session.transport.name}`);
    session.on("upgrade", (transport) => tell(`has moved to ${transport.name}`));
    session.on("close", (reason) => tell(`has closed: ${reason}`));
  });
  return errors;
}

function declareRooms(io) {
  const { adapter } = io.of("/");
  for (const what of ["create", "join", "leave", "delete"]) {
    adapter.on(`${what}-room`, (room, socket = null) => {
      io.to("watchers").emit("room", what, room, socket);
    });
  }
}

function declareGuarded(namespace) {
  const pass = (socket, whom) => (socket.data.passed ??= []).push(whom);
  namespace
    .use((socket, next) => {
      pass(socket, "the thread");
      const { auth, query } = socket.handshake;
      const token = auth.token ?? query.token ?? null;
      const error = Object.assign(new Error("unknown token"), { data: { token } });
      setImmediate(() => (token === "secret" ? next() : next(error)));
    })
    .use((socket, next) => (pass(socket, "the timer"), setTimeout(next, 50)))
    .use((socket, next) => (pass(socket, "the last"), next()))
    .on("connection", (socket) => socket.emit("passed", socket.data.passed));
}

/** Who has asked first. */
let first;

function declare(io, socket, errors) {
  let watched = [];
  const watch = (event) => watched.push(event);
  const listeners = [];
  const on = (event, handler) =>
    socket.on(event, (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
      handler(args, ack);
    });

  socket.once("greet", (name) => socket.emit("greeted", name));
  socket.on("error", (error) => socket.emit("refused", error.message));
  socket.on("disconnect", (reason) => console.log(`${socket.id} has left: ${reason}`));
  on("who is first?", () => {
    // Namespaces of the reference have no handlers of events.
    if (!first) {
      first = socket.id;
      io.emit("first", first);
    }
  });
  on("echo", (args, ack) => ack?.(...args));
  on("connection-errors", (_, ack) => ack?.(errors.splice(0)));
  on("square", ([number], ack) => setImmediate(() => ack?.(number * number)));
  on("watch", (_, ack) => (socket.onAnyOutgoing(watch), ack?.(true)));
  on("unwatch", (_, ack) => {
    socket.offAnyOutgoing(watch);
    ack?.(watched);
    watched = [];
  });
  on("say", (args) => io.emit("said", ...args));
  on("whisper", (args) => socket.emit("whispered", ...args));
  on("listen", ([event], ack) => {
    listeners.push((text) => socket.emit("heard", event, text));
    socket.on(event, listeners.at(-1));
    ack?.(socket.listeners(event).length);
  });
  on("ignore", ([event], ack) => {
    socket.off(event, listeners.pop());
    ack?.(socket.listeners(event).length);
  });
  on("ignore-all", ([event], ack) => {
    socket.removeAllListeners(event);
    ack?.(socket.listeners(event).length);
  });
  on("be-strict", (_, ack) => {
    socket.use(([event, ...args], next) => {
      const count = args.filter((arg) => typeof arg !== "function").length;
      next(count > 2 ? new Error(`too much for ${event}`) : undefined);
    });
    ack?.(true);
  });
  on("watch-rooms", (_, ack) => (socket.join("watchers"), ack?.(true)));
  on("join", ([room], ack) => (socket.join(room), ack?.(true)));
  on("leave", ([room], ack) => (socket.leave(room), ack?.(true)));
  on("gather", ([from, to], ack) => (io.in(from).socketsJoin(to), ack?.(true)));
  on("poke", ([room, times], ack) => {
    for (let number = 0; number < times; number += 1) {
      io.to(room).volatile.emit("poked", number);
    }
    ack?.(true);
  });
  on("vote", ([room, ms], ack) => {
    io.to(room).timeout(ms).emit("vote?", (error, votes) => {
      ack?.({ votes: votes.sort(), timedOut: Boolean(error) });
    });
  });
}

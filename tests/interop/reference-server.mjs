// The application of `throng serve`, of the `express` example and of some scenarios, written with
// the Node.js reference. The suites run against it too (`node run.mjs --reference`), so that a
// failing test tells a wrong server from a wrong test.
//
//   node reference-server.mjs serve --port 0      prints: Listening on http://127.0.0.1:40123
//   node reference-server.mjs express --port 0    prints: Listening on port 40123
//   node reference-server.mjs v2-support          an app of the example `scenarios`
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import msgpackParser from "socket.io-msgpack-parser";

const require = createRequire(new URL(".cache/reference/", import.meta.url));
const { Server } = require("socket.io");

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string", default: "0" },
    "ping-interval": { type: "string", default: "25s" },
    "ping-timeout": { type: "string", default: "20s" },
    "cors-origin": { type: "string" },
  },
});

const http = createServer((request, response) => {
  if (request.url === "/healthz") {
    response.end("ok");
  } else if (request.url === "/") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(readFileSync(new URL("../../src/bin/throng/page.html", import.meta.url)));
  } else {
    response.statusCode = 404;
    response.end();
  }
});
const application = positionals[0] ?? "serve";
const io = new Server(http, {
  parser: application === "socket-protocol-msgpack" ? msgpackParser : undefined,
  pingInterval: milliseconds(values["ping-interval"]),
  pingTimeout: milliseconds(values["ping-timeout"]),
  cors: values["cors-origin"] && { origin: values["cors-origin"] },
  ...(application === "v2-support" && {
    allowEIO3: true,
    pingInterval: 300,
    pingTimeout: 200,
    cors: { origin: "*" },
  }),
});
if (application === "v2-support") {
  supportV2();
} else if (application === "socket-protocol-msgpack") {
  supportMsgpack();
} else {
  io.on("connection", application === "express" ? express : serve);
}
http.listen(Number(values.port), "127.0.0.1", () => {
  const { port } = http.address();
  const place = application === "express" ? `port ${port}` : `http://127.0.0.1:${port}`;
  console.log(`Listening on ${place}`);
});
process.on("SIGTERM", () => {
  io.close();
  http.closeAllConnections();
});

function serve(socket) {
  noteUsers();
  socket.on("disconnect", noteUsers);
  socket.on("chat", (message) => io.emit("chat", message));
  socket.on("echo", (message) => socket.emit("echo", message));
  socket.on("ack-echo", (message, ack) => ack?.(message));
  socket.on("message", () => socket.emit("reply", "Hello Client"));
  socket.on("join", (room) => {
    socket.join(room);
    if (room === "users") {
      socket.emit("users", io.of("/").sockets.size);
    }
  });
  socket.on("leave", (room) => socket.leave(room));
  socket.on("room", (room, message) => io.to(room).emit("room", message));
}

/** Many changes of the number of users are told as one, to those who asked. */
let noted;
function noteUsers() {
  noted ??= setTimeout(() => {
    noted = undefined;
    io.to("users").emit("users", io.of("/").sockets.size);
  }, 50);
}

function express(socket) {
  console.log("Client connected");
  socket.on("message", (message) => {
    console.log(`Received: ${message}`);
    socket.emit("reply", "Hello Client");
  });
  socket.on("disconnect", () => console.log("Client disconnected"));
}

function supportV2() {
  for (const name of ["/", "/custom"]) {
    io.of(name).on("connection", (socket) => {
      socket.emit("auth", socket.handshake.auth);
      socket.on("echo", (...args) => {
        const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
        ack ? ack(...args) : socket.emit("echo", ...args);
      });
      socket.on("broadcast", (...args) => io.of(name).emit("broadcast", ...args));
      socket.on("ask", (...args) => {
        socket.emit("question", ...args, (...answer) => socket.emit("answer", ...answer));
      });
      socket.on("who", () => {
        socket.emit("who", socket.id, socket.conn.transport.name, socket.conn.protocol);
      });
      socket.on("bye", () => socket.disconnect());
    });
  }
  io.of("/refused").use((socket, next) => next(new Error("refused")));
  io.of("/refused-data").use((socket, next) => {
    next(Object.assign(new Error("refused"), { data: { code: 7 } }));
  });
}

function supportMsgpack() {
  io.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
    socket.on("add", (a, b, ack) => ack(a + b));
    socket.on("describe", (picture) => {
      socket.emit("described", picture, picture.data.byteLength);
    });
    socket.on("join", (room) => socket.join(room));
    socket.on("broadcast", (room, ...args) => io.to(room).emit("broadcast", ...args));
    socket.on("ask", () => {
      socket.emit("question", { sure: true }, (...answer) => socket.emit("answered", ...answer));
    });
  });
  io.of("/custom").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));
  io.of("/deny").use((socket, next) => {
    next(Object.assign(new Error("not for you"), { data: socket.handshake.auth }));
  });
}

function milliseconds(duration) {
  const [, number, unit] = /^(\d+)(ms|s|m)$/.exec(duration);
  return Number(number) * { ms: 1, s: 1_000, m: 60_000 }[unit];
}

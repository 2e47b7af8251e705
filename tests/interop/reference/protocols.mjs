// The scenario apps that are about a protocol, on the Node.js reference.
import { createRequire } from "node:module";
import { WebSocketServer } from "ws";

const require = createRequire(new URL("../.cache/reference/package.json", import.meta.url));
const { attach } = require("engine.io");
const { Server } = require("socket.io");

export function engineProtocol(http, allowEIO3) {
  const cors = { origin: "*" };
  const engine = attach(http, { pingInterval: 300, pingTimeout: 200, cors, allowEIO3 });
  engine.on("connection", (socket) => socket.on("message", (message) => socket.send(message)));
}

export function engineClientSupport(http) {
  const engine = attach(http, {
    pingInterval: 500,
    maxHttpBufferSize: 100,
    allowRequest: (request, decide) => {
      const { searchParams } = new URL(request.url, "http://localhost");
      decide(null, !searchParams.has("deny"));
    },
  });
  engine.on("initial_headers", (headers) => {
    headers["Set-Cookie"] = [
      "1=1; Max-Age=86400",
      "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
      "3=3; Max-Age=0",
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
  const answers = {
    "give binary": () => Buffer.from([0, 1, 2, 3, 4]),
    "give utf8": () => "пойду спать всем спокойной ночи",
    "sendHeaders": (socket) => JSON.stringify(socket.transport.dataReq.headers),
  };
  engine.on("connection", (socket) => {
    socket.send("hi");
    socket.on("message", (message) => {
      const answer = typeof message === "string" ? answers[message] : undefined;
      socket.send(answer ? answer(socket) : message);
    });
  });
}

export function socketProtocol(http) {
  const times = { pingInterval: 300, pingTimeout: 200, connectTimeout: 1_000 };
  const io = new Server(http, { ...times, cors: { origin: "*" } });
  io.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => {
      if (typeof args.at(-1) === "function") {
        args.pop()(...args);
      }
    });
  });
  io.of("/custom").on("connection", (socket) => socket.emit("auth", socket.handshake.auth));
}

export function wsEcho(server) {
  const echo = new WebSocketServer({ server, maxPayload: 16 * 1_024 * 1_024 });
  echo.on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("error", () => {});
  });
}

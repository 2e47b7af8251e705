// The app client-support of examples/scenarios, on the Node.js reference.
import { createRequire } from "node:module";

const require = createRequire(new URL("../.cache/reference/package.json", import.meta.url));
const { Server } = require("socket.io");

const LAST = "utf8 — string";
const TEXTS = ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", LAST, LAST];

export function clientSupport(http) {
  const io = new Server(http, {
    pingInterval: 2_000,
    connectionStateRecovery: {},
    allowRequest: (_, decide) => setTimeout(() => decide(null, true), 10),
  });
  io.use((socket, next) => {
    const { fail } = socket.handshake.query;
    next(fail ? new Error("Auth failed (main namespace)") : undefined);
  });
  io.on("connection", (socket) => {
    declareData(socket);
    declareBinary(socket);
  });
  io.of("/foo").on("connection", (socket) => socket.on("getId", (ack) => reply(ack, socket.id)));
  io.of("/abc").on("connection", (socket) => socket.emit("handshake", socket.handshake));
  io.of("/no").use((_, next) => next(new Error("Auth failed (custom namespace)")));
  ["/timeout_socket", "/valid", "/asd"].forEach((name) => io.of(name));
}

function declareData(socket) {
  socket.on("hi", () => socket.emit("hi"));
  socket.on("echo", (value, ack) => reply(ack, value));
  socket.on("ack", () => {
    socket.emit("ack", (a, b) => a === 5 && b?.test && socket.emit("got it"));
  });
  socket.on("getAckDate", (_, ack) => reply(ack, new Date()));
  socket.on("getDate", () => socket.emit("takeDate", new Date()));
  socket.on("getDateObj", () => socket.emit("takeDateObj", { date: new Date() }));
  socket.on("getUtf8", () => TEXTS.forEach((text) => socket.emit("takeUtf8", text)));
  socket.on("false", () => socket.emit("false", false));
  socket.on("getHandshake", (ack) => reply(ack, socket.handshake));
  socket.on("getId", (ack) => reply(ack, socket.id));
}

function declareBinary(socket) {
  const received = new Set();
  const bytes = Buffer.from("asdfasdf");
  const isGreeting = (value) =>
    value?.hello === "lol" && Buffer.isBuffer(value.message) && value.goodbye === "gotcha";
  const answer = (event, accept, answered) => {
    socket.on(event, (value) => accept(value) && socket.emit(answered));
  };
  const remember = (event, accept) => {
    socket.on(event, (value) => accept(value) && received.add(event));
  };
  socket.on("doge", () => socket.emit("doge", bytes));
  socket.on("getbin", () => socket.emit("takebin", bytes));
  answer("buffa", Buffer.isBuffer, "buffack");
  answer("blob", Buffer.isBuffer, "back");
  answer("jsonbuff", isGreeting, "jsonbuff-ack");
  answer("jsonblob", isGreeting, "jsonblob-ack");
  remember("abuff1", Buffer.isBuffer);
  answer("abuff2", () => received.has("abuff1"), "abuff2-ack");
  remember("blob1", Buffer.isBuffer);
  remember("blob2", (value) => value === "second" && received.has("blob1"));
  answer("blob3", (value) => Buffer.isBuffer(value) && received.has("blob2"), "blob3-ack");
}

function reply(ack, value) {
  if (typeof ack === "function") {
    ack(value);
  }
}

// Clients of the suites: socket.io-client in the three ways it can be told to travel.
import { io } from "socket.io-client";
import { next, nextWhere } from "./wait.mjs";

/** Each suite runs once per mode; `settles` names the transport a session ends up with. */
export const modes = [
  { name: "polling, then upgrade", options: {}, settles: "websocket" },
  { name: "websocket only", options: { transports: ["websocket"] }, settles: "websocket" },
  { name: "polling only", options: { transports: ["polling"] }, settles: "polling" },
];

/** Clients that are closed together at the end of a test. */
export class Clients {
  #open = new Set();

  constructor(url, mode) {
    this.url = url;
    this.options = { ...mode?.options, forceNew: true, reconnectionDelay: 20 };
  }

  /** A client that has not connected yet, so that a test can listen first. */
  create({ namespace = "/", ...options } = {}) {
    const socket = io(this.url + namespace, { ...this.options, autoConnect: false, ...options });
    this.#open.add(socket);
    return socket;
  }

  /** A client in the namespace. */
  async connect(options) {
    const socket = this.create(options);
    const connected = next(socket, "connect");
    socket.connect();
    await connected;
    return socket;
  }

  /** A client whose upgrade, if its mode has one, is done. */
  async settle(options) {
    const socket = await this.connect(options);
    await upgraded(socket);
    return socket;
  }

  close() {
    this.#open.forEach((socket) => socket.disconnect());
    this.#open.clear();
  }
}

/** Resolves when the client's transport is the last it will have. */
export async function upgraded(socket) {
  const { engine, opts } = socket.io;
  const stays = opts.transports?.length === 1;
  if (!stays && engine.transport.name !== "websocket") {
    await next(engine, "upgrade");
  }
}

/**
 * Resolves once the server says that it has so many users, which it says to those in the room
 * `users`. A client that isn't connected yet joins as soon as it is.
 */
export function usersReach(socket, wanted, boundMs) {
  const reached = nextWhere(socket, "users", (count) => count === wanted, boundMs);
  socket.emit("join", "users");
  return reached;
}

/** Resolves when the server has handled all that this socket emitted before. */
export function handled(socket) {
  return socket.timeout(10_000).emitWithAck("ack-echo", "handled");
}

// Clients of the suites: socket.io-client in the three ways it can be told to travel.
import { io } from "socket.io-client";
import { io as io3 } from "socket.io-client-3";
import io2 from "socket.io-client-2";
import { next, nextWhere, within } from "./wait.mjs";

/** Each suite runs once per mode; `settles` names the transport a session ends up with. */
export const modes = [
  { name: "polling, then upgrade", options: {}, settles: "websocket" },
  { name: "websocket only", options: { transports: ["websocket"] }, settles: "websocket" },
  { name: "polling only", options: { transports: ["polling"] }, settles: "polling" },
];

/** The clients that are in use; `protocol` is the revision of Engine.IO they speak. */
export const generations = [
  { name: "socket.io-client 4.8", io, protocol: 4 },
  { name: "socket.io-client 3.1", io: io3, protocol: 4 },
  { name: "socket.io-client 2.5", io: io2, protocol: 3 },
];

/** Clients that are closed together at the end of a test. */
export class Clients {
  #open = new Set();

  constructor(url, mode, generation = generations[0], options = {}) {
    this.url = url;
    this.io = generation.io;
    this.options = { ...mode?.options, ...options, forceNew: true, reconnectionDelay: 20 };
  }

  /** A client that has not connected yet, so that a test can listen first. */
  create({ namespace = "/", ...options } = {}) {
    const socket = this.io(this.url + namespace, { ...this.options, autoConnect: false, ...options });
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

  /** A client in another namespace on the same connection, not connected yet. */
  beside(socket, namespace, options) {
    const other = socket.io.socket(namespace, options);
    this.#open.add(other);
    return other;
  }

  close() {
    this.#open.forEach((socket) => socket.disconnect());
    this.#open.clear();
  }
}

/** Why the server doesn't let the client in: the message, and the data if there is some. */
export async function refusalOf(socket) {
  const refused = next(socket, "connect_error");
  socket.connect();
  const [{ message, data }] = await refused;
  socket.disconnect();
  return [message, data];
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

/** All that the server acknowledges the event with, whatever the generation of the client. */
export function ask(socket, event, ...args) {
  const answered = new Promise((resolve) => {
    socket.emit(event, ...args, (...answer) => resolve(answer));
  });
  return within(answered, `the acknowledgement of ${event}`);
}

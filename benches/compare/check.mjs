// Asks a server whether it serves the benchmarks' application, with the client that people use:
// figures of servers that don't do the same would compare nothing.
//
//   await checkApplication("http://127.0.0.1:3000");      rejects with what is wrong
import { createRequire } from "node:module";

const PEERS = new URL("../peers/node/package.json", import.meta.url);

/** Goes through the application on WebSocket, on long-polling, and on the way between the two. */
export async function checkApplication(url) {
  const health = await fetch(`${url}/healthz`);
  expect("GET /healthz", await health.text(), "ok");
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    await checkEvents(url, transports);
  }
}

async function checkEvents(url, transports) {
  // Not at the top: the package is there only once the peers are built.
  const { io } = createRequire(PEERS)("socket.io-client");
  const options = { transports, forceNew: true, reconnection: false };
  const [one, other] = [io(url, options), io(url, options)];
  try {
    await Promise.all([next(one, "connect"), next(other, "connect")]);
    for (const value of ["text", Buffer.from("binary")]) {
      await checkAnswers(one, other, value);
      await checkRooms(one, other, value);
    }
    const reply = next(one, "reply");
    one.emit("message", "hello");
    expect("message", await reply, "Hello Client");
  } finally {
    one.close();
    other.close();
  }
}

async function checkAnswers(one, other, value) {
  const everybody = Promise.all([next(one, "chat"), next(other, "chat")]);
  one.emit("chat", value);
  expect("chat", await everybody, [value, value]);
  const echo = next(one, "echo");
  one.emit("echo", value);
  expect("echo", await echo, value);
  expect("ack-echo", await one.timeout(WAIT_MS).emitWithAck("ack-echo", value), value);
}

async function checkRooms(one, other, value) {
  const heard = [];
  const listener = (...args) => heard.push(...args);
  other.on("room", listener);
  one.emit("room", "lobby", "before");
  await settle(one, other);
  other.emit("join", "lobby");
  await settle(other, one);
  one.emit("room", "lobby", value);
  await settle(one, other);
  other.emit("leave", "lobby");
  await settle(other, one);
  one.emit("room", "lobby", "after");
  await settle(one, other);
  other.off("room", listener);
  expect("room", heard, [value]);
}

/** What was sent before has been handled, and what follows from it has arrived. */
async function settle(...sockets) {
  for (const socket of sockets) {
    await socket.timeout(WAIT_MS).emitWithAck("ack-echo", "settled");
  }
}

function next(socket, event) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${event} doesn't come`)), WAIT_MS);
    socket.once(event, (value) => {
      clearTimeout(late);
      resolve(value);
    });
    socket.once("connect_error", reject);
  });
}

function expect(what, found, wanted) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) {
    throw new Error(`${what} brings ${left}, not ${right}`);
  }
}

const WAIT_MS = 5_000;

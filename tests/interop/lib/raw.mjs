// Engine.IO without a client's library, for what is said about packets and bytes. Text is read as
// strings and binary as Buffers, one packet at a time, whatever the transport.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";
import { within } from "./wait.mjs";

const SEPARATOR = "\u001e";

/** How sessions are opened, by the name of their transport. */
export const raw = { polling: openPolling, websocket: openWebSocket };

/** A session over polling at the endpoint, `http://127.0.0.1:40123/engine.io/`. */
export async function openPolling(endpoint, query = "", headers = {}) {
  const response = await fetch(`${endpoint}?EIO=4&transport=polling${query}`, { headers });
  const [first, ...unread] = (await response.text()).split(SEPARATOR);
  const opened = handshake(first);
  const url = `${endpoint}?EIO=4&transport=polling&sid=${opened.sid}`;
  const session = { opened, response, url };
  session.get = async (more = "") => {
    const answer = await within(fetch(url + more), "the answer to a poll");
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  session.post = (body, headers = {}) => {
    return within(fetch(url, { method: "POST", body, headers }), "the answer to a POST");
  };
  session.send = async (...packets) => {
    const texts = packets.map((packet) => {
      return typeof packet === "string" ? packet : `b${packet.toString("base64")}`;
    });
    const answer = await session.post(texts.join(SEPARATOR));
    assert.deepEqual([answer.status, await answer.text()], [200, "ok"]);
  };
  session.read = async () => {
    if (unread.length === 0) {
      const { status, body } = await session.get();
      assert.equal(status, 200, body);
      unread.push(...body.split(SEPARATOR));
    }
    const packet = unread.shift();
    return packet[0] === "b" ? Buffer.from(packet.slice(1), "base64") : packet;
  };
  session.hear = () => hear(session);
  /** Resolves when polls are refused; of what comes until then no more than pings are answered. */
  session.closed = async ({ answering = false } = {}) => {
    for (;;) {
      const { status, body } = await session.get();
      if (status !== 200) {
        return;
      }
      if (answering && body.split(SEPARATOR).includes("2")) {
        await session.post("3");
      }
    }
  };
  return session;
}

/** A session over WebSocket. */
export async function openWebSocket(endpoint, query = "") {
  const socket = await dial(`${endpoint}?EIO=4&transport=websocket${query}`);
  return Object.assign(socket, { opened: handshake(await socket.read()) });
}

/** An open WebSocket, of Engine.IO or not. */
export async function dial(url, options) {
  const socket = new WebSocket(url.replace(/^http/, "ws"), options);
  const unread = [];
  let ended;
  let wake = () => {};
  socket.on("message", (data, isBinary) => {
    unread.push(isBinary ? data : data.toString());
    wake();
  });
  const close = new Promise((resolve) => {
    socket.on("close", (code, reason) => {
      ended = { code, reason: reason.toString() };
      resolve(ended);
      wake();
    });
  });
  const next = async () => {
    while (unread.length === 0) {
      assert.ok(!ended, `instead of a message came the end: ${JSON.stringify(ended)}`);
      await new Promise((resolve) => (wake = resolve));
    }
    return unread.shift();
  };
  socket.read = () => within(next(), "a message");
  socket.hear = () => hear(socket);
  socket.closed = ({ answering = false } = {}) => {
    if (answering) {
      socket.on("message", (data) => data.toString() === "2" && socket.send("3"));
    }
    return within(close, "the WebSocket's end");
  };
  await within(once(socket, "open"), "the WebSocket's opening");
  // What goes wrong later shows in how it ends.
  socket.on("error", () => {});
  return socket;
}

/** The status with which the server refuses to open a WebSocket. */
export async function refused(url) {
  const socket = new WebSocket(url.replace(/^http/, "ws"));
  socket.on("error", () => {});
  const [, response] = await within(once(socket, "unexpected-response"), "the refusal");
  socket.terminate();
  return response.statusCode;
}

/** Joins the namespace; answers with the payload of the server's CONNECT packet. */
export async function join(session, namespace = "/", payload = undefined) {
  const prefix = `40${namespace === "/" ? "" : `${namespace},`}`;
  await session.send(prefix + (payload === undefined ? "" : JSON.stringify(payload)));
  const packet = await session.hear();
  assert.ok(packet.startsWith(`${prefix}{`), packet);
  return JSON.parse(packet.slice(prefix.length));
}

/** The next packet that is no ping; pings are answered. */
async function hear(session) {
  for (;;) {
    const packet = await session.read();
    if (packet !== "2") {
      return packet;
    }
    await session.send("3");
  }
}

/** Checks the settings that an open packet tells, and that its id is one of the reference's form. */
export function assertOpened({ opened }, transport, { pingInterval, pingTimeout, maxPayload }) {
  const { sid, ...settings } = opened;
  assert.match(sid, /^[\w-]{20}$/);
  const upgrades = transport === "polling" ? ["websocket"] : [];
  assert.deepEqual(settings, { upgrades, pingInterval, pingTimeout, maxPayload });
}

function handshake(packet) {
  assert.equal(packet[0], "0", packet);
  return JSON.parse(packet.slice(1));
}

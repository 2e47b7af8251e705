// Bare Engine.IO with the client of its revision 3, and with that of 4 beside it.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Socket } from "engine.io-client";
import { modes } from "../lib/client.mjs";
import { startScenario } from "../lib/server.mjs";
import { collect, next } from "../lib/wait.mjs";

const require = createRequire(
  new URL("../node_modules/socket.io-client-2/package.json", import.meta.url),
);
const engine3 = require("engine.io-client");
const path = "/engine.io";

const revisions = [
  { name: "3", open: (url, options) => engine3(url, { ...options, path }) },
  { name: "4", open: (url, options) => new Socket(url, { ...options, path }) },
];

for (const { name, open } of revisions) {
  for (const mode of modes) {
    describe(`engine.io ${name}, ${mode.name}`, () => {
      let server;
      const sockets = [];
      before(async () => {
        server = await startScenario("engine-protocol-v3");
      });
      after(() => server?.stop());
      afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

      /** A session whose upgrade, if its mode has one, is done. */
      const settle = async () => {
        const socket = open(server.url, mode.options);
        sockets.push(socket);
        await next(socket, "open");
        if (socket.transport.name !== mode.settles) {
          await next(socket, "upgrade");
        }
        return socket;
      };

      test("messages come back as they went", async () => {
        const socket = await settle();
        const sent = ["text", "\u{1f600} \u{e9}\u2028", Buffer.from([0, 4, 30, 255]), "last"];
        const heard = collect(socket, "message", sent.length);
        for (const message of sent) {
          socket.send(message);
        }
        const plain = (message) => (typeof message === "string" ? message : [...Buffer.from(message)]);
        assert.deepEqual((await heard).map(plain), sent.map(plain));
      });

      test("many keep their order", async () => {
        const socket = await settle();
        const heard = collect(socket, "message", 300);
        for (let count = 0; count < 300; count += 1) {
          socket.send(String(count));
        }
        assert.deepEqual(await heard, Array.from({ length: 300 }, (_, index) => String(index)));
      });

      test("pings keep the session, whoever sends them", async () => {
        const socket = await settle();
        const { id } = socket;
        const beat = name === "3" ? "pong" : "ping";
        for (let count = 0; count < 4; count += 1) {
          await next(socket, beat);
        }
        const heard = next(socket, "message");
        socket.send("alive");
        assert.deepEqual(await heard, ["alive"]);
        assert.equal(socket.id, id);
      });
    });
  }
}

test("where revision 3 isn't let in it is told so", async () => {
  const server = await startScenario("engine-protocol");
  try {
    const response = await fetch(`${server.url}${path}/?EIO=3&transport=polling`);
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { code: 5, message: "Unsupported protocol version" });
  } finally {
    await server.stop();
  }
});

// Heartbeats, with intervals short enough to watch several.
import { test } from "node:test";
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { handled, usersReach } from "../lib/client.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { next, within } from "../lib/wait.mjs";

const flags = ["--ping-interval", "300ms", "--ping-timeout", "200ms"];

inEachMode(
  "heartbeats",
  (context) => {
    test("hold an idle connection over several pings", async () => {
      const client = await context.clients.settle();
      const { id } = client;
      const since = performance.now();
      for (let count = 0; count < 6; count += 1) {
        await next(client.io, "ping", 2_000);
      }
      const elapsedMs = performance.now() - since;
      assert.ok(elapsedMs >= 5 * 290, `six pings came within ${elapsedMs} ms`);
      await handled(client);
      assert.equal(client.id, id);
    });

    test("hold a busy connection as well", async () => {
      const client = await context.clients.settle();
      const { id } = client;
      let pings = 0;
      client.io.on("ping", () => (pings += 1));
      while (pings < 4) {
        await handled(client);
      }
      assert.equal(client.id, id);
    });

    test("a client that stops answering is closed and counted out", async () => {
      const observer = await context.clients.connect();
      const silent = new WebSocket(
        `ws://127.0.0.1:${context.server.port}/socket.io/?EIO=4&transport=websocket`,
      );
      silent.on("error", () => {});
      const both = usersReach(observer, 2);
      await next(silent, "open");
      silent.send("40");
      await both;
      const alone = usersReach(observer, 1);
      await next(silent, "close", 5_000);
      await alone;
    });

    test("a client notices a server that stopped", async () => {
      const { server, clients } = context;
      const client = await clients.settle({ reconnection: false });
      const ended = next(client, "disconnect", 10_000);
      process.kill(server.pid, "SIGSTOP");
      try {
        const [reason] = await within(ended, "the client's own ping timeout");
        assert.equal(reason, "ping timeout");
      } finally {
        process.kill(server.pid, "SIGCONT");
      }
      // The server, awake again, reaps the lost session and serves on.
      const fresh = await clients.settle();
      await handled(fresh);
    });
  },
  { flags },
);

// The smoke app with connection state recovery: a client that comes back soon is who it was, and
// hears what it missed.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ask, generations } from "../lib/client.mjs";
import { inEachGeneration } from "../lib/suite.mjs";
import { next } from "../lib/wait.mjs";

inEachGeneration(
  "smoke-recovery",
  (context) => {
    /** A client in the room "r" that has heard something, and so has an offset. */
    async function member() {
      const client = context.clients.create();
      const welcome = next(client, "welcome");
      client.connect();
      assert.equal((await welcome)[0].recovered, false);
      await ask(client, "join", "r");
      return client;
    }

    /** Cuts the connection, as a network does, and waits until the server knows. */
    async function cut(client, observer) {
      const left = next(observer, "left");
      const gone = next(client, "disconnect");
      client.io.reconnection(false);
      client.io.engine.close();
      await Promise.all([left, gone]);
    }

    async function observing() {
      const observer = await member();
      await ask(observer, "join", "observers");
      return observer;
    }

    test("it has its id, rooms and data again, and what it missed, in order", async () => {
      const [client, observer] = [await member(), await observing()];
      await ask(client, "set", "name", "Ann");
      const { id } = client;
      await cut(client, observer);
      const heard = [];
      client.onAny((...args) => heard.push(args.slice(0, 2)));
      for (const [index, room] of ["r", "elsewhere", "r"].entries()) {
        observer.emit("in", room, "missed", index);
      }
      await ask(observer, "count");
      const welcome = next(client, "welcome");
      client.connect();
      const [told] = await welcome;
      assert.deepEqual([told.id, told.recovered, client.recovered], [id, true, true]);
      assert.equal(client.id, id);
      assert.deepEqual(heard.slice(0, 2), [["missed", 0], ["missed", 2]]);
      const [[described]] = await ask(observer, "fetch", id);
      assert.deepEqual(described, { id, rooms: [id, "r"].sort(), data: { name: "Ann" } });
    });

    test("bytes that were missed arrive too", async () => {
      const [client, observer] = [await member(), await observing()];
      await cut(client, observer);
      observer.emit("in", "r", "missed", { part: Buffer.from([1, 2, 255]) });
      await ask(observer, "count");
      const missed = next(client, "missed");
      client.connect();
      assert.deepEqual((await missed)[0], { part: Buffer.from([1, 2, 255]) });
    });

    test("after too long it is somebody new", async () => {
      const [client, observer] = [await member(), await observing()];
      const { id } = client;
      await cut(client, observer);
      // The server keeps it for 2 s; pings tell that time passes.
      const begun = performance.now();
      while (performance.now() - begun < 2_200) {
        await next(observer.io, "ping");
      }
      await expectFresh(client, id);
    });

    test("one that left its namespace, or was thrown out, is somebody new", async () => {
      const observer = await observing();
      for (const leave of [(client) => client.disconnect(), (client) => client.emit("bye")]) {
        const client = await member();
        const { id } = client;
        const left = next(observer, "left");
        // Who was thrown out must have heard of it, or it would not connect again.
        const gone = next(client, "disconnect");
        leave(client);
        await Promise.all([left, gone]);
        await expectFresh(client, id);
      }
    });

    test("an offset nobody gave restores nothing", async () => {
      const [client, observer] = [await member(), await observing()];
      const { id } = client;
      await cut(client, observer);
      client._lastOffset = "never-given";
      await expectFresh(client, id);
    });

    async function expectFresh(client, id) {
      const welcome = next(client, "welcome");
      client.connect();
      const [told] = await welcome;
      assert.equal(told.recovered, false);
      assert.notEqual(told.id, id);
    }
  },
  [generations[0]],
);

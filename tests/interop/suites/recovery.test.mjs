// Connection state recovery with the official client: who comes back, how soon, and the client's
// own trap.
import { test } from "node:test";
import assert from "node:assert/strict";
import { upgraded } from "../lib/client.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { startScenario } from "../lib/server.mjs";
import { next } from "../lib/wait.mjs";

const start = () => startScenario("client-support");

// An event that has no offset, because it is volatile or asks for an acknowledgement, must not end
// in a string: the client takes that for the offset. It is the client's mistake, and the
// reference's users have it too.
inEachMode(
  "the trap of the client's offset",
  (context) => {
    /** Whether a client recovers whose last event was this volatile one. */
    async function recoversAfter(...args) {
      const client = context.clients.create({ reconnectionDelay: 1, randomizationFactor: 0 });
      const welcome = next(client, "welcome");
      client.connect();
      await welcome;
      await upgraded(client);
      const last = next(client, "last");
      client.emit("volatile", "last", ...args);
      await last;
      const again = next(client, "welcome");
      client.io.engine.close();
      const [told] = await again;
      assert.equal(told.recovered, client.recovered);
      return told.recovered;
    }

    test("a volatile event that ends in a string costs the recovery", async () => {
      assert.equal(await recoversAfter("text"), false);
    });

    test("one that ends in anything else doesn't", async () => {
      assert.equal(await recoversAfter("text", 1), true);
      assert.equal(await recoversAfter("text", null), true);
    });
  },
  { start: () => startScenario("smoke-recovery") },
);

inEachMode(
  "recovery",
  (context) => {
    /** A client that has heard an event, and so has an offset to come back with. */
    async function heard() {
      const client = await context.clients.settle({ reconnectionDelay: 1, randomizationFactor: 0 });
      const hi = next(client, "hi");
      client.emit("hi");
      // The client keeps the offset for itself, and shows it all the same.
      assert.match(String(await hi), /^[\w-]+(\.[\w-]+)?$/);
      return client;
    }

    test("a connection that breaks costs a client neither its id nor an event", async () => {
      const client = await heard();
      const { id } = client;
      assert.equal(client.recovered, false);
      const missed = [];
      client.on("takeUtf8", (text) => missed.push(text));
      // Answered, perhaps, when nobody is there any more.
      client.emit("getUtf8");
      const gone = next(client, "disconnect");
      client.io.engine.close();
      await gone;
      await next(client, "connect");
      assert.equal(client.recovered, true);
      assert.equal(client.id, id);
      // Whether the server saw the question before the connection went: all of it, or nothing.
      assert.ok([0, 5].includes(missed.length), `${missed.length} came`);
    });

    test("time to recover", async (told) => {
      const client = await heard();
      const times = [];
      for (let round = 0; round < 20; round += 1) {
        const { id } = client;
        const gone = next(client, "disconnect");
        const begun = performance.now();
        client.io.engine.close();
        await gone;
        await next(client, "connect");
        times.push(performance.now() - begun);
        assert.deepEqual([client.recovered, client.id], [true, id], `round ${round}`);
      }
      times.sort((one, other) => one - other);
      const [median, slowest] = [times[10], times[19]].map((time) => time.toFixed(1));
      told.diagnostic(`from the break to "connect": median ${median} ms, slowest ${slowest} ms`);
      told.diagnostic("of which the client waits 1 ms, and the app 10 ms before it admits anybody");
    });

    test("who leaves the namespace, or has heard nothing, is new", async () => {
      const left = await heard();
      const silent = await context.clients.settle({ reconnectionDelay: 1 });
      const before = [left.id, silent.id];
      left.disconnect();
      left.connect();
      await next(left, "connect");
      silent.io.engine.close();
      await next(silent, "connect");
      assert.deepEqual([left.recovered, silent.recovered], [false, false]);
      assert.notDeepEqual([left.id, silent.id], before);
    });
  },
  { start },
);

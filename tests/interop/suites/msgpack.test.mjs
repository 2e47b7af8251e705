// Clients with socket.io-msgpack-parser, each packet one binary message: what JavaScript writes
// into msgpack comes to the server's handlers as it would through JSON, and bytes stay bytes.
import { test } from "node:test";
import assert from "node:assert/strict";
import parser from "socket.io-msgpack-parser";
import { Clients } from "../lib/client.mjs";
import { isReference, startScenario } from "../lib/server.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { next } from "../lib/wait.mjs";

const start = () => startScenario("socket-protocol-msgpack");

const values = {
  "null": null,
  "true": true,
  "integers at the edges of their forms": [
    0, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 9_007_199_254_740_991,
    -1, -32, -33, -128, -129, -32_768, -32_769, -2_147_483_648, -2_147_483_649,
    -9_007_199_254_740_991,
  ],
  "fractions": [0.1, -1.5, 1e-300, 3.141592653589793],
  "text of every length": ["", "a".repeat(31), "a".repeat(32), "a".repeat(256), "a".repeat(65_536)],
  "text from everywhere": "Grüße 你好 👩‍👩‍👧‍👦 \u0000\u2028 \u{10ffff}",
  "nested containers": { a: [{ b: [[], {}] }], "": { "_placeholder": true, num: 0 } },
  "a long array": Array.from({ length: 70_000 }, () => 1),
  "an object with many keys": Object.fromEntries(
    Array.from({ length: 70 }, (_, index) => [`key ${index}`, index]),
  ),
};

inEachMode(
  "msgpack",
  (context) => {
    const connect = (options) => context.clients.connect({ parser, ...options });
    const back = async (client, ...args) => {
      const heard = next(client, "message-back");
      client.emit("message", ...args);
      return heard;
    };

    for (const [kind, value] of Object.entries(values)) {
      test(`a value comes back in events and acks: ${kind}`, async () => {
        const client = await connect();
        assert.deepEqual(await back(client, value), [value]);
        const acked = await client.timeout(10_000).emitWithAck("message-with-ack", value);
        assert.deepEqual(acked, value);
      });
    }

    test("arguments come back in their number and order", async () => {
      const client = await connect();
      assert.deepEqual(await back(client), []);
      assert.deepEqual(await back(client, 1, "2", { three: [3] }), [1, "2", { three: [3] }]);
      const many = Array.from({ length: 20 }, (_, index) => index);
      assert.deepEqual(await back(client, ...many), many);
    });

    test("bytes of every kind come back as bytes, however deep", async () => {
      const client = await connect();
      const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
      const large = Buffer.alloc(70_000, 0x1e);
      const [first, nested] = await back(client, bytes, { parts: [bytes, { large }] });
      assert.deepEqual(plain(first), bytes);
      assert.deepEqual(plain(nested.parts[0]), bytes);
      assert.deepEqual(plain(nested.parts[1].large), large);
      for (const length of [0, 1, 8, 300]) {
        const { buffer } = new Uint8Array(length).fill(7);
        const [heard] = await back(client, buffer);
        assert.deepEqual(plain(heard), Buffer.alloc(length, 7));
      }
    });

    test("what msgpack has no form for comes as JSON would have it", async (t) => {
      if (isReference) {
        // There a Date stays one, and undefined too: nothing is parsed into types.
        return t.skip("the reference hands on what it got");
      }
      const client = await connect();
      const date = new Date("2024-02-29T12:34:56.789Z");
      assert.deepEqual(await back(client, date), [date.toISOString()]);
      assert.deepEqual(await back(client, undefined, 1), [null, 1]);
      const object = { a: undefined, b: [undefined], c: { at: date } };
      const expected = { b: [null], c: { at: date.toISOString() } };
      assert.deepEqual(await back(client, object), [expected]);
      assert.deepEqual(await back(client, NaN, Infinity), [NaN, Infinity]);
    });

    test("handlers get what their types ask for", async () => {
      const client = await connect();
      assert.equal(await client.timeout(10_000).emitWithAck("add", 40, 2), 42);
      assert.equal(await client.timeout(10_000).emitWithAck("add", 2 ** 40, -1), 2 ** 40 - 1);
      const described = next(client, "described");
      const picture = { name: "a.png", taken: new Date(0), size: [640, 480], note: undefined };
      client.emit("describe", { ...picture, data: new Uint8Array([1, 2, 3]).buffer });
      const [heard, length] = await described;
      assert.equal(length, 3);
      assert.equal(heard.name, "a.png");
      assert.equal(new Date(heard.taken).getTime(), 0);
      assert.deepEqual(heard.size, [640, 480]);
      assert.deepEqual(plain(heard.data), Buffer.from([1, 2, 3]));
      assert.equal(heard.note, undefined);
    });

    test("the server's events are acknowledged", async () => {
      const client = await connect();
      client.on("question", (how, answer) => answer(how, Buffer.from([1])));
      const answered = next(client, "answered");
      client.emit("ask");
      const [how, bytes] = await answered;
      assert.deepEqual([how, plain(bytes)], [{ sure: true }, Buffer.from([1])]);
    });

    test("a broadcast reaches those in its room", async () => {
      const [one, two, three] = await Promise.all([connect(), connect(), connect()]);
      one.emit("join", "room");
      two.emit("join", "room");
      await two.timeout(10_000).emitWithAck("message-with-ack", 1);
      await one.timeout(10_000).emitWithAck("message-with-ack", 1);
      const heard = [next(one, "broadcast"), next(two, "broadcast")];
      three.on("broadcast", () => assert.fail("not in the room"));
      three.emit("broadcast", "room", "hi", Buffer.from([9]));
      for (const [text, bytes] of await Promise.all(heard)) {
        assert.deepEqual([text, plain(bytes)], ["hi", Buffer.from([9])]);
      }
      await three.timeout(10_000).emitWithAck("message-with-ack", 1);
    });

    test("namespaces are joined with credentials, refused and left", async () => {
      const main = await connect();
      const custom = context.clients.create({ parser, namespace: "/custom", auth: { token: "x" } });
      const auth = next(custom, "auth");
      custom.connect();
      assert.deepEqual(await auth, [{ token: "x" }]);
      const denied = context.clients.create({ parser, namespace: "/deny", auth: { a: 1 } });
      const [error] = await next(denied.connect(), "connect_error");
      assert.deepEqual([error.message, error.data], ["not for you", { a: 1 }]);
      const unknown = context.clients.create({ parser, namespace: "/none" });
      const [invalid] = await next(unknown.connect(), "connect_error");
      assert.equal(invalid.message, "Invalid namespace");
      custom.disconnect();
      assert.deepEqual(await back(main, "still here"), ["still here"]);
    });

    test("a client that talks JSON is closed, and nobody else", async () => {
      const client = await connect();
      const wrong = new Clients(context.server.url, context.mode);
      const socket = wrong.create({ reconnection: false });
      const closed = next(socket.io, "close");
      socket.connect();
      await closed;
      wrong.close();
      assert.deepEqual(await back(client, 1), [1]);
    });
  },
  { start },
);

/** In Node.js bytes are Buffers or ArrayBuffers, by how they were sent. */
function plain(bytes) {
  return Buffer.from(bytes);
}

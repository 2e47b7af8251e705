// Events and acks: order, binary, text of every kind, rooms, volatile.
import { test } from "node:test";
import assert from "node:assert/strict";
import { handled } from "../lib/client.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { collect, next, within } from "../lib/wait.mjs";

const nested = () => ({
  name: "picture",
  parts: [Buffer.from([0, 1, 2, 253, 254, 255]), { deep: Buffer.alloc(5_000, 0x1e) }],
  empty: Buffer.alloc(0),
  none: null,
});

const texts = {
  "ASCII controls": "\u0000\u0001\b\t\n\r\u001b\u001e\u001f\u007f",
  "quotes and escapes": '"\\/\\u0041\'`${}',
  "Latin and Greek": "Grüße, Ωμέγα",
  "CJK": "你好,世界 こんにちは 안녕하세요",
  "emoji with joiners": "👋🏽 👩‍👩‍👧‍👦 🏳️‍🌈",
  "right to left": "שלום مرحبا",
  "line separators": "a\u2028b\u2029c\ufeff",
  "astral and last code points": "\u{10000}\u{10ffff}\ufffd\uffff",
  "lone surrogates": "\ud800 \udc00 \udfff\ud83d",
  "looks like packets": '42["x"]\u001e1\u001e',
  "empty": "",
};

inEachMode("events", (context) => {
  test("values of every JSON type come back", async () => {
    const client = await context.clients.connect();
    const values = [null, true, 0, -1.5, 1e300, "text", [], [[1], {}], { a: { b: [null] } }];
    for (const value of values) {
      assert.deepEqual(await client.timeout(5_000).emitWithAck("ack-echo", value), value);
      const echo = next(client, "echo");
      client.emit("echo", value);
      assert.deepEqual(await echo, [value]);
    }
  });

  for (const [kind, text] of Object.entries(texts)) {
    test(`text comes back as it was: ${kind}`, async () => {
      const client = await context.clients.connect();
      const echo = next(client, "echo");
      client.emit("echo", text);
      assert.deepEqual(await echo, [text]);
      assert.equal(await client.timeout(5_000).emitWithAck("ack-echo", text), text);
    });
  }

  test("nested binary comes back in events and acks", async () => {
    const client = await context.clients.settle();
    const echo = next(client, "echo");
    client.emit("echo", nested());
    assert.deepEqual(await echo, [nested()]);
    assert.deepEqual(await client.timeout(5_000).emitWithAck("ack-echo", nested()), nested());
  });

  test("binary while the transport is being upgraded", async () => {
    const client = await context.clients.connect();
    const acks = Array.from({ length: 50 }, (_, index) =>
      client.timeout(10_000).emitWithAck("ack-echo", Buffer.from([index, 255 - index])),
    );
    const heard = await Promise.all(acks);
    heard.forEach((bytes, index) => assert.deepEqual([...bytes], [index, 255 - index]));
  });

  test("an ack that never comes ends with a timeout", async () => {
    const client = await context.clients.connect();
    await assert.rejects(client.timeout(200).emitWithAck("nobody-listens"), /timed out/);
    // The connection is as good as before.
    assert.equal(await client.timeout(5_000).emitWithAck("ack-echo", 1), 1);
  });

  test("acks by callback, many in flight, each with its own answer", async () => {
    const client = await context.clients.connect();
    const answers = Array.from({ length: 500 }, (_, index) => {
      const answer = new Promise((resolve) => client.emit("ack-echo", index, resolve));
      return within(answer, `ack ${index}`);
    });
    assert.deepEqual(await Promise.all(answers), Array.from(answers.keys()));
  });

  test("10,000 events keep their order", async () => {
    const client = await context.clients.connect();
    const count = 10_000;
    const heard = collect(client, "echo", count, 30_000);
    for (let index = 0; index < count; index += 1) {
      client.emit("echo", index);
    }
    assert.deepEqual(await heard, Array.from({ length: count }, (_, index) => index));
  });

  test("rooms: join, a message to the room, leave", async () => {
    const { clients } = context;
    const [inside, other, outside] = await Promise.all([1, 2, 3].map(() => clients.connect()));
    const heard = new Map([inside, other, outside].map((client) => [client, []]));
    heard.forEach((list, client) => client.on("room", (text) => list.push(text)));

    inside.emit("join", "blue");
    other.emit("join", "blue");
    await Promise.all([inside, other].map(handled));
    await say(outside, "from outside", [inside, other]);
    await say(inside, "from inside", [inside, other]);

    other.emit("leave", "blue");
    await handled(other);
    await say(inside, "after leave", [inside]);
    // Whatever was on its way to the others has come once their own acks have.
    await Promise.all([other, outside].map(handled));

    assert.deepEqual(heard.get(inside), ["from outside", "from inside", "after leave"]);
    assert.deepEqual(heard.get(other), ["from outside", "from inside"]);
    assert.deepEqual(heard.get(outside), []);
  });

  test("volatile: sent when connected, dropped when not", async () => {
    const { clients } = context;
    const client = clients.create();
    client.volatile.emit("echo", "dropped");
    const heard = [];
    client.on("echo", (value) => heard.push(value));
    const connected = next(client, "connect");
    client.connect();
    await connected;
    // A volatile event may be dropped, so it is repeated until one came back.
    while (heard.length === 0) {
      client.volatile.emit("echo", "volatile");
      await handled(client);
    }
    assert.equal(heard[0], "volatile");
  });
});

/** Emits to the room and waits until the named members heard it. */
async function say(from, text, members) {
  const heard = members.map((member) => next(member, "room"));
  from.emit("room", "blue", text);
  for (const args of await Promise.all(heard)) {
    assert.deepEqual(args, [text]);
  }
}

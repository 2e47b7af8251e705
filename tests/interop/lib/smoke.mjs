// The tests of the smoke app: every event and every namespace, whatever the client and its parser.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ask } from "./client.mjs";
import { next, nextWhere } from "./wait.mjs";

const bytes = () => Buffer.from([0, 1, 2, 253, 254, 255]);
const lists = () => ({
  "none": [],
  "one of each kind": [null, true, -1.5, "tëxt", [1, [2]], { a: { b: null } }],
  "bytes, alone and within": [bytes(), { deep: [bytes(), Buffer.alloc(3_000, 7)] }, "end"],
});

/** Declares the tests for one app, generation and mode. */
export function declareSmoke(context) {
  const { protocol } = context.generation;

  /** Clients in `/` that keep what they hear, with `heard()` once the server is done with them. */
  function crowd(count) {
    return Promise.all(Array.from({ length: count }, welcomed));
  }

  async function welcomed() {
    const client = context.clients.create();
    const welcome = next(client, "welcome");
    client.connect();
    await welcome;
    return listening(client);
  }

  /** Why a client was not let in, as its generation tells it. */
  async function refusal(client) {
    const refused = next(client, protocol === 4 ? "connect_error" : "error");
    client.connect();
    const [error] = await refused;
    client.disconnect();
    return protocol === 4 ? { message: error.message, data: error.data } : error;
  }

  test("welcome tells the socket's id and the payload it came with", async () => {
    const client = context.clients.create({ auth: { key: "value" } });
    const welcome = next(client, "welcome");
    client.connect();
    const [{ id, auth, recovered }] = await welcome;
    assert.equal(id, client.id);
    assert.deepEqual(auth, protocol === 4 ? { key: "value" } : {});
    assert.equal(recovered, false);
  });

  for (const [kind, args] of Object.entries(lists())) {
    test(`echo and reflect, arguments: ${kind}`, async () => {
      const client = await context.clients.connect();
      assert.deepEqual(await ask(client, "echo", ...args), args);
      const echo = next(client, "echo");
      client.emit("echo", ...args);
      assert.deepEqual(await echo, args);
      const reflected = next(client, "other");
      client.emit("reflect", "other", ...args);
      assert.deepEqual(await reflected, args);
    });

    test(`ask, answered with arguments: ${kind}`, async () => {
      const client = await context.clients.connect();
      client.on("question", (...question) => question.pop()(...args));
      const answer = next(client, "answer");
      client.emit("ask", ...args);
      assert.deepEqual(await answer, args);
    });
  }

  test("ask passes its arguments on, and tells when no answer comes", async () => {
    const client = await context.clients.connect();
    const question = next(client, "question");
    client.emit("ask", 1, "two");
    const [one, two, ack] = await question;
    assert.deepEqual([one, two, typeof ack], [1, "two", "function"]);
    assert.deepEqual(await next(client, "no-answer"), ["operation has timed out"]);
  });

  test("reserved names, other shapes and other events do nothing", async () => {
    const [client] = await crowd(1);
    for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener"]) {
      client.emit("reflect", name, 1);
    }
    client.emit("reflect", 5);
    client.emit("reflect");
    client.emit("in", []);
    client.emit("to", 7);
    client.emit("nobody-listens", 1);
    assert.deepEqual(await client.heard(), []);
    assert.ok(client.connected);
  });

  test("join and leave tell the rooms in their order", async () => {
    const client = await context.clients.connect();
    assert.deepEqual(await ask(client, "join", "b"), [["b"]]);
    assert.deepEqual(await ask(client, "join", "a"), [["a", "b"]]);
    assert.deepEqual(await ask(client, "leave", "b"), [["a"]]);
    assert.deepEqual(await ask(client, "leave", "never joined"), [["a"]]);
  });

  test("to, in, except, broadcast reach whom they say, once each", async () => {
    const [a, b, c] = await crowd(3);
    await ask(a, "join", "one");
    await ask(b, "join", "one");
    await ask(b, "join", "two");
    a.emit("to", "one", "e", "to", bytes());
    a.emit("in", "one", "e", "in");
    a.emit("in", ["one", "two"], "e", "once");
    a.emit("except", "two", "e", "except");
    a.emit("broadcast", "e", "broadcast");
    await ask(a, "count");
    const saying = (...words) => words.map((word) => ["e", ...[word].flat()]);
    assert.deepEqual(await a.heard(), saying("in", "once", "except"));
    assert.deepEqual(await b.heard(), saying(["to", bytes()], "in", "once", "broadcast"));
    assert.deepEqual(await c.heard(), saying("except", "broadcast"));
  });

  test("volatile arrives where nothing stands in its way", async () => {
    const client = await context.clients.settle();
    const heard = next(client, "v");
    // Over polling it is lost while no GET waits.
    const again = setInterval(() => client.emit("volatile", "v", 1), 20);
    assert.deepEqual(await heard.finally(() => clearInterval(again)), [1]);
  });

  test("ask-room gathers the first arguments of all answers", async () => {
    const [a, b, c] = await crowd(3);
    assert.deepEqual(await ask(a, "ask-room", "r", 1_000), [{ timedOut: false, responses: [] }]);
    for (const [client, answer] of [[a, "x"], [b, { n: 1 }]]) {
      await ask(client, "join", "r");
      client.on("question", (...args) => args.pop()(answer, "ignored"));
    }
    const all = { timedOut: false, responses: ["x", { n: 1 }] };
    assert.deepEqual(await ask(a, "ask-room", "r", 1_000, "how?"), [all]);
    await ask(c, "join", "r");
    assert.deepEqual(await ask(a, "ask-room", "r", 200), [{ ...all, timedOut: true }]);
  });

  test("set, fetch, make-join, make-leave", async () => {
    const [a, b] = await crowd(2);
    assert.deepEqual(await ask(a, "set", "name", { first: "Ann" }), [true]);
    await ask(a, "join", "hall");
    await ask(b, "join", "hall");
    assert.deepEqual(await ask(b, "make-join", "hall", "stage"), [true]);
    const described = (client, data) => {
      return { id: client.id, rooms: [client.id, "hall", "stage"].sort(), data };
    };
    const all = [described(a, { name: { first: "Ann" } }), described(b, {})];
    all.sort((left, right) => (left.id < right.id ? -1 : 1));
    assert.deepEqual(await ask(a, "fetch", "stage"), [all]);
    assert.deepEqual(await ask(a, "make-leave", "stage", "hall"), [true]);
    assert.deepEqual(await ask(a, "fetch", "hall"), [[]]);
    assert.deepEqual(await ask(a, "fetch", "nowhere"), [[]]);
  });

  test("kick and bye take sockets out, and their connections if told so", async () => {
    for (const close of [false, true]) {
      const [a, b, c] = await crowd(3);
      await ask(b, "join", "out");
      const left = [next(b, "disconnect"), next(c, "disconnect")];
      a.emit("kick", "out", close);
      c.emit("bye", close);
      for (const [reason] of await Promise.all(left)) {
        assert.equal(reason, "io server disconnect");
      }
      assert.ok(a.connected);
    }
  });

  test("observers hear who left, why, and of which rooms", async () => {
    const [observer, ...others] = await crowd(5);
    await ask(observer, "join", "observers");
    const ids = others.map((client) => client.id);
    for (const client of others) {
      await ask(client, "join", "z");
      await ask(client, "join", "a");
    }
    const [leaver, closer, byer, kicked] = others;
    const left = ids.map((id) => nextWhere(observer, "left", (told) => told.id === id));
    leaver.disconnect();
    closer.io.engine.close();
    byer.emit("bye");
    await ask(kicked, "join", "to-kick");
    observer.emit("kick", "to-kick", true);
    const told = (await Promise.all(left)).map(([{ reason, rooms }]) => [reason, rooms]);
    const rooms = ["a", "z"];
    assert.deepEqual(told, [
      ["client namespace disconnect", rooms],
      ["transport close", rooms],
      ["server namespace disconnect", rooms],
      ["server namespace disconnect", ["a", "to-kick", "z"]],
    ]);
  });

  test("blob, digest, text, flood", async () => {
    const client = await context.clients.connect();
    for (const n of [0, 3, 300]) {
      const blob = next(client, "blob");
      client.emit("blob", n);
      const data = Buffer.from(Array.from({ length: n }, (_, i) => (7 * i + 3) % 256));
      assert.deepEqual(await blob, [{ n, data, nested: [{ head: data.subarray(0, 4) }] }]);
    }
    const parts = [bytes(), { deep: [Buffer.alloc(400, 255)] }, 1];
    const sum = (0 + 1 + 2 + 253 + 254 + 255 + 400 * 255) % 65_536;
    assert.deepEqual(await ask(client, "digest", ...parts), [{ count: 2, bytes: 406, sum }]);
    const text = next(client, "text");
    client.emit("text", 50_000);
    assert.deepEqual(await text, ["é".repeat(50_000)]);
    const heard = [];
    client.on("f", (index, payload) => heard.push([index, payload]));
    const done = next(client, "flood-done");
    client.emit("flood", 500, 100);
    assert.deepEqual(await done, [500]);
    assert.deepEqual(heard, Array.from({ length: 500 }, (_, i) => [i, "f".repeat(100)]));
  });

  test("handshake, who, count", async () => {
    const query = { room: "a b&c=d", token: "ü" };
    const client = await context.clients.settle({ query, auth: { key: 1 } });
    const [handshake] = await ask(client, "handshake");
    assert.equal(handshake.query.room, query.room);
    assert.equal(handshake.query.token, query.token);
    assert.equal(handshake.query.EIO, String(protocol));
    assert.deepEqual(handshake.auth, protocol === 4 ? { key: 1 } : {});
    assert.equal(handshake.secure, false);
    assert.equal(handshake.xdomain, false);
    assert.ok(handshake.url.startsWith("/socket.io/?"), handshake.url);
    assert.equal(handshake.headers.host, new URL(context.server.url).host);
    const transport = context.mode.settles;
    const who = { id: client.id, transport, protocol, nsp: "/" };
    assert.deepEqual(await ask(client, "who"), [who]);
    const [count] = await ask(client, "count");
    await context.clients.connect();
    assert.deepEqual(await ask(client, "count"), [count + 1]);
  });

  test("heard keeps all names, those of refused events too", async () => {
    const client = await context.clients.connect();
    const refused = next(client, "refused");
    client.emit("forbidden", 1);
    assert.deepEqual(await refused, ["forbidden event"]);
    client.emit("nobody-listens");
    assert.deepEqual(await ask(client, "heard"), [["forbidden", "nobody-listens", "heard"]]);
  });

  test("/echo, beside / on one connection", async () => {
    const client = await context.clients.connect();
    const echo = client.io.socket("/echo");
    echo.connect();
    assert.deepEqual(await ask(echo, "echo", 1, bytes()), [1, bytes()]);
    assert.deepEqual(await ask(client, "echo", 2), [2]);
    echo.disconnect();
    assert.deepEqual(await ask(client, "echo", 3), [3]);
  });

  test("/auth wants a token, in the payload or in the query", async () => {
    const { clients } = context;
    const namespace = "/auth";
    for (const got of [undefined, "wrong"]) {
      const query = got === undefined ? {} : { token: got };
      const client = clients.create({ namespace, query, auth: query });
      const error = await refusal(client);
      const data = { code: "E_TOKEN", got: got ?? null };
      assert.deepEqual(error, protocol === 4 ? { message: "unauthorized", data } : data);
    }
    const client = clients.create({ namespace, query: { token: "secret" } });
    const user = next(client, "user");
    client.connect();
    assert.deepEqual(await user, ["anonymous"]);
    if (protocol === 4) {
      const auth = { token: "secret", user: "Ann" };
      const named = clients.create({ namespace, auth });
      const user = next(named, "user");
      named.connect();
      assert.deepEqual(await user, ["Ann"]);
    }
  });

  test("/slow lets in after a while", async () => {
    const begun = performance.now();
    const client = context.clients.create({ namespace: "/slow" });
    const atLast = next(client, "at-last");
    client.connect();
    assert.deepEqual(await atLast, []);
    assert.ok(performance.now() - begun >= 295);
  });

  test("/room-N is made when it is asked for, each a namespace of its own", async () => {
    const inRoom = async (namespace) => {
      const client = context.clients.create({ namespace });
      const told = next(client, "nsp");
      client.connect();
      assert.deepEqual(await told, [namespace]);
      return listening(client);
    };
    const [a, b, other] = await Promise.all(["/room-1", "/room-1", "/room-23"].map(inRoom));
    const heard = [next(a, "all"), next(b, "all")];
    a.emit("all", "hi", bytes());
    assert.deepEqual(await Promise.all(heard), Array(2).fill(["hi", bytes()]));
    assert.deepEqual(other.said, []);
  });

  test("namespaces that nobody declared are refused", async () => {
    for (const namespace of ["/nope", "/room-x", "/room-", "/room-1/a", "/__proto__"]) {
      const error = await refusal(context.clients.create({ namespace }));
      assert.equal(error.message, "Invalid namespace", namespace);
    }
  });
}

/** Has a client keep what it hears. */
function listening(client) {
  client.said = [];
  const { onevent } = client;
  client.onevent = function (packet) {
    client.said.push(packet.data);
    onevent.call(this, packet);
  };
  // Whatever was sent to it before has come with the answer.
  client.heard = async () => {
    await ask(client, "count");
    return client.said.splice(0);
  };
  return client;
}


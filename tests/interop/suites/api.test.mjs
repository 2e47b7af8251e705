// What a host sees and decides beside its events: what leaves, handlers that come and go, rooms,
// decisions and answers of another thread, what is rather lost than late.
import { test } from "node:test";
import assert from "node:assert/strict";
import { ask, generations } from "../lib/client.mjs";
import { inEachGeneration } from "../lib/suite.mjs";
import { next, nextWhere } from "../lib/wait.mjs";

const [newest, , oldest] = generations;

function api(context) {
  const { protocol } = context.generation;

  /** So many clients in `/` whose transport is the last they will have. */
  function crowd(count) {
    return Promise.all(Array.from({ length: count }, () => context.clients.settle()));
  }

  /** Keeps the arguments of such an event; `heard()` takes what the server has sent by now. */
  function listen(client, event) {
    const kept = [];
    client.on(event, (...args) => kept.push(args));
    return async () => {
      await ask(client, "echo");
      return kept.splice(0);
    };
  }

  test("a catch-all of what leaves sees emits, broadcasts and questions, until it is off", async () => {
    const [a, b] = await crowd(2);
    for (const client of [a, b]) {
      client.on("vote?", (ack) => ack("aye"));
      await ask(client, "join", "all");
    }
    await ask(a, "join", "jury");
    assert.deepEqual(await ask(a, "watch"), [true]);
    const whispered = next(a, "whispered");
    a.emit("whisper", Buffer.from([1]));
    await whispered;
    const said = next(a, "said");
    b.emit("say", 1, 2);
    assert.deepEqual(await said, [1, 2]);
    assert.deepEqual((await ask(b, "vote", "jury", 5_000))[0].votes, ["aye"]);
    // What doesn't reach it, and acknowledgements, are none of its business.
    const elsewhere = next(b, "whispered");
    b.emit("whisper");
    await elsewhere;
    await ask(a, "echo", "again");
    assert.deepEqual(await ask(a, "unwatch"), [["whispered", "said", "vote?"]]);
    const unseen = next(a, "whispered");
    a.emit("whisper");
    await unseen;
    assert.deepEqual(await ask(a, "unwatch"), [[]]);
  });

  test("a handler declared once runs once for its socket", async () => {
    const [a, b] = await crowd(2);
    const [atA, atB] = [listen(a, "greeted"), listen(b, "greeted")];
    for (const name of ["Ann", "Ben"]) {
      a.emit("greet", name);
    }
    assert.deepEqual(await atA(), [["Ann"]]);
    b.emit("greet", "Cid");
    assert.deepEqual(await atB(), [["Cid"]]);
  });

  test("one declared once on a namespace runs once for all its sockets", async () => {
    const [a, b] = await crowd(2);
    const first = listen(a, "first");
    for (const client of [b, a, b]) {
      client.emit("who is first?");
      await ask(client, "echo");
    }
    assert.deepEqual(await first(), [[b.id]]);
  });

  test("handlers of one socket come and go, and no other has them", async () => {
    const [a, b] = await crowd(2);
    const [atA, atB] = [listen(a, "heard"), listen(b, "heard")];
    const say = async (text) => {
      [a, b].forEach((client) => client.emit("news", text));
      assert.deepEqual(await atB(), []);
      return atA();
    };
    assert.deepEqual(await say("nobody listens"), []);
    assert.deepEqual(await ask(a, "listen", "news"), [1]);
    assert.deepEqual(await ask(a, "listen", "news"), [2]);
    assert.deepEqual(await say("two"), Array(2).fill(["news", "two"]));
    assert.deepEqual(await ask(a, "ignore", "news"), [1]);
    assert.deepEqual(await say("one"), [["news", "one"]]);
    assert.deepEqual(await ask(a, "listen", "news"), [2]);
    assert.deepEqual(await ask(a, "ignore-all", "news"), [0]);
    assert.deepEqual(await say("none"), []);
  });

  test("what event middleware refuses reaches no handler and is never answered", async () => {
    const [strict, other] = await crowd(2);
    const said = listen(other, "said");
    assert.deepEqual(await ask(strict, "be-strict"), [true]);
    const refused = listen(strict, "refused");
    let answered = false;
    strict.emit("say", 1, 2, 3);
    strict.emit("echo", 1, 2, 3, () => (answered = true));
    strict.emit("say", "few");
    assert.deepEqual(await refused(), [["too much for say"], ["too much for echo"]]);
    assert.equal(answered, false);
    other.emit("say", 4, 5, 6);
    assert.deepEqual(await said(), [["few"], [4, 5, 6]]);
  });

  test("rooms that are made, joined, left and gone are told of in that order", async () => {
    const [watcher, a, b] = await crowd(3);
    const told = listen(watcher, "room");
    await ask(watcher, "watch-rooms");
    for (const [client, act] of [[a, "join"], [a, "join"], [b, "join"], [a, "leave"], [a, "leave"]]) {
      await ask(client, act, "den");
    }
    const ids = [a.id, b.id];
    const deleted = nextWhere(watcher, "room", (what, room) => what === "delete" && room === "den");
    b.disconnect();
    await deleted;
    const inDen = (await told()).filter(([, room]) => room === "den");
    assert.deepEqual(inDen, [
      ["create", "den", null],
      ["join", "den", ids[0]],
      ["join", "den", ids[1]],
      ["leave", "den", ids[0]],
      ["leave", "den", ids[1]],
      ["delete", "den", null],
    ]);
    // A socket's own room is one, too; what the server does to many is told of each.
    const [c] = await crowd(1);
    await ask(c, "join", "den");
    await ask(a, "join", "den");
    await ask(a, "gather", "den", "hall");
    const events = await told();
    const own = events.filter(([, room]) => room === c.id);
    assert.deepEqual(own, [["create", c.id, null], ["join", c.id, c.id]]);
    const inHall = events.filter(([, room]) => room === "hall");
    assert.deepEqual(inHall[0], ["create", "hall", null]);
    const joined = inHall.slice(1).map(([what, , id]) => `${what} ${id}`);
    assert.deepEqual(joined.sort(), [`join ${a.id}`, `join ${c.id}`].sort());
  });

  /** Comes to `/guarded` with a token, in the payload or, where there is none, in the query. */
  function guarded(token) {
    const brought = token && { token };
    return context.clients.create({ namespace: "/guarded", auth: brought, query: brought ?? {} });
  }

  test("deferred middlewares run one after the other, on whatever thread they decide", async () => {
    const clients = Array.from({ length: 10 }, () => guarded("secret"));
    const passed = clients.map((client) => next(client, "passed"));
    clients.forEach((client) => client.connect());
    for (const [whom] of await Promise.all(passed)) {
      assert.deepEqual(whom, ["the thread", "the timer", "the last"]);
    }
  });

  test("a thread may refuse, too, and tells why", async () => {
    for (const token of [undefined, "wrong"]) {
      const client = guarded(token);
      const refused = next(client, protocol === 4 ? "connect_error" : "error");
      client.connect();
      const [error] = await refused;
      const data = { token: token ?? null };
      assert.deepEqual(protocol === 4 ? error.data : error, data);
      assert.equal(protocol === 4 ? error.message : "unknown token", "unknown token");
    }
  });

  test("acknowledgements of another thread find the question they belong to", async () => {
    const clients = await crowd(5);
    const asked = clients.flatMap((client, index) =>
      Array.from({ length: 40 }, async (_, count) => {
        const number = index * 100 + count;
        assert.deepEqual(await ask(client, "square", number), [number * number]);
      }),
    );
    assert.equal((await Promise.all(asked)).length, 200);
    // One whose client has gone meanwhile is nobody's.
    const [gone, stays] = clients;
    gone.emit("square", 1, () => assert.fail("nobody is there"));
    gone.disconnect();
    assert.deepEqual(await ask(stays, "square", 12), [144]);
  });

  test("a broadcast that asks ends with its time, and late answers are nobody's", async () => {
    const jury = await crowd(3);
    await Promise.all(jury.map((client) => ask(client, "join", "jury")));
    const late = [];
    const answers = [(ack) => ack("aye"), (ack) => late.push(ack), () => {}];
    jury.forEach((client, index) => client.on("vote?", answers[index]));
    const partial = { votes: ["aye"], timedOut: true };
    assert.deepEqual(await ask(jury[0], "vote", "jury", 300), [partial]);
    late.forEach((ack) => ack("too late"));
    assert.deepEqual(await ask(jury[1], "echo", 1), [1]);
    jury.forEach((client) => client.off("vote?").on("vote?", (ack) => ack("nay", "and no more")));
    const all = { votes: ["nay", "nay", "nay"], timedOut: false };
    assert.deepEqual(await ask(jury[0], "vote", "jury", 10_000), [all]);
  });

  // By polling it depends on whether a GET is waiting at that very moment.
  if (context.mode.settles === "websocket") {
    test("sixty clients that cause one volatile event each get sixty through, one client one", async () => {
      const [target, ...others] = await crowd(61);
      const poked = listen(target, "poked");
      await ask(target, "join", "target");
      await Promise.all(others.map((client) => ask(client, "poke", "target", 1)));
      assert.equal((await poked()).length, 60);
      await ask(others[0], "poke", "target", 60);
      assert.deepEqual(await poked(), [[0]]);
    });
  }
}

inEachGeneration("api", api, [newest, oldest]);

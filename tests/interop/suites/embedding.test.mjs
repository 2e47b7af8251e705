// The examples of embedding, each with a loop or threads of its own, and the client people use.
import { createSocket } from "node:dgram";
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, modes } from "../lib/client.mjs";
import { startProxy } from "../lib/proxy.mjs";
import { isReference, startExample } from "../lib/server.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { next, nextWhere } from "../lib/wait.mjs";

const skip = isReference && "the reference has no such examples";
/** Longer than any test: those that end by themselves are told another time. */
const SECONDS = "600";

/** Declares tests against an example, run with further words behind its time. */
function withExample(name, words, body) {
  const start = () => startExample(name, [SECONDS, ...words]);
  inEachMode(["example", name, ...words].join(" "), body, { start, skip });
}

/** A client's connection breaks; it comes back by itself, as another. */
async function comeBack(client) {
  const { id } = client;
  const [gone, back] = [next(client, "disconnect"), next(client, "connect")];
  client.io.engine.close();
  await gone;
  await back;
  assert.notEqual(client.id, id);
}

function answer(client, event, ...args) {
  return client.timeout(15_000).emitWithAck(event, ...args);
}

withExample("tick", [], (context) => {
  /** The next state in which the player is where `accept` wants it: the tick, and where it is. */
  async function seen(observer, id, accept) {
    const find = (players) => players.find(([player]) => player === id);
    const likes = (_, players) => find(players) && accept(...find(players).slice(1));
    const [tick, players] = await nextWhere(observer, "state", likes);
    return [tick, ...find(players).slice(1)];
  }

  test("input moves a player, evenly and before everybody's eyes", async () => {
    const [alice, bob] = [await context.clients.settle(), await context.clients.settle()];
    const [tick] = await seen(bob, alice.id, (x, y) => x === 0 && y === 0);
    alice.emit("input", 1, -0.5);
    let before = await seen(bob, alice.id, (x) => x > 0.5);
    assert.ok(before[0] > tick, `tick ${before[0]} after ${tick}`);
    for (let count = 0; count < 8; count += 1) {
      const [from, ...start] = before;
      const [to, x, y] = (before = await seen(bob, alice.id, () => true));
      // Between two ticks, too, she moves evenly.
      const error = [x - start[0] - (to - from) * 0.25, y - start[1] + (to - from) * 0.125];
      assert.ok(to > from && error.every((part) => Math.abs(part) < 1e-6), `${error}`);
    }
    alice.emit("input", 0, 0);
    const still = await seen(bob, alice.id, () => true);
    await seen(bob, alice.id, (x) => x >= still[1]);
  });

  test("input of another shape, and other events, move nobody", async () => {
    const alice = await context.clients.settle();
    for (const input of [["left"], [], [{ x: 1 }, 0]]) {
      alice.emit("input", ...input);
    }
    alice.emit("output", 1, 1);
    for (let count = 0; count < 4; count += 1) {
      const [, ...place] = await seen(alice, alice.id, () => true);
      assert.deepEqual(place, [0, 0]);
    }
  });

  test("who leaves is out of the world, who comes back begins anew", async () => {
    const [alice, bob] = [await context.clients.settle(), await context.clients.settle()];
    const { id } = alice;
    alice.emit("input", 1, 1);
    await seen(bob, id, (x) => x > 0);
    const gone = nextWhere(bob, "state", (_, players) => players.every(([player]) => player !== id));
    await comeBack(alice);
    await gone;
    const [, ...place] = await seen(bob, alice.id, () => true);
    assert.deepEqual(place, [0, 0]);
  });
});

withExample("market", [], (context) => {
  const behind = () => context.server.lines.filter((line) => / is behind: /.test(line)).length;

  test("who keeps up gets every book", async () => {
    const client = await context.clients.settle();
    const heard = [];
    await nextWhere(client, "book", (...book) => heard.push(book) === 300);
    for (const [symbol, number, levels] of heard) {
      assert.equal(symbol, "ABCD"[number % 4]);
      assert.deepEqual([levels.length, levels[0]], [50, [100, number]]);
    }
    const missed = heard.at(-1)[1] - heard[0][1] + 1 - heard.length;
    // A machine that has no time for this client makes it a slow one.
    assert.ok(missed === 0 || behind() > 0, `${missed} are missing`);
  });

  test("who is slow gets the latest of each symbol when there is room again", async () => {
    const proxy = await startProxy(context.server.port);
    const clients = new Clients(proxy.url, context.mode);
    try {
      const slow = await clients.settle();
      const quick = await context.clients.settle();
      const heard = [];
      slow.on("book", (symbol, number) => heard.push([symbol, number]));
      await next(slow, "book");
      const before = behind();
      proxy.hold();
      const line = await context.server.line(/ is behind: \d+ bytes wait$/, before + 1);
      const [, made] = await next(quick, "book");
      await nextWhere(quick, "book", (_, number) => number > made + 400);
      const isNew = nextWhere(slow, "book", (_, number) => number > made + 420, 30_000);
      proxy.release();
      await isNew;
      // What waited, then no more than the latest of each symbol, then what is new.
      let [last, widest] = [heard[0][1], 0];
      const latest = {};
      for (const [symbol, number] of heard) {
        assert.ok(number > (latest[symbol] ?? 0), "an old book comes late");
        latest[symbol] = number;
        widest = Math.max(widest, number - last);
        last = Math.max(last, number);
      }
      assert.ok(widest > 100, `it missed ${widest} at a time of ${last - heard[0][1]}`);
      const who = line.split(" ")[0].replace(/[()]/g, "\\$&");
      await context.server.line(new RegExp(`^${who} has caught up: [0-4] books of \\d+$`));
    } finally {
      clients.close();
      proxy.close();
    }
  });

  test("who comes back gets books again", async () => {
    const client = await context.clients.settle();
    const [, before] = await next(client, "book");
    await comeBack(client);
    const [, after] = await next(client, "book");
    assert.ok(after > before);
  });
});

withExample("workers", [], (context) => {
  const auth = { token: "secret" };
  /** A prime that a worker has to divide by a hundred million numbers. */
  const LONG = 2 ** 53 - 111;

  test("a worker decides who gets in", async () => {
    for (const wrong of [undefined, {}, { token: "wrong" }, { token: 7 }]) {
      const stranger = context.clients.create({ auth: wrong });
      const refused = next(stranger, "connect_error");
      stranger.connect();
      const [error] = await refused;
      assert.equal(error.message, "unknown token");
      assert.equal(stranger.connected, false);
    }
    const client = await context.clients.connect({ auth });
    assert.deepEqual(await answer(client, "factor", 1_001), [7, 11, 13]);
  });

  test("each question of many gets its own answer", async () => {
    const crowd = await Promise.all(Array.from({ length: 8 }, () => context.clients.connect({ auth })));
    const asked = crowd.flatMap((client, index) =>
      Array.from({ length: 25 }, async (_, count) => {
        const number = 2 + index * 1_000 + count;
        const factors = await answer(client, "factor", number);
        assert.equal(factors.reduce((product, factor) => product * factor, 1), number);
      }),
    );
    assert.equal((await Promise.all(asked)).length, 200);
  });

  test("a question that takes its time holds up nobody", async () => {
    const [patient, hasty] = [
      await context.clients.settle({ auth }),
      await context.clients.settle({ auth }),
    ];
    const order = [];
    const note = (name) => (factors) => (order.push(name), factors);
    const long = answer(patient, "factor", LONG).then(note("long"));
    for (const number of [6, 35]) {
      await answer(hasty, "factor", number).then(note(number));
      await answer(patient, "factor", number).then(note(number));
    }
    assert.deepEqual(await long, [LONG]);
    assert.deepEqual(order, [6, 6, 35, 35, "long"]);
  });

  test("what finds no place with the workers is answered at once", async () => {
    const client = await context.clients.settle({ auth });
    const long = Array.from({ length: 4 }, () => answer(client, "factor", LONG));
    const short = Array.from({ length: 1_100 }, () => answer(client, "factor", 7));
    const answers = await Promise.all(short);
    const busy = answers.filter((answer) => answer === "busy").length;
    assert.ok(busy > 0 && busy <= 104, `${busy} of ${answers.length} were told`);
    const others = answers.filter((answer) => answer !== "busy");
    assert.ok(others.every((factors) => factors.length === 1 && factors[0] === 7));
    assert.deepEqual(await Promise.all(long), Array(4).fill([LONG]));
  });

  test("who comes back is asked for its token again", async () => {
    const client = await context.clients.settle({ auth });
    await comeBack(client);
    assert.deepEqual(await answer(client, "factor", 4), [2, 2]);
  });
});

const loops = [
  ["nested_epoll", "level"],
  ["nested_epoll", "edge"],
  ["nested_mio"],
  ["nested_calloop"],
  ["nested_tokio"],
  ["prepare_check"],
];
for (const [name, ...words] of loops) {
  withExample(name, words, (context) => {
    test("clients are answered, hear the host's own events, come and go", async (told) => {
      const line = await context.server.line(/^news by UDP to /);
      const news = createSocket("udp4");
      told.after(() => news.close());
      const hear = async (clients, text) => {
        const heard = clients.map((client) => next(client, "news"));
        news.send(text, Number(line.split(":").at(-1)), "127.0.0.1");
        assert.deepEqual(await Promise.all(heard), clients.map(() => [text]));
      };
      const [one, two] = [await context.clients.settle(), await context.clients.settle()];
      for (let round = 0; round < 3; round += 1) {
        assert.equal(await answer(one, "add", round, 40), round + 40);
        await hear([one, two], `news of ${name}, ${round}`);
      }
      await comeBack(one);
      assert.equal(await answer(one, "add", 1, 2), 3);
      await hear([one, two], "to who came back, too");
      two.disconnect();
      await hear([one], "to who stays");
      two.connect();
      await next(two, "connect");
      await hear([one, two], "to both again");
    });
  });
}

describe("examples that end by themselves", { skip }, () => {
  for (const name of ["tick", "nested_epoll"]) {
    for (const mode of modes) {
      test(`${name}, ${mode.name}`, async () => {
        const server = await startExample(name, ["3"]);
        const clients = new Clients(server.url, mode, undefined, { reconnection: false });
        try {
          const client = await clients.settle();
          const [reason] = await next(client, "disconnect");
          assert.match(reason, /^transport (close|error)$/);
          assert.deepEqual(await server.end(), { exitCode: 0, signalCode: null });
        } finally {
          clients.close();
          await server.stop();
        }
      });
    }
  }
});

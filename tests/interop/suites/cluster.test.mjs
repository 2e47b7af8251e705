// Two servers in one process that an adapter of the host's own makes one, and the clients of both.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, ask, modes } from "../lib/client.mjs";
import { startScenario } from "../lib/server.mjs";
import { next } from "../lib/wait.mjs";

const bytes = () => Buffer.from([0, 1, 255]);

for (const mode of modes) {
  describe(`cluster, ${mode.name}`, () => {
    let server;
    let here;
    let there;
    before(async () => {
      server = await startScenario("cluster");
      const line = await server.line(/^The other listens on /);
      here = new Clients(server.url, mode);
      there = new Clients(line.split(" ").at(-1), mode);
    });
    afterEach(() => [here, there].forEach((clients) => clients?.close()));
    after(() => server?.stop());

    /** One client of the first server and two of the other; `heard()` keeps what they are told. */
    async function crowd() {
      const clients = await Promise.all([here.settle(), there.settle(), there.settle()]);
      const heard = clients.map((client) => {
        const kept = [];
        const { onevent } = client;
        client.onevent = function (packet) {
          kept.push(packet.data.filter((arg) => typeof arg !== "function"));
          onevent.call(this, packet);
        };
        return kept;
      });
      /** What all have heard, once they have heard this as well, which comes last on both. */
      const all = async () => {
        const ends = clients.slice(1).map((client) => next(client, "shouted"));
        clients[0].emit("shout", "the end");
        await Promise.all(ends);
        await ask(clients[0], "join", "aside");
        return heard.map((kept) => kept.splice(0).filter(([, text]) => text !== "the end"));
      };
      return { clients, heard: all };
    }

    test("broadcasts reach the clients of both, with rooms, exceptions and bytes", async () => {
      const { clients: [a, b, c], heard } = await crowd();
      await Promise.all([ask(a, "join", "hall"), ask(b, "join", "hall"), ask(c, "join", "hall")]);
      await ask(c, "join", "deaf");
      a.emit("say", "hall", "hi", { bytes: bytes() });
      a.emit("say", "nowhere", "hi");
      const said = ["said", "hi", { bytes: bytes() }];
      assert.deepEqual(await heard(), [[said], [said], []]);
      b.emit("shout", bytes());
      await next(a, "shouted");
      assert.deepEqual(await heard(), [[["shouted", bytes()]], [], [["shouted", bytes()]]]);
    });

    test("what is for one server stays there", async () => {
      const { clients: [, b], heard } = await crowd();
      b.emit("mutter", "psst");
      await ask(b, "join", "aside");
      assert.deepEqual(await heard(), [[], [], [["muttered", "psst"]]]);
    });

    test("those of the other server are moved and thrown out, too", async () => {
      const { clients: [a, b, c], heard } = await crowd();
      await ask(b, "join", "hall");
      a.emit("gather", "hall", "stage");
      a.emit("say", "stage", "on stage");
      assert.deepEqual(await heard(), [[], [["said", "on stage"]], []]);
      a.emit("scatter", "hall", "stage");
      a.emit("say", "stage", "nobody is there");
      assert.deepEqual(await heard(), [[], [], []]);
      const left = next(b, "disconnect");
      a.emit("dismiss", "hall");
      assert.deepEqual((await left)[0], "io server disconnect");
      assert.ok(a.connected && c.connected);
    });

    test("all are asked, and answer to who has asked", async () => {
      const { clients } = await crowd();
      await Promise.all(clients.map((client) => ask(client, "join", "jury")));
      clients.forEach((client, index) => client.on("vote?", (ack) => ack(`vote ${index}`)));
      for (const asker of clients.slice(0, 2)) {
        const votes = ["vote 0", "vote 1", "vote 2"];
        assert.deepEqual(await ask(asker, "vote", "jury"), [votes, false]);
      }
      clients[2].off("vote?");
      assert.deepEqual(await ask(clients[0], "vote", "jury"), [["vote 0", "vote 1"], true]);
      assert.deepEqual(await ask(clients[0], "vote", "nowhere"), [[], false]);
    });

    test("servers tell each other", async () => {
      const { clients: [a, b, c] } = await crowd();
      const noted = [next(b, "noted"), next(c, "noted")];
      a.on("noted", () => assert.fail("its own server isn't told"));
      a.emit("note", "to the other");
      assert.deepEqual(await Promise.all(noted), Array(2).fill(["to the other"]));
      await ask(a, "join", "aside");
    });
  });
}

describe("a cluster that closes", () => {
  test("ends as one", async () => {
    const server = await startScenario("cluster");
    const line = await server.line(/^The other listens on /);
    const options = { reconnection: false };
    const urls = [server.url, line.split(" ").at(-1)];
    const crowds = urls.map((url) => new Clients(url, modes[1], undefined, options));
    try {
      const clients = await Promise.all(crowds.map((clients) => clients.connect()));
      const left = clients.map((client) => next(client, "disconnect"));
      assert.equal((await server.stop()).exitCode, 0);
      for (const [reason] of await Promise.all(left)) {
        assert.match(reason, /^transport (close|error)$/);
      }
    } finally {
      crowds.forEach((clients) => clients.close());
      await server.stop();
    }
  });
});

// The requests below Socket.IO as the host sees and changes them: ids, headers, refusals, how
// sessions begin and end; and how all end with the server.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, ask, generations, modes } from "../lib/client.mjs";
import { startProxy } from "../lib/proxy.mjs";
import { startScenario } from "../lib/server.mjs";
import { inEachGeneration } from "../lib/suite.mjs";
import { next } from "../lib/wait.mjs";

const [newest, , oldest] = generations;

function requests(context) {
  const engineId = (client) => client.io.engine.id;

  /** What was refused since it was asked last. */
  async function refused() {
    const client = await context.clients.connect();
    const [errors] = await ask(client, "connection-errors");
    client.disconnect();
    return errors;
  }

  test("ids of sessions are made by the host", async () => {
    const crowd = await Promise.all(Array.from({ length: 5 }, () => context.clients.settle()));
    const ids = crowd.map(engineId);
    assert.ok(ids.every((id) => /^api-[\w-]{16}$/.test(id)), ids.join(" "));
    assert.equal(new Set(ids).size, 5);
    // With Socket.IO 2 it is the socket's as well.
    const same = crowd.filter((client) => client.id === engineId(client)).length;
    assert.equal(same, context.generation.protocol === 3 ? 5 : 0);
  });

  test("headers of the host's come with every answer, some with the first alone", async () => {
    const proxy = await startProxy(context.server.port);
    const clients = new Clients(proxy.url, context.mode, context.generation);
    try {
      const client = await clients.settle();
      assert.deepEqual(await ask(client, "echo", 1), [1]);
      const transports = new Set();
      for (const { method, target, status, headers } of proxy.exchanges) {
        const query = new URLSearchParams(target.split("?")[1]);
        transports.add(query.get("transport"));
        assert.equal(status, query.get("transport") === "websocket" ? 101 : 200, target);
        assert.equal(headers.get("x-served-by"), "node a", `${method} ${target}`);
        const cookies = query.has("sid") ? [] : ["node=a; Path=/; HttpOnly"];
        assert.deepEqual(headers.getSetCookie(), cookies, `${method} ${target}`);
      }
      const wanted = context.mode.options.transports ?? ["polling", "websocket"];
      assert.deepEqual([...transports], wanted);
    } finally {
      clients.close();
      proxy.close();
    }
  });

  test("a handshake that another thread refuses opens nothing, and the host hears of it", async () => {
    await refused();
    const stranger = context.clients.create({ query: { key: "wrong" }, reconnection: false });
    const failed = next(stranger, "connect_error");
    stranger.connect();
    const [error] = await failed;
    const byPolling = context.mode.options.transports?.[0] !== "websocket";
    assert.equal(error.message, byPolling ? "xhr poll error" : "websocket error");
    const why = { code: 4, message: "Forbidden", context: { message: "wrong key" } };
    assert.deepEqual(await refused(), [why]);
    const friend = await context.clients.connect({ query: { key: "right" } });
    assert.deepEqual(await ask(friend, "echo", 1), [1]);
  });

  if (context.mode.settles === "polling") {
    test("a session that isn't known is refused, and its client comes back", async () => {
      const client = await context.clients.connect();
      await refused();
      const [gone, back] = [next(client, "disconnect"), next(client, "connect")];
      client.io.engine.transport.query.sid = "gone";
      client.emit("echo");
      const [reason] = await gone;
      assert.equal(reason, "transport error");
      await back;
      assert.deepEqual(await ask(client, "echo", 1), [1]);
      const [{ code, message, context: where }] = await refused();
      assert.deepEqual([code, message, where], [1, "Session ID unknown", { sid: "gone" }]);
    });
  }

  test("sessions that open, move and close are told of", async () => {
    const client = await context.clients.settle();
    const id = engineId(client);
    const first = context.mode.options.transports?.[0] ?? "polling";
    const told = [`has opened by ${first}`];
    if (first !== context.mode.settles) {
      told.push("has moved to websocket");
    }
    client.io.engine.close();
    told.push("has closed: transport close");
    await context.server.line(new RegExp(`^session ${id} has closed: `));
    const lines = context.server.lines.filter((line) => line.startsWith(`session ${id} `));
    assert.deepEqual(lines.map((line) => line.replace(/^session \S+ /, "")), told);
  });
}

inEachGeneration("api", requests, [newest, oldest]);

for (const generation of [newest, oldest]) {
  for (const mode of modes) {
    describe(`a server that closes, ${generation.name}, ${mode.name}`, () => {
      let server;
      let clients;
      before(async () => {
        server = await startScenario("api");
        clients = new Clients(server.url, mode, generation, { reconnection: false });
      });
      after(async () => {
        clients?.close();
        await server?.stop();
      });

      test("all leave because it shuts down, and their clients see the connection end", async () => {
        const crowd = await Promise.all(Array.from({ length: 3 }, () => clients.settle()));
        const ids = crowd.map((client) => client.id);
        const left = crowd.map((client) => next(client, "disconnect"));
        const { exitCode } = await server.stop("SIGTERM");
        assert.equal(exitCode, 0);
        for (const id of ids) {
          await server.line(new RegExp(`^${id} has left: server shutting down$`));
        }
        // No "io server disconnect". Whose next GET is on its way just then finds nobody.
        const expected = mode.settles === "polling" ? /^transport (close|error)$/ : /^transport close$/;
        for (const [reason] of await Promise.all(left)) {
          assert.match(reason, expected);
        }
        const closed = server.lines.filter((line) => /^session \S+ has closed: forced close$/.test(line));
        assert.equal(closed.length, 3);
      });
    });
  }
}

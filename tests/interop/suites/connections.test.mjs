// The life of a connection: upgrade, refusal, crowds, limits, restarts.
import { describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, handled, modes, usersReach } from "../lib/client.mjs";
import { startServer } from "../lib/server.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { collect, next } from "../lib/wait.mjs";

const PAYLOAD_BYTES_MAX = 1_000_000;

inEachMode("connections", (context) => {
  test("begin and settle on the transports of their mode", async () => {
    const { clients, mode } = context;
    const client = await clients.connect();
    const names = mode.options.transports ?? ["polling", "websocket"];
    if (client.io.engine.transport.name !== mode.settles) {
      assert.equal(client.io.engine.transport.name, names[0]);
      const [transport] = await next(client.io.engine, "upgrade");
      assert.equal(transport.name, "websocket");
    }
    assert.equal(client.io.engine.transport.name, mode.settles);
    await handled(client);
    assert.equal(client.io.engine.transport.name, mode.settles);
    assert.ok(client.connected);
  });

  test("nothing is lost or reordered around the upgrade", async () => {
    const client = context.clients.create();
    const count = 1_000;
    const heard = collect(client, "echo", count);
    const connected = next(client, "connect");
    client.connect();
    await connected;
    // Slices with an answer awaited in between, so that they lie before, in and after the upgrade.
    for (let index = 0; index < count; index += 20) {
      for (let offset = 0; offset < 20; offset += 1) {
        client.emit("echo", index + offset);
      }
      await handled(client);
    }
    assert.deepEqual(await heard, Array.from({ length: count }, (_, index) => index));
  });

  test("a namespace nobody declared is refused, and the connection lives on", async () => {
    const { clients } = context;
    const client = await clients.connect();
    const stranger = client.io.socket("/nope");
    const refused = next(stranger, "connect_error");
    stranger.connect();
    const [error] = await refused;
    assert.equal(error.message, "Invalid namespace");
    assert.equal(stranger.connected, false);
    await handled(client);
  });

  test("a message of exactly the limit passes", async () => {
    const client = await context.clients.settle();
    const text = "x".repeat(PAYLOAD_BYTES_MAX - '42["echo",""]'.length);
    const echo = next(client, "echo");
    client.emit("echo", text);
    const [back] = await echo;
    assert.ok(back === text, `${back.length} characters came back`);
  });

  test("a byte over the limit ends the connection, and only that one", async () => {
    const { clients } = context;
    const other = await clients.settle();
    const client = await clients.settle({ reconnection: false });
    const ended = next(client, "disconnect");
    client.emit("echo", "x".repeat(PAYLOAD_BYTES_MAX + 1 - '42["echo",""]'.length));
    const [reason] = await ended;
    assert.match(reason, /^transport (close|error)$/);
    await handled(other);
    await clients.connect();
  });

  test("200 clients at once", async () => {
    const { clients } = context;
    const observer = await clients.connect();
    const full = usersReach(observer, 201, 30_000);
    const crowd = await Promise.all(Array.from({ length: 200 }, () => clients.connect()));
    await full;
    const answers = crowd.map((client, index) =>
      client.timeout(20_000).emitWithAck("ack-echo", `client ${index}`),
    );
    assert.deepEqual(
      await Promise.all(answers),
      crowd.map((_, index) => `client ${index}`),
    );
    assert.equal(new Set(crowd.map((client) => client.id)).size, 200);

    const heard = crowd.map((client) => next(client, "chat"));
    observer.emit("chat", "to all");
    for (const args of await Promise.all(heard)) {
      assert.deepEqual(args, ["to all"]);
    }

    const empty = usersReach(observer, 1, 30_000);
    crowd.forEach((client) => client.disconnect());
    await empty;
  });
});

for (const mode of modes) {
  describe(`a restart of the server, ${mode.name}`, () => {
    for (const signal of ["SIGTERM", "SIGKILL"]) {
      test(`after ${signal}: clients come back and lose nothing they emitted since`, async () => {
        let server = await startServer();
        const clients = new Clients(server.url, mode);
        try {
          const client = await clients.settle();
          const idBefore = client.id;
          const ended = next(client, "disconnect");
          const { exitCode } = await server.stop(signal);
          assert.equal(exitCode, signal === "SIGTERM" ? 0 : null);
          const [reason] = await ended;
          assert.match(reason, /^transport (close|error)$/);

          const echo = next(client, "echo");
          client.emit("echo", "said while offline");
          const back = next(client, "connect");
          server = await startServer(["--port", String(server.port)]);
          await back;
          assert.notEqual(client.id, idBefore);
          assert.deepEqual(await echo, ["said while offline"]);
        } finally {
          clients.close();
          await server.stop();
        }
      });
    }
  });
}

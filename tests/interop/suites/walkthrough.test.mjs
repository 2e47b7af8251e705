// The two walk-throughs: one client that says Hi to the example, and two that chat.
import { test } from "node:test";
import assert from "node:assert/strict";
import { usersReach } from "../lib/client.mjs";
import { startExpress } from "../lib/server.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { collect, next, nextWhere } from "../lib/wait.mjs";

inEachMode(
  "the express example",
  (context) => {
    test("hears Hi, replies, outlives the client and serves the next", async () => {
      const { server, clients } = context;
      for (const [index, greeting] of ["Hi", "Hi again"].entries()) {
        const client = await clients.connect();
        await server.line(/^Client connected$/, index + 1);
        const reply = next(client, "reply");
        client.emit("message", greeting);
        assert.deepEqual(await reply, ["Hello Client"]);
        client.disconnect();
        await server.line(new RegExp(`^Received: ${greeting}$`));
        await server.line(/^Client disconnected$/, index + 1);
      }
    });
  },
  { start: startExpress },
);

inEachMode("two clients that chat", (context) => {
  test("reach each other, and leaving is noticed", async () => {
    const { clients } = context;
    const first = clients.create();
    const alone = usersReach(first, 1);
    first.connect();
    await alone;

    const second = clients.create();
    const both = [first, second].map((each) => usersReach(each, 2));
    second.connect();
    await Promise.all(both);

    const heard = [first, second].map((each) => collect(each, "chat", 2));
    const hello = nextWhere(second, "chat", (text) => text === "Hello!");
    first.emit("chat", "Hello!");
    await hello;
    second.emit("chat", "Hi!");
    for (const texts of await Promise.all(heard)) {
      assert.deepEqual(texts, ["Hello!", "Hi!"]);
    }

    const left = usersReach(first, 1);
    second.disconnect();
    await left;

    // The one who stayed is served as before.
    const still = next(first, "chat");
    first.emit("chat", "Still here");
    assert.deepEqual(await still, ["Still here"]);
  });

  test("a connection closed without a Socket.IO goodbye is counted out", async () => {
    const { clients } = context;
    const stays = await clients.settle();
    const dies = await clients.settle({ reconnection: false });
    const gone = usersReach(stays, 1);
    dies.io.engine.close();
    await gone;
  });

  test("message is answered with reply", async () => {
    const client = await context.clients.connect();
    const reply = next(client, "reply");
    client.emit("message", "Hi");
    assert.deepEqual(await reply, ["Hello Client"]);
  });
});

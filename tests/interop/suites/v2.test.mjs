// Clients of Socket.IO v2 (Engine.IO 3), in each way they can be told to travel.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import io from "socket.io-client-2";
import { io as io4 } from "socket.io-client";
import { launchBrowser } from "../lib/browser.mjs";
import { modes } from "../lib/client.mjs";
import { isReference, startScenario } from "../lib/server.mjs";
import { collect, next, within } from "../lib/wait.mjs";

const bundle = fileURLToPath(
  new URL("../node_modules/socket.io-client-2/dist/socket.io.js", import.meta.url),
);

for (const mode of modes) {
  describe(`socket.io-client 2, ${mode.name}`, () => {
    let server;
    const managers = [];
    before(async () => {
      server = await startScenario("v2-support");
    });
    after(() => server?.stop());
    afterEach(() => managers.splice(0).forEach((manager) => manager.close()));

    /** A client in `/` whose upgrade, if its mode has one, is done. */
    const settle = async (options) => {
      const manager = new io.Manager(server.url, { ...mode.options, ...options });
      managers.push(manager);
      const socket = manager.socket("/");
      const [auth] = await next(socket, "auth");
      assert.deepEqual(auth, {});
      const isUpgrading = mode.settles !== manager.engine.transport.name;
      if (isUpgrading) {
        await next(manager.engine, "upgrade");
      }
      return socket;
    };

    test("is in the main namespace, under the id of its session", async () => {
      const socket = await settle();
      socket.emit("who");
      const who = await next(socket, "who");
      assert.deepEqual(who, [socket.io.engine.id, mode.settles, 3]);
      assert.equal(socket.id, socket.io.engine.id);
    });

    test("events and acknowledgements go both ways", async () => {
      const socket = await settle();
      socket.emit("echo", 1, "zwei \u{1f600}", { three: [null, "\u{20ac}\u2028"] });
      const echo = await next(socket, "echo");
      assert.deepEqual(echo, [1, "zwei \u{1f600}", { three: [null, "\u{20ac}\u2028"] }]);
      const acked = await new Promise((resolve) => {
        socket.emit("echo", "a", 2, (...args) => resolve(args));
      });
      assert.deepEqual(acked, ["a", 2]);
      socket.once("question", (number, ack) => ack(number + 1, "more"));
      socket.emit("ask", 41);
      assert.deepEqual(await next(socket, "answer"), [42, "more"]);
    });

    test("binary goes both ways, whole and in its place", async () => {
      const socket = await settle();
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
      socket.emit("echo", { head: bytes.subarray(0, 3) }, "\u{e9}", bytes, Buffer.alloc(0));
      const [object, text, whole, none] = await next(socket, "echo");
      assert.deepEqual([...object.head], [0, 1, 2]);
      assert.equal(text, "\u{e9}");
      assert.ok(Buffer.from(whole).equals(bytes));
      assert.equal(none.length, 0);
      const acked = await new Promise((resolve) => socket.emit("echo", bytes, resolve));
      assert.ok(Buffer.from(acked).equals(bytes));
    });

    test("many messages keep their order, whatever carries them", async () => {
      const socket = await settle();
      const echoes = collect(socket, "echo", 500);
      for (let count = 0; count < 500; count += 1) {
        socket.emit("echo", count);
      }
      assert.deepEqual(await echoes, Array.from({ length: 500 }, (_, index) => index));
    });

    test("a namespace is joined with a query for credentials", async () => {
      const { io: manager } = await settle();
      const custom = manager.socket("/custom", { query: { token: "a b&c", n: 1 } });
      const [auth] = await next(custom, "auth");
      assert.deepEqual(auth, { token: "a b&c", n: "1" });
      custom.emit("who");
      const [id] = await next(custom, "who");
      assert.equal(id, `/custom#${manager.engine.id}`);
      assert.equal(custom.id, id);
      const left = next(custom, "disconnect");
      custom.emit("bye");
      assert.deepEqual(await left, ["io server disconnect"]);
      const main = manager.socket("/");
      main.emit("echo", "still there");
      assert.deepEqual(await next(main, "echo"), ["still there"]);
    });

    test("a refusal is told as an error", async () => {
      const { io: manager } = await settle();
      const told = (name) => next(manager.socket(name), "error");
      assert.deepEqual(await told("/refused"), ["refused"]);
      assert.deepEqual(await told("/refused-data"), [{ code: 7 }]);
      assert.deepEqual(await told("/nowhere"), [{ message: "Invalid namespace" }]);
    });

    test("the client's pings keep the connection, over several of them", async () => {
      const socket = await settle();
      const { id } = socket;
      for (let count = 0; count < 5; count += 1) {
        await next(socket, "pong", 2_000);
      }
      socket.emit("echo", "alive");
      assert.deepEqual(await next(socket, "echo"), ["alive"]);
      assert.equal(socket.id, id);
    });

    // After an upgrade the reference waits for no ping any more.
    const skip = isReference && mode.settles !== (mode.options.transports?.[0] ?? "polling");
    test("a client that stops pinging is closed", { skip }, async () => {
      const socket = await settle({ reconnection: false });
      const { engine } = socket.io;
      engine.ping = () => {};
      engine.onHeartbeat = () => {};
      clearTimeout(engine.pingIntervalTimer);
      clearTimeout(engine.pingTimeoutTimer);
      const [reason] = await next(socket, "disconnect", 5_000);
      assert.match(reason, /^transport (close|error)$/);
    });

    test("old and new clients hear one broadcast", async () => {
      const old = await settle();
      const young = io4(server.url, { ...mode.options, forceNew: true });
      try {
        await next(young, "auth");
        const both = [old, young].map((socket) => next(socket, "broadcast"));
        young.emit("broadcast", "\u{e9}", Buffer.from([1, 2, 255]));
        for (const heard of await Promise.all(both)) {
          assert.equal(heard[0], "\u{e9}");
          assert.deepEqual([...new Uint8Array(heard[1])], [1, 2, 255]);
        }
      } finally {
        young.disconnect();
      }
    });
  });
}

describe("socket.io-client 2 in a browser", () => {
  let server;
  let browser;
  before(async () => {
    server = await startScenario("v2-support");
    browser = await launchBrowser();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  // What Node.js lacks: there the client polls in text, and has no scripts; nor has it the
  // browser's own WebSocket.
  const polling = { transports: ["polling"] };
  const travels = [
    { name: "polling in bytes", options: polling },
    { name: "polling by scripts", options: { ...polling, forceJSONP: true } },
    { name: "polling, then upgrade", options: {} },
    { name: "websocket only", options: { transports: ["websocket"] } },
  ];
  for (const { name, options } of travels) {
    test(name, async () => {
      // A page that comes from no address may open a WebSocket to this machine's only if it is let.
      const permissions = ["local-network-access"];
      const context = await browser.browser.newContext({ permissions });
      const page = await context.newPage();
      const answers = [];
      page.on("response", async (response) => {
        answers.push(await response.headerValue("content-type").catch(() => null));
      });
      // A page of the same origin: the server under test has none.
      const address = `${server.url}/page`;
      await page.route(address, (route) => route.fulfill({ contentType: "text/html", body: "" }));
      await page.goto(address);
      await page.addScriptTag({ content: readFileSync(bundle, "utf8") });
      const exchanged = page.evaluate(exchange, { ...options, url: server.url });
      const heard = await within(exchanged, "what the page says");
      const text = "\u{1f600}\u2028\\n\n";
      const transport = options.transports?.[0] ?? "websocket";
      const expected = { echo: [text, [0, 10, 255]], acked: [[7], text], pongs: 3, transport };
      assert.deepEqual(heard, expected);
      const isInBytes = answers.includes("application/octet-stream");
      if (transport === "polling") {
        assert.equal(isInBytes, name === "polling in bytes", answers.join(", "));
      }
      await context.close();
    });
  }
});

/** Runs in the page: says some things and gives what was heard. */
async function exchange({ url, ...options }) {
  const socket = window.io(url, { ...options, reconnection: false });
  const next = (event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
  // An ArrayBuffer or, where it came as base64, a Blob.
  const numbers = async (bytes) => [...new Uint8Array(await new Response(bytes).arrayBuffer())];
  const text = "\u{1f600}\u2028\\n\n";
  await next("auth");
  socket.emit("echo", text, new Uint8Array([0, 10, 255]).buffer);
  const [said, bytes] = await next("echo");
  const acked = await new Promise((resolve) => {
    socket.emit("echo", new Uint8Array([7]).buffer, text, (...args) => resolve(args));
  });
  let pongs = 0;
  while (pongs < 3) {
    await next("pong");
    pongs += 1;
  }
  const transport = socket.io.engine.transport.name;
  socket.close();
  const echo = [said, await numbers(bytes)];
  return { echo, acked: [await numbers(acked[0]), acked[1]], pongs, transport };
}

// The app engine-protocol, bare Engine.IO that sends back what it gets: its settings and what goes
// over the wire, by hand and with the client.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Socket } from "engine.io-client";
import { modes } from "../lib/client.mjs";
import { assertOpened, dial, openPolling, raw } from "../lib/raw.mjs";
import { startScenario } from "../lib/server.mjs";
import { collect, next } from "../lib/wait.mjs";

const PAYLOAD_BYTES_MAX = 1_000_000;

describe("engine-protocol", () => {
  let server;
  let endpoint;
  before(async () => {
    server = await startScenario("engine-protocol");
    endpoint = `${server.url}/engine.io/`;
  });
  after(() => server?.stop());

  for (const [transport, open] of Object.entries(raw)) {
    describe(transport, () => {
      test("the handshake tells the settings", async () => {
        const settings = { pingInterval: 300, pingTimeout: 200, maxPayload: PAYLOAD_BYTES_MAX };
        assertOpened(await open(endpoint), transport, settings);
      });

      test("nothing comes unasked but a ping 300 ms after the last answer", async () => {
        let since = performance.now();
        const session = await open(endpoint);
        for (let ping = 0; ping < 4; ping += 1) {
          assert.equal(await session.read(), "2");
          const took = performance.now() - since;
          assert.ok(took > 290 && took < 1_500, `${took} ms`);
          since = performance.now();
          await session.send("3");
        }
      });

      test("who doesn't answer a ping within 200 ms is closed", async () => {
        const begun = performance.now();
        const session = await open(endpoint);
        assert.equal(await session.read(), "2");
        await session.closed();
        const took = performance.now() - begun;
        assert.ok(took > 490 && took < 2_000, `${took} ms`);
      });

      test("each message comes back as it came", async () => {
        const session = await open(endpoint);
        const messages = [
          "4hello",
          "4",
          "42probe",
          "4\u0000 \u00e9 \u{1f44b} \u2028",
          Buffer.from([1, 2, 3, 4]),
          Buffer.from([0, 4, 30, 98, 255]),
          Buffer.alloc(0),
          Buffer.alloc(70_000, 7),
          "4last",
        ];
        for (const message of messages) {
          await session.send(message);
          assert.deepEqual(await session.hear(), message);
        }
      });

      test("a message of exactly the limit passes, one beyond doesn't", async () => {
        const session = await open(endpoint);
        const text = `4${"x".repeat(PAYLOAD_BYTES_MAX - 1)}`;
        await session.send(text);
        assert.ok((await session.hear()) === text);
        if (transport === "polling") {
          assert.equal((await session.post(`${text}x`)).status, 413);
        } else {
          session.send(`${text}x`);
          assert.equal((await session.closed()).code, 1009);
        }
      });
    });
  }

  test("packets of one body come back in their order", async () => {
    const session = await openPolling(endpoint);
    const packets = ["4one", Buffer.from([1, 2, 3, 4]), "4two", Buffer.from([5]), "4three"];
    await session.send(...packets);
    for (const packet of packets) {
      assert.deepEqual(await session.hear(), packet);
    }
  });

  test("bytes travel as base64 over polling", async () => {
    const session = await openPolling(endpoint);
    await session.post("bAQIDBA==");
    assert.equal((await session.get()).body, "bAQIDBA==");
  });

  test("the close packet ends the session, and its poll with a noop", async () => {
    const session = await openPolling(endpoint);
    const waiting = session.get();
    await session.send("1");
    const { status, body } = await waiting;
    assert.deepEqual([status, body], [200, "6"]);
    assert.equal((await session.get()).status, 400);
  });

  test("an upgrade by hand: probe, a noop for the poll, and on over WebSocket", async () => {
    const session = await openPolling(endpoint);
    const noop = session.hear();
    const socket = await dial(`${endpoint}?EIO=4&transport=websocket&sid=${session.opened.sid}`);
    socket.send("2probe");
    assert.equal(await socket.read(), "3probe");
    assert.equal(await noop, "6");
    socket.send("5");
    socket.send("4upgraded");
    assert.equal(await socket.hear(), "4upgraded");
    assert.equal((await session.get()).status, 400);
    // Which harmed nobody.
    socket.send("4still");
    assert.equal(await socket.hear(), "4still");
  });

  test("pages of any origin may read the answers, errors too", async () => {
    const polling = `${endpoint}?EIO=4&transport=polling`;
    const headers = { Origin: "http://anywhere.test" };
    for (const url of [polling, `${polling}&sid=unknown`]) {
      const answer = await fetch(url, { headers });
      assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    }
    const asked = { ...headers, "Access-Control-Request-Method": "POST" };
    const preflight = await fetch(polling, { method: "OPTIONS", headers: asked });
    assert.ok([200, 204].includes(preflight.status), String(preflight.status));
    assert.equal(preflight.headers.get("access-control-allow-origin"), "*");
    assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
  });

  test("there is no Socket.IO", async () => {
    const answer = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(answer.status, 404);
  });
});

for (const mode of modes) {
  describe(`engine-protocol, engine.io-client, ${mode.name}`, () => {
    let server;
    const sockets = [];
    before(async () => (server = await startScenario("engine-protocol")));
    after(() => server?.stop());
    afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

    function open() {
      const socket = new Socket(server.url, { ...mode.options, path: "/engine.io" });
      sockets.push(socket);
      return socket;
    }

    test("what is sent before, in and after an upgrade comes back in its order", async () => {
      const socket = open();
      await next(socket, "open");
      const sent = Array.from({ length: 300 }, (_, index) => {
        return index % 3 === 0 ? Buffer.from([index % 256, 0]) : `text ${index}`;
      });
      const heard = collect(socket, "message", sent.length);
      for (let index = 0; index < sent.length; index += 10) {
        const answered = next(socket, "message");
        sent.slice(index, index + 10).forEach((message) => socket.send(message));
        await answered;
      }
      assert.deepEqual(await heard, sent);
      if (socket.transport.name !== mode.settles) {
        await next(socket, "upgrade");
      }
    });

    test("pings hold the session", async () => {
      const socket = open();
      await next(socket, "open");
      const { id } = socket;
      for (let ping = 0; ping < 4; ping += 1) {
        await next(socket, "ping");
      }
      const heard = next(socket, "message");
      socket.send("alive");
      assert.deepEqual(await heard, ["alive"]);
      assert.equal(socket.id, id);
    });
  });
}

// The app socket-protocol: the packets of Socket.IO by hand, over either transport, and what
// socket.io-client makes of them.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { ask, refusalOf } from "../lib/client.mjs";
import { assertOpened, dial, join, openPolling, openWebSocket, raw } from "../lib/raw.mjs";
import { startScenario } from "../lib/server.mjs";
import { inEachMode } from "../lib/suite.mjs";
import { next } from "../lib/wait.mjs";

const start = () => startScenario("socket-protocol");

describe("socket-protocol", () => {
  let server;
  let endpoint;
  before(async () => {
    server = await start();
    endpoint = `${server.url}/socket.io/`;
  });
  after(() => server?.stop());

  for (const [transport, open] of Object.entries(raw)) {
    describe(transport, () => {
      /** A session in `/` that has been told its payload. */
      const joined = async () => {
        const session = await open(endpoint);
        await join(session);
        assert.equal(await session.hear(), '42["auth",{}]');
        return session;
      };

      test("the handshake tells the settings", async () => {
        const settings = { pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 };
        assertOpened(await open(endpoint), transport, settings);
      });

      for (const namespace of ["/", "/custom"]) {
        const prefix = namespace === "/" ? "" : `${namespace},`;
        const payloads = [[undefined, {}], [{}, {}], [{ token: "123", deep: [{ a: null }] }]];
        for (const [sent, told = sent] of payloads) {
          test(`${namespace} tells with what it was joined: ${JSON.stringify(sent)}`, async () => {
            const session = await open(endpoint);
            const payload = await join(session, namespace, sent);
            // Without recovery there is nothing else in it.
            assert.deepEqual(Object.keys(payload), ["sid"]);
            assert.match(payload.sid, /^[\w-]{20}$/);
            assert.notEqual(payload.sid, session.opened.sid);
            const packet = await session.hear();
            assert.ok(packet.startsWith(`42${prefix}["auth",`), packet);
            const [, auth] = JSON.parse(packet.slice(2 + prefix.length));
            assert.deepEqual(auth, told);
          });
        }
      }

      test("no other namespace is there, and asking for one costs nothing", async () => {
        const session = await joined();
        for (const namespace of ["/nope", "/custom/", "/Custom", "/customer"]) {
          await session.send(`40${namespace},{"token":1}`);
          const refusal = `44${namespace},{"message":"Invalid namespace"}`;
          assert.equal(await session.hear(), refusal);
        }
        await session.send('42["message",1]');
        assert.equal(await session.hear(), '42["message-back",1]');
      });

      test("message comes back with all its arguments", async () => {
        const session = await joined();
        for (const args of ["", ',1,"2",{"3":[true]}', ",null,[],{}", ',"\\u2028 é \\"\\\\"']) {
          await session.send(`42["message"${args}]`);
          const packet = await session.hear();
          assert.ok(packet.startsWith('42["message-back"'), packet);
          assert.deepEqual(JSON.parse(packet.slice(2)).slice(1), JSON.parse(`[0${args}]`).slice(1));
        }
      });

      test("message-with-ack is acknowledged with all its arguments, under its id", async () => {
        const session = await joined();
        for (const id of ["0", "456", "2147483648"]) {
          await session.send(`42${id}["message-with-ack",1,"2",{"3":[false]}]`);
          assert.equal(await session.hear(), `43${id}[1,"2",{"3":[false]}]`);
        }
        await session.send('427["message-with-ack"]');
        assert.equal(await session.hear(), "437[]");
      });

      test("bytes come back as bytes, in events and acks", async () => {
        const session = await joined();
        const [one, two] = [Buffer.from([1, 2, 3]), Buffer.from([0, 255, 30])];
        const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
        const args = `${placeholder(0)},{"deep":[${placeholder(1)}]}`;
        for (const packet of [`452-["message",${args}]`, one, two]) {
          await session.send(packet);
        }
        assert.equal(await session.hear(), `452-["message-back",${args}]`);
        assert.deepEqual([await session.hear(), await session.hear()], [one, two]);
        await session.send(`451-789["message-with-ack",${placeholder(0)},"end"]`);
        await session.send(two);
        assert.equal(await session.hear(), `461-789[${placeholder(0)},"end"]`);
        assert.deepEqual(await session.hear(), two);
      });

      test("no ack where none was asked for, no answer to other events", async () => {
        const session = await joined();
        for (const packet of ['42["message-with-ack",1]', '42["Message",1]', '427["nothing"]']) {
          await session.send(packet);
        }
        await session.send('428["message-with-ack",2]');
        assert.equal(await session.hear(), "438[2]");
      });

      test("/custom hears nothing, leaves alone, and can be joined again", async () => {
        const session = await joined();
        const before = await join(session, "/custom");
        assert.equal(await session.hear(), '42/custom,["auth",{}]');
        for (const packet of ['42/custom,["message",1]', "41/custom,"]) {
          await session.send(packet);
          await session.send('42["message",2]');
          assert.equal(await session.hear(), '42["message-back",2]');
        }
        const after = await join(session, "/custom", { again: true });
        assert.notEqual(after.sid, before.sid);
        assert.equal(await session.hear(), '42/custom,["auth",{"again":true}]');
      });

      test("who joins no namespace within a second is closed, whatever it asks for", async () => {
        const begun = performance.now();
        const session = await open(endpoint);
        await session.send("40/nope,");
        assert.equal(await session.hear(), '44/nope,{"message":"Invalid namespace"}');
        await session.closed({ answering: true });
        const took = performance.now() - begun;
        assert.ok(took > 990 && took < 3_000, `${took} ms`);
      });

      test("who has joined stays, as long as it answers the pings", async () => {
        const session = await joined();
        let since = 0;
        for (let ping = 0; ping < 5; ping += 1) {
          assert.equal(await session.read(), "2");
          const took = performance.now() - since;
          assert.ok(took > 290 && (ping === 0 || took < 1_500), `${took} ms`);
          since = performance.now();
          await session.send("3");
        }
        await session.send('429["message-with-ack"]');
        assert.equal(await session.hear(), "439[]");
        assert.equal(await session.read(), "2");
        await session.closed();
        const took = performance.now() - since;
        assert.ok(took > 490 && took < 2_000, `${took} ms`);
      });
    });
  }

  test("an upgraded session is the same socket", async () => {
    const session = await openPolling(endpoint);
    await join(session, "/", { token: 1 });
    assert.equal(await session.hear(), '42["auth",{"token":1}]');
    const noop = session.hear();
    const socket = await dial(`${endpoint}?EIO=4&transport=websocket&sid=${session.opened.sid}`);
    socket.send("2probe");
    assert.equal(await socket.read(), "3probe");
    assert.equal(await noop, "6");
    socket.send("5");
    socket.send('421["message-with-ack","same"]');
    assert.equal(await socket.hear(), '431["same"]');
  });

  test("a packet that is none costs the sender its session, and nobody else", async () => {
    const other = await openWebSocket(endpoint);
    await join(other);
    await other.hear();
    for (const packet of ["4abc", '42{"no":"array"}', '42["message"', "40/custom,[]"]) {
      const session = await openWebSocket(endpoint);
      await join(session);
      session.send(packet);
      await session.closed();
      other.send('421["message-with-ack",1]');
      assert.equal(await other.hear(), "431[1]");
    }
  });

  test("pages of any origin may read the answers", async () => {
    const headers = { Origin: "http://anywhere.test" };
    for (const query of ["", "&sid=unknown"]) {
      const answer = await fetch(`${endpoint}?EIO=4&transport=polling${query}`, { headers });
      assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    }
  });
});

inEachMode(
  "socket-protocol, socket.io-client",
  (context) => {
    const bytes = () => Buffer.from([0, 1, 254, 255]);

    /** A client, and what it was told of its payload. */
    async function greeted(options) {
      const client = context.clients.create(options);
      const auth = next(client, "auth");
      await next(client.connect(), "connect");
      return [client, (await auth)[0]];
    }

    test("each namespace tells the payload that came with it", async () => {
      const [client, none] = await greeted();
      assert.deepEqual(none, {});
      const custom = context.clients.beside(client, "/custom", { auth: { token: "123" } });
      const auth = next(custom, "auth");
      custom.connect();
      assert.deepEqual(await auth, [{ token: "123" }]);
      const [, some] = await greeted({ auth: { a: [1, { b: null }] } });
      assert.deepEqual(some, { a: [1, { b: null }] });
    });

    test("messages come back and are acknowledged, whatever is in them", async () => {
      const [client] = await greeted();
      const binary = [bytes(), { deep: [bytes(), Buffer.alloc(0)] }, null];
      for (const args of [[], [1, "2", { 3: [true] }], binary]) {
        const back = next(client, "message-back");
        client.emit("message", ...args);
        assert.deepEqual(await back, args);
        assert.deepEqual(await ask(client, "message-with-ack", ...args), args);
      }
    });

    test("a namespace that isn't there is refused", async () => {
      const client = context.clients.create({ namespace: "/nope" });
      assert.deepEqual(await refusalOf(client), ["Invalid namespace", undefined]);
    });

    test("pings hold it, and it is never recovered", async () => {
      const [client] = await greeted();
      const { id } = client;
      for (let ping = 0; ping < 4; ping += 1) {
        await next(client.io, "ping");
      }
      assert.equal(client.id, id);
      const gone = next(client, "disconnect");
      client.io.engine.close();
      await gone;
      await next(client, "connect");
      assert.ok(!client.recovered);
      assert.notEqual(client.id, id);
    });
  },
  { start },
);

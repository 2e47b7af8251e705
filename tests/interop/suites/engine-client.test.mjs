// engine.io-client in each way it can travel, against the app that was made for its tests.
import { after, afterEach, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Fetch, NodeWebSocket, Socket } from "engine.io-client";
import { modes } from "../lib/client.mjs";
import { startScenario } from "../lib/server.mjs";
import { collect, next, within } from "../lib/wait.mjs";

const ways = [
  ...modes,
  { name: "polling by fetch", options: { transports: [Fetch] }, settles: "polling" },
  {
    name: "polling by fetch, then upgrade",
    options: { transports: [Fetch, NodeWebSocket] },
    settles: "websocket",
  },
];
const polls = (way) => way.options.transports?.length === 1 && way.settles === "polling";
const upgrades = (way) => way.options.transports?.length !== 1;

for (const way of ways) {
  describe(`engine-client-support, engine.io-client, ${way.name}`, () => {
    let server;
    const sockets = [];
    before(async () => (server = await startScenario("engine-client-support")));
    after(() => server?.stop());
    afterEach(() => sockets.splice(0).forEach((socket) => socket.close()));

    function open(options) {
      const socket = new Socket(server.url, { ...way.options, path: "/engine.io", ...options });
      sockets.push(socket);
      return socket;
    }

    test("the greeting comes first, then each answer in its turn", async () => {
      const socket = open();
      const heard = collect(socket, "message", 7);
      await next(socket, "open");
      const rest = [Buffer.from([0, 4, 30, 255]), "\u{10000}\uffff€", "end"];
      for (const message of ["give binary", "text", "give utf8", ...rest]) {
        socket.send(message);
      }
      const given = [Buffer.from([0, 1, 2, 3, 4]), "text", "пойду спать всем спокойной ночи"];
      assert.deepEqual(await heard, ["hi", ...given, ...rest]);
      if (socket.transport.name !== way.settles) {
        await next(socket, "upgrade");
      }
    });

    test("the client packs what it sends into bodies that the server takes", async () => {
      const socket = open();
      const sent = [
        ...["a".repeat(99), "b".repeat(30), "c".repeat(30), "d".repeat(35), "€".repeat(33)],
        ...[72, 20].map((length) => Buffer.alloc(length, length)),
        "e".repeat(20),
        ...[20, 72].map((length) => Buffer.alloc(length, length)),
        "f".repeat(99),
      ];
      const heard = collect(socket, "message", sent.length + 1);
      await next(socket, "open");
      sent.forEach((message) => socket.send(message));
      assert.deepEqual(await heard, ["hi", ...sent]);
      assert.equal(socket.readyState, "open");
    });

    test("a message over the limit ends the session, and the client learns why", async () => {
      const socket = open();
      await next(socket, "open");
      if (socket.transport.name !== way.settles) {
        await next(socket, "upgrade");
      }
      const { id } = socket;
      const closed = next(socket, "close");
      socket.send("x".repeat(101));
      const [reason, details] = await closed;
      if (way.settles === "websocket") {
        assert.equal(reason, "transport close");
        assert.deepEqual([details.context.code, details.context.reason], [1009, ""]);
      } else {
        assert.equal(reason, "transport error");
        assert.equal(details.description, 413);
        // `fetch` keeps the answer to itself.
        assert.equal(details.context?.responseText ?? "", "");
      }
      // The client has said that it closes: soon nobody polls for this session any more.
      const url = `${server.url}/engine.io/?EIO=4&transport=polling&sid=${id}`;
      while ((await within(fetch(url), "the answer to a poll")).status === 200);
    });

    test("an unknown sid is an error", async () => {
      const socket = open({ query: { sid: "abc" } });
      const [error] = await next(socket, "error");
      assert.equal(error.type, "TransportError");
      if (way.options.transports?.[0] !== "websocket") {
        assert.equal(error.description, 400);
      }
    });

    test("who is denied is told so", async () => {
      const socket = open({ query: { deny: 1 } });
      const [error] = await next(socket, "error");
      assert.equal(error.type, "TransportError");
      if (way.options.transports?.[0] !== "websocket") {
        assert.equal(error.description, 403);
      }
    });

    if (polls(way)) {
      declareCookies(open);
    }
    if (upgrades(way)) {
      declareClosing(open);
    }
  });
}

function declareCookies(open) {
  for (const withCredentials of [true, false]) {
    test(`cookies that live go back, if the client may: ${withCredentials}`, async () => {
      const socket = open({ withCredentials });
      const hi = next(socket, "message");
      await next(socket, "open");
      // Two of them expire at once: which is over when the clock has gone on.
      const opened = Date.now();
      await hi;
      while (Date.now() <= opened) {
        const heard = next(socket, "message");
        socket.send("tick");
        await heard;
      }
      const heard = next(socket, "message");
      socket.send("sendHeaders");
      const [text] = await heard;
      const { cookie } = JSON.parse(text);
      assert.equal(cookie, withCredentials ? "1=1; 2=2" : undefined);
    });
  }

  test("sendHeaders tells the client's own headers", async () => {
    const socket = open({ extraHeaders: { "X-Own": "value" } });
    await next(socket, "message");
    const heard = next(socket, "message");
    socket.send("sendHeaders");
    const [text] = await heard;
    const headers = JSON.parse(text);
    assert.equal(headers["x-own"], "value");
    assert.equal(headers["content-type"], "text/plain;charset=UTF-8");
  });
}

function declareClosing(open) {
  test("a close during the upgrade waits for its end", async () => {
    const socket = open();
    const upgrading = next(socket, "upgrading");
    const upgraded = next(socket, "upgrade");
    await upgrading;
    const closed = next(socket, "close");
    socket.close();
    await upgraded;
    const [reason] = await closed;
    assert.equal(reason, "forced close");
  });

  test("what was sent before that close goes out first", async () => {
    const socket = open();
    await next(socket, "upgrading");
    const closed = next(socket, "close");
    socket.send("last words");
    socket.close();
    await closed;
    assert.equal(socket.writeBuffer.length, 0);
  });

  test("where polling is denied a client may try WebSocket", async () => {
    const transportOptions = { polling: { query: { deny: 1 } } };
    const socket = open({ transportOptions, tryAllTransports: true });
    await next(socket, "open");
    assert.equal(socket.transport.name, "websocket");
  });
}

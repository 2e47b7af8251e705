// Below Socket.IO: raw Engine.IO sessions, plain requests, what strangers get.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Socket } from "engine.io-client";
import { WebSocket } from "ws";
import { startServer } from "../lib/server.mjs";
import { next, within } from "../lib/wait.mjs";

describe("engine.io", () => {
  let server;
  let url;
  before(async () => {
    server = await startServer();
    url = `${server.url}/socket.io/`;
  });
  after(() => server?.stop());

  const request = (query, options) => fetch(`${url}?${query}`, options);
  const handshake = async () => {
    const response = await request("EIO=4&transport=polling");
    return JSON.parse((await response.text()).slice(1)).sid;
  };

  test("the handshake tells the settings", async () => {
    const response = await request("EIO=4&transport=polling");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/plain; charset=UTF-8");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const body = await response.text();
    assert.equal(body[0], "0");
    const { sid, ...settings } = JSON.parse(body.slice(1));
    assert.match(sid, /^[A-Za-z0-9_-]{20}$/);
    assert.deepEqual(settings, {
      upgrades: ["websocket"],
      pingInterval: 25_000,
      pingTimeout: 20_000,
      maxPayload: 1_000_000,
    });
  });

  for (const transports of [["polling", "websocket"], ["websocket"], ["polling"]]) {
    test(`a raw session over ${transports.join(" and ")}`, async () => {
      const socket = new Socket(server.url, { path: "/socket.io", transports });
      await next(socket, "open");
      if (transports.length === 2) {
        await next(socket, "upgrade");
      }
      const heard = messages(socket);
      socket.send("0");
      assert.match(await heard.next(), /^0\{"sid":"[A-Za-z0-9_-]{20}"\}$/);
      socket.send('20["ack-echo","hello"]');
      assert.equal(await heard.next(), '30["hello"]');
      socket.send('51-["echo",{"_placeholder":true,"num":0}]');
      socket.send(Buffer.from([1, 2, 3]));
      assert.equal(await heard.next(), '51-["echo",{"_placeholder":true,"num":0}]');
      assert.deepEqual([...new Uint8Array(await heard.next())], [1, 2, 3]);
      const closed = next(socket, "close");
      socket.close();
      await closed;
    });
  }

  test("packets of one body are answered in order", async () => {
    const sid = await handshake();
    const query = `EIO=4&transport=polling&sid=${sid}`;
    await request(query, { method: "POST", body: "40" });
    assert.match(await (await request(query)).text(), /^40\{"sid":"[^"]+"\}$/);
    const body = ['420["ack-echo",1]', '421["ack-echo",2]', '42["echo",3]'].join("\u001e");
    const post = await request(query, { method: "POST", body });
    assert.equal(await post.text(), "ok");
    const packets = (await (await request(query)).text()).split("\u001e");
    assert.deepEqual(packets, ["430[1]", "431[2]", '42["echo",3]']);
    await request(query, { method: "POST", body: "1" });
  });

  const refusals = [
    ["no transport", "EIO=4", "GET", 0, "Transport unknown"],
    ["an unknown transport", "EIO=4&transport=pigeon", "GET", 0, "Transport unknown"],
    ["an odd transport", "EIO=4&transport=__proto__", "GET", 0, "Transport unknown"],
    ["an unknown sid", "EIO=4&transport=polling&sid=x", "GET", 1, "Session ID unknown"],
    ["a POST without sid", "EIO=4&transport=polling", "POST", 2, "Bad handshake method"],
    ["websocket without upgrade", "EIO=4&transport=websocket", "GET", 3, "Bad request"],
    ["revision 3", "EIO=3&transport=polling", "GET", 5, "Unsupported protocol version"],
  ];
  for (const [kind, query, method, code, message] of refusals) {
    test(`${kind} is refused with code ${code}`, async () => {
      const response = await request(query, { method });
      assert.equal(response.status, 400);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      assert.deepEqual(await response.json(), { code, message });
    });
  }

  test("an upgrade with an unknown sid is refused", async () => {
    const socket = new WebSocket(`${url}?EIO=4&transport=websocket&sid=nobody`);
    const [error] = await next(socket, "error");
    assert.match(error.message, /400/);
  });

  test("a second poll ends the session", async () => {
    const query = `EIO=4&transport=polling&sid=${await handshake()}`;
    const pending = [request(query), request(query)];
    const statuses = (await Promise.all(pending)).map(({ status }) => status);
    assert.deepEqual(statuses.sort(), [200, 400]);
    assert.equal((await request(query)).status, 400);
  });

  for (const packet of ["9", "4", "4x", '42"no array"', "42[]", '45["x"', '4599-["x"]', "4{}"]) {
    test(`an invalid packet costs the sender its session: ${packet}`, async () => {
      const socket = new WebSocket(`${url}?EIO=4&transport=websocket`);
      const closed = next(socket, "close");
      await next(socket, "message");
      socket.send("40");
      await next(socket, "message");
      socket.send(packet);
      await closed;
      assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok");
    });
  }

  test("a request cut off or made of noise harms nobody else", async () => {
    for (const bytes of ["GET /socket.io/?EIO=4&tran", "\u0000\u0001\u0002\r\n\r\n", "\r\n\r\n"]) {
      const socket = connect(server.port, "127.0.0.1");
      await once(socket, "connect");
      socket.on("error", () => {});
      const closed = once(socket, "close");
      socket.resume();
      socket.end(bytes, "latin1");
      await within(closed, "the server to hang up");
    }
    assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok");
  });

  test("healthz, the page and nothing else", async () => {
    assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok");
    const page = await fetch(`${server.url}/`);
    assert.match(page.headers.get("content-type"), /^text\/html/);
    assert.match(await page.text(), /^<!doctype html>/i);
    assert.equal((await fetch(`${server.url}/no-such-thing`)).status, 404);
  });
});

/** Messages in the order of arrival, kept until they are asked for. */
function messages(socket) {
  const arrived = [];
  let wake = () => {};
  socket.on("message", (data) => {
    arrived.push(data);
    wake();
  });
  return {
    async next() {
      while (arrived.length === 0) {
        await within(new Promise((resolve) => (wake = resolve)), "a message");
      }
      return arrived.shift();
    },
  };
}

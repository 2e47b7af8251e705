// The settings of the smoke app, seen from bare HTTP and WebSocket: limits, times, CORS, JSONP, the
// HTTP beside Socket.IO, and the reasons for which sockets leave.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, ask } from "../lib/client.mjs";
import { assertOpened, dial, raw } from "../lib/raw.mjs";
import { isReference, startScenario } from "../lib/server.mjs";
import { next, nextWhere } from "../lib/wait.mjs";

const PAYLOAD_BYTES_MAX = 100_000;
const ORIGIN = "http://conf.test";

describe("smoke, settings", () => {
  let server;
  before(async () => (server = await startScenario("smoke")));
  after(() => server?.stop());

  const polling = (query = "") => `${server.url}/socket.io/?EIO=4&transport=polling${query}`;
  const get = async (url, headers = {}) => {
    const response = await fetch(url, { headers });
    return { response, body: await response.text() };
  };
  const post = (url, body) => fetch(url, { method: "POST", body });

  /** A polling session; in `/` if it is to join. */
  async function poll(query = "", joins = true) {
    const { body } = await get(polling(query));
    const open = JSON.parse(body.slice(1));
    const url = polling(`&sid=${open.sid}`);
    if (joins) {
      await post(url, "40");
      assert.match((await get(url)).body, /^40\{"sid":/);
    }
    return { ...open, url };
  }

  const upgrade = (query = "") => {
    return dial(`${server.url}/socket.io/?EIO=4&transport=websocket${query}`);
  };

  async function joined() {
    const socket = await upgrade();
    assert.match(await socket.read(), /^0\{/);
    socket.send("40");
    const { sid } = JSON.parse((await socket.read()).slice(2));
    assert.match(await socket.read(), /^42\["welcome",/);
    return Object.assign(socket, { sid });
  }

  for (const [transport, open] of Object.entries(raw)) {
    test(`the handshake tells times, limit and upgrades over ${transport}`, async () => {
      const times = { pingInterval: 1_000, pingTimeout: 1_500 };
      const session = await open(`${server.url}/socket.io/`);
      assertOpened(session, transport, { ...times, maxPayload: PAYLOAD_BYTES_MAX });
    });
  }

  test("a path without its last slash is another", async () => {
    const { response } = await get(`${server.url}/socket.io?EIO=4&transport=polling`);
    assert.equal(response.status, 404);
  });

  test("a body of the limit passes, one beyond is answered 413", async () => {
    const { url } = await poll();
    const padding = 'x'.repeat(PAYLOAD_BYTES_MAX - '42["nothing",""]'.length);
    const body = `42["nothing","${padding}"]`;
    assert.equal((await post(url, body)).status, 200);
    assert.equal((await post(url, `${body} `)).status, 413);
  });

  test("a message of the limit passes, one beyond closes with 1009", async () => {
    const socket = await joined();
    const padding = 'x'.repeat(PAYLOAD_BYTES_MAX - '420["echo",""]'.length);
    socket.send(`420["echo","${padding}"]`);
    assert.equal(await socket.read(), `430["${padding}"]`);
    socket.send(`420["echo","${padding}x"]`);
    assert.equal((await socket.closed()).code, 1009);
  });

  test("who joins no namespace is closed after a second", async () => {
    const begun = performance.now();
    const socket = await upgrade();
    await socket.closed();
    const took = performance.now() - begun;
    assert.ok(took > 950 && took < 3_000, `${took} ms`);
  });

  test("a probe that doesn't finish is closed after a second, and polling goes on", async () => {
    const { sid, url } = await poll();
    const begun = performance.now();
    const socket = await upgrade(`&sid=${sid}`);
    socket.send("2probe");
    assert.equal(await socket.read(), "3probe");
    // A client that upgrades polls no more: this one keeps its session alive all the same.
    let ended = false;
    const closed = socket.closed().then(() => (ended = true));
    const heard = [];
    while (!ended) {
      const { response, body } = await get(url);
      assert.equal(response.status, 200);
      heard.push(body);
      if (body.includes("2") && body !== "6") {
        await post(url, "3");
      }
    }
    await closed;
    const took = performance.now() - begun;
    assert.ok(took > 950 && took < 3_000, `${took} ms`);
    assert.ok(heard.includes("6"), "no poll was released");
    await post(url, '420["count"]');
    const { body } = await get(url);
    assert.match(body, /430\[\d+\]/);
  });

  test("pings come every second", async () => {
    const socket = await joined();
    for (let ping = 0; ping < 2; ping += 1) {
      const begun = performance.now();
      assert.equal(await socket.read(), "2");
      socket.send("3");
      const took = performance.now() - begun;
      assert.ok(took > 900 && took < 1_600, `${took} ms`);
    }
    socket.close();
  });

  test("clients of EIO 3 are in / at once, and JSONP is answered", async () => {
    const url = `${server.url}/socket.io/?EIO=3&transport=polling`;
    let all = (await get(url)).body;
    const [, sid] = /^\d+:0\{"sid":"([\w-]{20})"/.exec(all);
    while (!all.includes("welcome")) {
      all += (await get(`${url}&sid=${sid}`)).body;
    }
    assert.match(all, /\}2:40\d+:42\["welcome",/);
    const jsonp = await get(polling("&j=7"));
    assert.match(jsonp.body, /^___eio\[7\]\("0\{\\"sid\\":/);
    assert.match(jsonp.body, /"\);$/);
  });

  test("CORS: one origin with credentials, on errors too, and preflights", async () => {
    const headers = { Origin: ORIGIN };
    for (const url of [polling(), polling("&sid=unknown")]) {
      const { response } = await get(url, headers);
      assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
      assert.equal(response.headers.get("access-control-allow-credentials"), "true");
    }
    const preflight = await fetch(polling(), {
      method: "OPTIONS",
      headers: {
        ...headers,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-one,x-two",
      },
    });
    assert.ok([200, 204].includes(preflight.status), String(preflight.status));
    assert.equal(preflight.headers.get("access-control-allow-origin"), ORIGIN);
    assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
    assert.match(preflight.headers.get("access-control-allow-headers"), /x-one.*x-two/);
    const foreign = await get(polling(), { Origin: "http://elsewhere.test" });
    const allowed = foreign.response.headers.get("access-control-allow-origin");
    assert.ok(allowed === null || allowed === ORIGIN, String(allowed));
  });

  test("large answers may be compressed, and come back whole", async () => {
    const { url } = await poll("", true);
    await post(url, '42["text",2000]');
    let all = "";
    while (!all.includes("text")) {
      all += (await get(url, { "Accept-Encoding": "gzip, deflate" })).body;
    }
    assert.ok(all.includes("é".repeat(2_000)));
  });

  test("the client's files are not served", async () => {
    const { response, body } = await get(`${server.url}/socket.io/socket.io.js`);
    assert.equal(response.status, 400);
    assert.deepEqual(JSON.parse(body), { code: 0, message: "Transport unknown" });
  });

  test("the HTTP beside it", async () => {
    const { response, body } = await get(`${server.url}/healthz`);
    assert.deepEqual([response.status, body], [200, "ok"]);
    const stats = async () => JSON.parse((await get(`${server.url}/stats`)).body);
    const before = await stats();
    const socket = await joined();
    const during = await stats();
    assert.deepEqual(Object.keys(during), ["sessions", "sockets"]);
    assert.ok(during.sessions > 0 && during.sockets > 0, JSON.stringify([before, during]));
    socket.close();
    if (!isReference) {
      assert.equal((await get(`${server.url}/static/hello.txt`)).body.trim(), "hello static");
    }
    for (const path of ["/", "/nothing", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt"]) {
      const { response, body } = await get(server.url + path);
      assert.ok(response.status >= 400 && response.status < 500, path);
      assert.ok(!body.includes("top secret"), path);
    }
  });

  describe("reasons", () => {
    let observer;
    let clients;
    before(async () => {
      clients = new Clients(server.url);
      observer = await clients.settle();
      await ask(observer, "join", "observers");
    });
    after(() => clients?.close());

    const left = async (sid, act) => {
      const told = nextWhere(observer, "left", ({ id }) => id === sid);
      await act();
      return (await told)[0].reason;
    };

    const ways = {
      "client namespace disconnect": (socket) => socket.send("41"),
      "server namespace disconnect": (socket) => socket.send('42["bye"]'),
      "transport close": (socket) => socket.close(),
      "transport error": (socket) => socket._socket.write(Buffer.from([0x81, 1, 0x32])),
      "parse error": (socket) => socket.send("no packet"),
      "forced close": (socket) => socket.send('42["no JSON"'),
      "ping timeout": () => {},
    };
    for (const [reason, act] of Object.entries(ways)) {
      test(reason, async () => {
        const socket = await joined();
        socket.on("error", () => {});
        assert.equal(await left(socket.sid, () => act(socket)), reason);
        socket.terminate();
      });
    }

    test("transport close, of a session that polls", async () => {
      const { url } = await poll("", false);
      await post(url, "40");
      const { body } = await get(url);
      const { sid } = JSON.parse(body.split("\u001e")[0].slice(2));
      assert.equal(await left(sid, () => post(url, "1")), "transport close");
    });

    test("transport error, of polls that overlap", async () => {
      const { url } = await poll("", false);
      await post(url, "40");
      const { body } = await get(url);
      const { sid } = JSON.parse(body.split("\u001e")[0].slice(2));
      if (!body.includes("welcome")) {
        await get(url);
      }
      const overlap = () => Promise.all([get(url), get(url)]);
      assert.equal(await left(sid, overlap), "transport error");
    });
  });
});

describe("smoke, start and end", () => {
  test("it ends within 5 s of SIGTERM, and starts again on the same port at once", async () => {
    let server = await startScenario("smoke");
    const { port } = server;
    for (let round = 0; round < 3; round += 1) {
      const clients = new Clients(server.url);
      const client = await clients.settle();
      const gone = next(client, "disconnect");
      const begun = performance.now();
      await server.stop();
      assert.ok(performance.now() - begun < 5_000);
      await gone;
      clients.close();
      server = await startScenario("smoke", ["--port", String(port)]);
      assert.equal(server.port, port);
    }
    await server.stop();
  });
});

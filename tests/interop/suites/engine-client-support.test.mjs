// The app engine-client-support, by hand: its settings, its answers, its cookies and its limits.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { assertOpened, dial, openPolling, openWebSocket, raw, refused } from "../lib/raw.mjs";
import { isReference, startScenario } from "../lib/server.mjs";

const PAYLOAD_BYTES_MAX = 100;

describe("engine-client-support", () => {
  let server;
  let endpoint;
  before(async () => {
    server = await startScenario("engine-client-support");
    endpoint = `${server.url}/engine.io/`;
  });
  after(() => server?.stop());

  for (const [transport, open] of Object.entries(raw)) {
    describe(transport, () => {
      /** A session that has been greeted. */
      const greeted = async () => {
        const session = await open(endpoint);
        assert.equal(await session.read(), "4hi");
        return session;
      };

      test("the handshake tells the settings", async () => {
        const settings = { pingInterval: 500, pingTimeout: 20_000, maxPayload: PAYLOAD_BYTES_MAX };
        assertOpened(await open(endpoint), transport, settings);
      });

      test("a greeting, then nothing unasked but a ping every 500 ms", async () => {
        let since = performance.now();
        const session = await greeted();
        for (let ping = 0; ping < 2; ping += 1) {
          assert.equal(await session.read(), "2");
          const took = performance.now() - since;
          assert.ok(took > 490 && took < 2_000, `${took} ms`);
          since = performance.now();
          await session.send("3");
        }
      });

      test("bytes and text are given, all else comes back", async () => {
        const session = await greeted();
        const answers = [
          ["4give binary", Buffer.from([0, 1, 2, 3, 4])],
          ["4give utf8", "4пойду спать всем спокойной ночи"],
          ["4give nothing", "4give nothing"],
          ["4", "4"],
          ["4cash money €€€ \u{1f44b}", "4cash money €€€ \u{1f44b}"],
          [Buffer.from("give binary"), Buffer.from("give binary")],
          [Buffer.alloc(0), Buffer.alloc(0)],
        ];
        for (const [message, answer] of answers) {
          await session.send(message);
          assert.deepEqual(await session.hear(), answer);
        }
      });

      test("100 bytes pass, however few the characters", async () => {
        const session = await greeted();
        for (const text of [`4${"x".repeat(99)}`, `4${"€".repeat(33)}`]) {
          await session.send(text);
          assert.equal(await session.hear(), text);
        }
      });
    });
  }

  describe("admission", () => {
    const query = "?EIO=4&transport=";
    for (const deny of ["deny=1", "deny=", "deny", "a=b&deny=0"]) {
      test(`a session is refused for ${deny}`, async () => {
        const answer = await fetch(`${endpoint}${query}polling&${deny}`);
        assert.equal(answer.status, 403);
        assert.deepEqual(await answer.json(), { code: 4, message: "Forbidden" });
        // The reference refuses every upgrade with the same status.
        const status = isReference ? 400 : 403;
        assert.equal(await refused(`${endpoint}${query}websocket&${deny}`), status);
      });
    }

    test("nothing else is refused, and no request of an open session", async () => {
      const session = await openPolling(endpoint, "&denied=1&a=deny");
      const { status, body } = await session.get("&deny=1");
      assert.deepEqual([status, body], [200, "4hi"]);
    });
  });

  describe("cookies", () => {
    test("come with the answer that opens a polling session, and with no later one", async () => {
      const session = await openPolling(endpoint);
      const cookies = session.response.headers.getSetCookie();
      assert.deepEqual(cookies.slice(0, 3), [
        "1=1; Max-Age=86400",
        "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
        "3=3; Max-Age=0",
      ]);
      assert.equal(cookies.length, 4);
      const date = /^4=4; Expires=(\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT)$/;
      const [, expires] = date.exec(cookies[3]);
      assert.ok(Math.abs(new Date(expires) - Date.now()) < 5_000, expires);
      const { headers } = await session.get();
      assert.deepEqual(headers.getSetCookie(), []);
      assert.deepEqual((await session.post("4hello")).headers.getSetCookie(), []);
    });

    test("come with no refusal", async () => {
      const answer = await fetch(`${endpoint}?EIO=4&transport=polling&deny=1`);
      assert.deepEqual(answer.headers.getSetCookie(), []);
    });
  });

  test("sendHeaders tells the headers of the very POST that asked", async () => {
    const session = await openPolling(endpoint, "", { "X-Count": "opening" });
    assert.equal(await session.read(), "4hi");
    for (const count of ["1", "2"]) {
      const answer = await session.post("4sendHeaders", { "X-Count": count, Cookie: "a=b; c=d" });
      assert.equal(answer.status, 200);
      const headers = JSON.parse((await session.hear()).slice(1));
      assert.equal(headers["x-count"], count);
      assert.equal(headers.cookie, "a=b; c=d");
      assert.equal(headers.host, new URL(server.url).host);
      assert.equal(headers["content-length"], String("4sendHeaders".length));
    }
  });

  describe("limits", () => {
    const beyond = {
      "101 characters": `4${"x".repeat(100)}`,
      "35 characters of three bytes": `4${"€".repeat(34)}`,
      "bytes in their base64 form": `b${Buffer.alloc(75).toString("base64")}`,
      "several packets": ["4a", `4${"b".repeat(60)}`, `4${"c".repeat(35)}`].join("\u001e"),
    };
    for (const [kind, body] of Object.entries(beyond)) {
      test(`a body over 100 bytes is answered 413 and ends the session: ${kind}`, async () => {
        const session = await openPolling(endpoint);
        assert.ok(Buffer.byteLength(body) > PAYLOAD_BYTES_MAX);
        const answer = await session.post(body);
        assert.equal(answer.status, 413);
        assert.equal(await answer.text(), "");
        // The reference leaves the end to the client.
        if (!isReference) {
          assert.equal((await session.get()).status, 400);
        }
      });
    }

    test("several packets in a body of 100 bytes are taken", async () => {
      const session = await openPolling(endpoint);
      assert.equal(await session.read(), "4hi");
      const bodies = [
        [`4${"b".repeat(30)}`, `4${"c".repeat(30)}`, `4${"d".repeat(35)}`],
        [`4${"€".repeat(20)}`, `4${"\u{1f44b}".repeat(9)}`],
        [Buffer.alloc(36, 1), Buffer.alloc(33, 2), "4x"],
      ];
      for (const packets of bodies) {
        await session.send(...packets);
        for (const packet of packets) {
          assert.deepEqual(await session.hear(), packet);
        }
      }
    });

    for (const [kind, message] of [["text", `4${"x".repeat(100)}`], ["bytes", Buffer.alloc(101)]]) {
      test(`a WebSocket message over 100 bytes ends with 1009 and no reason: ${kind}`, async () => {
        const socket = await openWebSocket(endpoint);
        socket.send(message);
        assert.deepEqual(await socket.closed(), { code: 1009, reason: "" });
      });
    }

    test("100 bytes of binary pass over WebSocket", async () => {
      const socket = await openWebSocket(endpoint);
      assert.equal(await socket.read(), "4hi");
      socket.send(Buffer.alloc(PAYLOAD_BYTES_MAX, 9));
      assert.deepEqual(await socket.hear(), Buffer.alloc(PAYLOAD_BYTES_MAX, 9));
    });
  });

  test("an unknown sid: these very bytes over polling, no WebSocket", async () => {
    for (const method of ["GET", "POST"]) {
      const body = method === "POST" ? "4x" : undefined;
      const answer = await fetch(`${endpoint}?EIO=4&transport=polling&sid=abc`, { method, body });
      assert.equal(answer.status, 400);
      assert.equal(await answer.text(), '{"code":1,"message":"Session ID unknown"}');
    }
    assert.equal(await refused(`${endpoint}?EIO=4&transport=websocket&sid=abc`), 400);
  });

  test("a probe is answered and its upgrade honoured, also to close at once", async () => {
    const session = await openPolling(endpoint);
    assert.equal(await session.read(), "4hi");
    const noop = session.hear();
    const socket = await dial(`${endpoint}?EIO=4&transport=websocket&sid=${session.opened.sid}`);
    socket.send("2probe");
    assert.equal(await socket.read(), "3probe");
    assert.equal(await noop, "6");
    // What a client sends that was told to close before its upgrade was done.
    socket.send("5");
    socket.send("4last words");
    assert.equal(await socket.hear(), "4last words");
    socket.close();
    await socket.closed();
    assert.equal((await session.get()).status, 400);
  });
});

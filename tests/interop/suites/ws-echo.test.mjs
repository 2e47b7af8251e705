// The app ws-echo: a WebSocket without Engine.IO, by the rules of RFC 6455, with `ws` as its peer.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { dial } from "../lib/raw.mjs";
import { startScenario } from "../lib/server.mjs";
import { within } from "../lib/wait.mjs";

const MESSAGE_BYTES_MAX = 16 * 1_024 * 1_024;

describe("ws-echo", () => {
  let server;
  before(async () => (server = await startScenario("ws-echo")));
  after(() => server?.stop());

  const open = (path = "/") => dial(server.url + path, { perMessageDeflate: false });

  const engine = "?EIO=4&transport=websocket";
  for (const path of ["/", "/any/path?a=b", `/engine.io/${engine}`, `/socket.io/${engine}`]) {
    test(`messages come back on ${path}, and nothing comes unasked`, async () => {
      const socket = await open(path);
      for (const message of ["hello", Buffer.from([1, 2, 3]), "2probe"]) {
        socket.send(message);
        assert.deepEqual(await socket.read(), message);
      }
    });
  }

  test("text of every kind comes back as text", async () => {
    const socket = await open();
    for (const text of ["", "é", "\u{1f44b}\u200d\u{1f467}", "\u0000\u2028\ufeff\u{10ffff}"]) {
      socket.send(text);
      assert.equal(await socket.read(), text);
    }
  });

  test("bytes of every length come back as bytes", async () => {
    const socket = await open();
    for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 7 + 3) % 256));
      socket.send(bytes);
      assert.deepEqual(await socket.read(), bytes);
    }
  });

  test("10,000 messages sent at once come back in their order", async () => {
    const socket = await open();
    for (let index = 0; index < 10_000; index += 1) {
      socket.send(`message ${index}`);
    }
    for (let index = 0; index < 10_000; index += 1) {
      assert.equal(await socket.read(), `message ${index}`);
    }
  });

  describe("16 MiB", () => {
    const full = Buffer.alloc(MESSAGE_BYTES_MAX, "abcdefg");

    test("pass, text and binary, also in parts", async () => {
      const socket = await open();
      socket.send(full);
      assert.ok(full.equals(await socket.read()));
      socket.send(full.toString());
      assert.ok(full.equals(Buffer.from(await socket.read())));
      socket.send(full.subarray(0, MESSAGE_BYTES_MAX / 2), { fin: false });
      socket.send(full.subarray(MESSAGE_BYTES_MAX / 2));
      assert.ok(full.equals(await socket.read()));
    });

    test("and a byte are closed with 1009", async () => {
      const socket = await open();
      socket.send("before");
      socket.send(Buffer.alloc(MESSAGE_BYTES_MAX + 1));
      assert.equal(await socket.read(), "before");
      assert.equal((await socket.closed()).code, 1009);
    });

    test("and a byte are closed with 1009 as soon as the parts exceed them", async () => {
      const socket = await open();
      socket.send(full, { fin: false });
      socket.send(Buffer.alloc(1), { fin: false });
      assert.equal((await socket.closed()).code, 1009);
    });
  });

  test("fragments come back as one message, with pings answered between them", async () => {
    const socket = await open();
    const pong = once(socket, "pong");
    socket.send("one, ", { fin: false });
    socket.ping("between");
    // Cut within a character.
    const accent = Buffer.from("é");
    socket.send(accent.subarray(0, 1), { fin: false });
    socket.send("", { fin: false });
    socket.send(Buffer.concat([accent.subarray(1), Buffer.from(", three")]), { fin: true });
    const [data] = await within(pong, "the pong");
    assert.equal(data.toString(), "between");
    assert.equal(await socket.read(), "one, é, three");
    for (const part of [[1], [], [2, 3]]) {
      socket.send(Buffer.from(part), { fin: false });
    }
    socket.send(Buffer.from([4]), { fin: true });
    assert.deepEqual(await socket.read(), Buffer.from([1, 2, 3, 4]));
  });

  test("each ping is answered with its own bytes, a pong unasked with nothing", async () => {
    const socket = await open();
    for (const payload of [Buffer.alloc(0), Buffer.from("data"), Buffer.alloc(125, 255)]) {
      socket.pong("unasked");
      const pong = once(socket, "pong");
      socket.ping(payload);
      assert.deepEqual((await within(pong, "the pong"))[0], payload);
    }
    socket.send("still");
    assert.equal(await socket.read(), "still");
  });

  for (const [code, answer = code] of [[1000], [1001], [4321], [undefined, 1005]]) {
    test(`a close is answered with a close of the same code: ${code}`, async () => {
      const socket = await open();
      socket.send("last");
      socket.close(code, code && "bye");
      assert.equal((await socket.closed()).code, answer);
      // What came before the close was answered before it.
      assert.equal(await socket.read(), "last");
    });
  }

  // Frames that `ws` doesn't send, masked with zeros where they are masked.
  const mask = [0, 0, 0, 0];
  const broken = {
    "text that is no UTF-8": [1007, [0x81, 0x82, ...mask, 0xc3, 0x28]],
    "text cut within a character": [1007, [0x81, 0x81, ...mask, 0xc3]],
    "a frame without a mask": [1002, [0x81, 0x01, 0x61]],
    "a reserved bit": [1002, [0xc1, 0x81, ...mask, 0x61]],
    "a reserved opcode": [1002, [0x83, 0x80, ...mask]],
    "a continuation of nothing": [1002, [0x80, 0x80, ...mask]],
    "a message within another": [1002, [0x01, 0x80, ...mask, 0x81, 0x80, ...mask]],
    "a ping in parts": [1002, [0x09, 0x80, ...mask]],
    "a ping of 126 bytes": [1002, [0x89, 0xfe, 0, 126, ...mask, ...Array(126).fill(0)]],
    "a close of one byte": [1002, [0x88, 0x81, ...mask, 3]],
    "a close with a code that isn't sent": [1002, [0x88, 0x82, ...mask, 0x03, 0xed]],
  };
  for (const [kind, [code, bytes]] of Object.entries(broken)) {
    test(`${kind} is closed with ${code}`, async () => {
      const socket = await open();
      socket._socket.write(Buffer.from(bytes));
      assert.equal((await socket.closed()).code, code);
    });
  }

  test("who hangs up without a close harms nobody", async () => {
    const [rude, other] = [await open(), await open()];
    rude.send("x".repeat(100_000));
    rude.terminate();
    other.send("still");
    assert.equal(await other.read(), "still");
  });

  test("what is no WebSocket is refused", async () => {
    for (const path of ["/", "/socket.io/?EIO=4&transport=polling"]) {
      const { status } = await fetch(server.url + path);
      assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
    }
  });
});

// The client's own files: as the reference serves them, and loaded by a page with a script tag.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { request } from "node:http";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { launchBrowser } from "../lib/browser.mjs";
import { isReference, startServer } from "../lib/server.mjs";

const installed = isReference
  ? new URL("../.cache/reference/node_modules/socket.io/", import.meta.url)
  : new URL("../node_modules/socket.io-client/", import.meta.url);
const folder = fileURLToPath(new URL(isReference ? "client-dist/" : "dist/", installed));
const { version } = JSON.parse(readFileSync(new URL("package.json", installed)));
const names = ["socket.io", "socket.io.min", "socket.io.esm.min", "socket.io.msgpack.min"]
  .map((name) => `${name}.js`)
  .flatMap((name) => [name, `${name}.map`]);

describe("the client's files", () => {
  let server;
  before(async () => {
    server = await startServer(["--client-files", folder]);
  });
  after(() => server?.stop());

  /** A request whose answer is neither decoded nor followed. */
  function ask(name, { method = "GET", headers = {} } = {}) {
    return new Promise((resolve, reject) => {
      const url = new URL(`/socket.io/${name}`, server.url);
      const asked = request(url, { method, headers }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          const { statusCode: status, headers } = response;
          resolve({ status, headers, body: Buffer.concat(chunks) });
        });
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  test("each of them, with the headers of the reference", async () => {
    for (const name of names) {
      for (const method of ["GET", "POST", "PUT"]) {
        const { status, headers, body } = await ask(`${name}?v=1`, { method });
        assert.equal(status, 200);
        assert.equal(headers["cache-control"], "public, max-age=0");
        const type = name.endsWith(".map") ? "json" : "javascript";
        assert.equal(headers["content-type"], `application/${type}; charset=utf-8`);
        assert.equal(headers.etag, `"${version}"`);
        assert.equal(headers["content-encoding"], undefined);
        assert.ok(body.equals(readFileSync(folder + name)), name);
      }
    }
  });

  test("not again where the client has them", async () => {
    for (const tag of [`"${version}"`, `W/"${version}"`]) {
      const { status, body } = await ask("socket.io.js", { headers: { "if-none-match": tag } });
      assert.deepEqual([status, body.length], [304, 0]);
    }
    const { status } = await ask("socket.io.js", { headers: { "if-none-match": '"0.0.0"' } });
    assert.equal(status, 200);
  });

  test("coded as the client likes best", async () => {
    const plain = readFileSync(`${folder}socket.io.min.js`);
    for (const [accepted, coding, decode] of [
      ["gzip, deflate, br", "gzip", gunzipSync],
      ["br, gzip", "br", brotliDecompressSync],
      ["deflate", "deflate", inflateSync],
      ["gzip;q=0.1, br;q=0.9", "br", brotliDecompressSync],
      ["identity", undefined, (body) => body],
    ]) {
      const asked = { headers: { "accept-encoding": accepted } };
      const { headers, body } = await ask("socket.io.min.js", asked);
      assert.equal(headers["content-encoding"], coding, accepted);
      assert.ok(decode(body).equals(plain), accepted);
    }
  });

  test("no others", async () => {
    for (const name of ["socket.io.esm.js", "socket.io.min.msgpack.js", "package.json", ""]) {
      const { status, body } = await ask(name);
      assert.equal(status, 400);
      assert.deepEqual(JSON.parse(body), { code: 0, message: "Transport unknown" });
    }
  });

  test("a page that loads the client with a script tag connects", async () => {
    const chromium = await launchBrowser();
    try {
      const page = await chromium.browser.newPage();
      await page.goto(`${server.url}/healthz`);
      await page.addScriptTag({ url: "/socket.io/socket.io.js" });
      const echoed = await page.evaluate(
        () =>
          new Promise((resolve) => {
            const socket = window.io();
            socket.on("echo", resolve);
            socket.emit("echo", "through the served client");
          }),
      );
      assert.equal(echoed, "through the served client");
    } finally {
      await chromium.close();
    }
  });
});

// socket.io-client in Chromium, on a website of another origin than the server's: what the browser
// lets through is what the server's CORS headers say.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { launchBrowser } from "../lib/browser.mjs";
import { startServer } from "../lib/server.mjs";

const bundle = new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url);

describe("a website of another origin", () => {
  let website;
  let server;
  let chromium;
  let origins;
  before(async () => {
    website = createServer((request, response) => {
      const wantsBundle = request.url === "/socket.io.js";
      response.setHeader("Content-Type", wantsBundle ? "text/javascript" : "text/html");
      response.end(wantsBundle ? readFileSync(bundle) : '<script src="/socket.io.js"></script>');
    });
    await once(website.listen(0, "127.0.0.1"), "listening");
    const { port } = website.address();
    // To a browser two names of one machine are two origins.
    origins = { trusted: `http://127.0.0.1:${port}`, stranger: `http://localhost:${port}` };
    server = await startServer(["--cors-origin", origins.trusted]);
    chromium = await launchBrowser();
  });
  after(async () => {
    await chromium?.close();
    await server?.stop();
    website?.close();
  });

  const ways = [
    ["polling, then upgrade", { transports: ["polling", "websocket"] }, "websocket"],
    ["polling only", { transports: ["polling"] }, "polling"],
    ["websocket only", { transports: ["websocket"] }, "websocket"],
    // A header of one's own makes the browser ask with OPTIONS first.
    ["a preflight", { transports: ["polling"], extraHeaders: { "x-own": "1" } }, "polling"],
  ];
  for (const [name, options, settles] of ways) {
    test(`that is trusted speaks: ${name}`, async () => {
      const told = await speak(origins.trusted, options);
      assert.deepEqual(told, { transport: settles, text: "你好 👋", bytes: [0, 255, 7] });
    });
  }

  test("that is a stranger hears nothing over polling", async () => {
    const told = await speak(origins.stranger, { transports: ["polling"] });
    assert.deepEqual(told, { error: "xhr poll error" });
  });

  /** What a client in a page of that origin hears, once its transport has settled. */
  async function speak(origin, options) {
    const page = await chromium.browser.newPage();
    page.setDefaultTimeout(15_000);
    try {
      await page.goto(origin);
      return await page.evaluate(converse, [server.url, options]);
    } finally {
      await page.close();
    }
  }
});

/** Runs in the page. */
async function converse([url, options]) {
  const socket = window.io(url, { ...options, reconnection: false, timeout: 10_000 });
  const error = await new Promise((resolve) => {
    socket.on("connect", () => resolve(undefined));
    socket.on("connect_error", resolve);
  });
  if (error) return { error: error.message };
  const { engine } = socket.io;
  if (options.transports.length > 1 && engine.transport.name !== "websocket") {
    await new Promise((resolve) => engine.once("upgrade", resolve));
  }
  const ask = (value) => socket.timeout(10_000).emitWithAck("ack-echo", value);
  const text = await ask("你好 👋");
  const bytes = [...new Uint8Array(await ask(new Uint8Array([0, 255, 7]).buffer))];
  const transport = engine.transport.name;
  socket.disconnect();
  return { transport, text, bytes };
}

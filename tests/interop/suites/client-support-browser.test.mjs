// Blobs, which only browsers send: Chromium with the app client-support.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { modes } from "../lib/client.mjs";
import { startScenario } from "../lib/server.mjs";
import { within } from "../lib/wait.mjs";

const bundle = fileURLToPath(
  new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url),
);

describe("client-support, in Chromium", () => {
  let server;
  let chromium;
  before(async () => {
    server = await startScenario("client-support");
    chromium = await launchBrowser();
  });
  after(async () => {
    await chromium?.close();
    await server?.stop();
  });

  for (const mode of modes) {
    test(`Blobs and Files arrive as bytes, in their order: ${mode.name}`, async () => {
      const page = await chromium.browser.newPage();
      page.setDefaultTimeout(15_000);
      // The app serves no page and lets no other origin in, but a refusal is a document of its own.
      await page.goto(`${server.url}/socket.io/`);
      await page.addScriptTag({ path: bundle });
      const told = await within(page.evaluate(converse, mode.options), "the page's conversation");
      const names = ["back", "jsonblob-ack", "buffack", "jsonbuff-ack", "abuff2-ack", "blob3-ack"];
      assert.deepEqual(told.heard, names);
      assert.equal(told.text, "asdfasdf");
      await page.close();
    });
  }
});

/** Runs in the page. */
async function converse(options) {
  const socket = window.io({ ...options, reconnection: false });
  const heard = [];
  socket.onAny((event) => heard.push(event));
  const blob = () => new Blob(["asdf", new Uint8Array([97, 115, 100, 102])]);
  const file = () => new File(["asdfasdf"], "a.txt", { type: "text/plain" });
  const { buffer } = new TextEncoder().encode("asdfasdf");
  socket.emit("blob", blob());
  socket.emit("jsonblob", { hello: "lol", message: file(), goodbye: "gotcha" });
  socket.emit("buffa", buffer);
  socket.emit("jsonbuff", { hello: "lol", message: buffer, goodbye: "gotcha" });
  socket.emit("abuff1", buffer);
  socket.emit("abuff2", "please arrive second");
  socket.emit("blob1", blob());
  socket.emit("blob2", "second");
  socket.emit("blob3", file());
  await new Promise((resolve) => socket.once("blob3-ack", resolve));
  const taken = new Promise((resolve) => socket.once("takebin", resolve));
  socket.offAny();
  socket.emit("getbin");
  const text = new TextDecoder().decode(await taken);
  socket.disconnect();
  return { heard, text };
}

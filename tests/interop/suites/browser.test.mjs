// The chat page of `throng serve`, in Chromium: two people chat, and the page tells the truth.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { launchBrowser } from "../lib/browser.mjs";
import { Clients } from "../lib/client.mjs";
import { startServer } from "../lib/server.mjs";
import { next } from "../lib/wait.mjs";

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const screenshots = fileURLToPath(new URL("../screenshots", import.meta.url));

describe("the page", () => {
  let server;
  let chromium;
  const contexts = [];
  before(async () => {
    server = await startServer();
    chromium = await launchBrowser();
    mkdirSync(screenshots, { recursive: true });
  });
  after(async () => {
    await chromium?.close();
    await server?.stop();
  });

  /** A person: a browser context of its own, the page open, its complaints collected. */
  async function arrive({ name, url = server.url, ...options }) {
    const context = await chromium.browser.newContext(options);
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) page.complaints.push(message.text());
    });
    page.on("request", (request) => {
      if (new URL(request.url()).port !== new URL(url).port) {
        page.complaints.push(`asked ${request.url()}`);
      }
    });
    await page.goto(url);
    await page.locator("#state[data-state=connected]").waitFor();
    if (name) await page.getByLabel("Name").fill(name);
    return page;
  }

  async function leave() {
    await Promise.all(contexts.splice(0).map((context) => context.close()));
  }

  async function say(page, words) {
    await page.getByLabel("Message", { exact: true }).fill(words);
    await page.getByRole("button", { name: "Send" }).click();
  }

  const text = (page, id, words) => page.locator(id).filter({ hasText: words }).waitFor();

  test("two people chat over WebSocket", async () => {
    const ada = await arrive({ name: "Ada", viewport: sizes.desktop });
    const grace = await arrive({ name: "Grace", viewport: sizes.phone, hasTouch: true });
    for (const page of [ada, grace]) {
      await page.locator("#transport[data-transport=websocket]").waitFor();
      await text(page, "#users", /^2$/);
      await text(page, "#rtt", /^[\d.]+ ms$/);
    }
    await say(ada, "Hello, is anybody here?");
    await text(grace, "#messages li", "Hello, is anybody here?");
    await say(grace, "Hi! <b>bold</b> & 你好 👋");
    await text(ada, "#messages li", "Hi! <b>bold</b> & 你好 👋");
    assert.equal(await ada.locator("#messages b").count(), 0, "markup must stay text");
    assert.equal(await ada.locator("#messages li.mine").count(), 1);
    assert.equal(await grace.locator("#messages li.mine").count(), 1);
    await say(ada, "The round trip up there is measured every three seconds. ".repeat(3));
    await text(grace, "#messages li", "three seconds");
    await photograph({ ada, grace });
    for (const page of [ada, grace]) {
      const overflow = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return scrollWidth - clientWidth;
      });
      assert.equal(overflow, 0, "the page must not scroll sideways");
      assert.deepEqual(page.complaints, []);
    }

    await grace.close();
    await text(ada, "#users", /^1$/);
    await leave();
  });

  test("the page and socket.io-client understand each other", async () => {
    const page = await arrive({ name: "Ada" });
    const clients = new Clients(server.url);
    try {
      const client = await clients.connect();
      const heard = next(client, "chat");
      await say(page, "from the page");
      assert.deepEqual(await heard, ["Ada: from the page"]);
      for (const value of ["Bob: from the library", "no name", { odd: [1] }, null]) {
        client.emit("chat", value);
      }
      for (const words of ["from the library", "no name", '{"odd":[1]}', "null"]) {
        await text(page, "#messages li", words);
      }
      // Binary is nothing the page shows, nor anything it stumbles over.
      client.emit("chat", Buffer.from([1, 2, 3]));
      client.emit("chat", "after binary");
      await text(page, "#messages li", "after binary");
      assert.deepEqual(page.complaints, []);
    } finally {
      clients.close();
      await leave();
    }
  });

  test("where WebSocket is blocked the page stays on polling", async () => {
    const context = await chromium.browser.newContext();
    contexts.push(context);
    await context.addInitScript(() => {
      window.WebSocket = class {
        constructor() {
          setTimeout(() => this.onclose?.(), 0);
        }
        close() {}
      };
    });
    const page = await context.newPage();
    await page.goto(server.url);
    await text(page, "#users", /^1$/);
    await text(page, "#rtt", /^[\d.]+ ms$/);
    await say(page, "over polling");
    await text(page, "#messages li.mine", "over polling");
    assert.equal(await page.locator("#transport").getAttribute("data-transport"), "polling");
    await leave();
  });

  test("the name is remembered", async () => {
    const page = await arrive({ name: "Ada" });
    await page.reload();
    await page.locator("#state[data-state=connected]").waitFor();
    assert.equal(await page.getByLabel("Name").inputValue(), "Ada");
    await leave();
  });

  test("a restart shows as such, without stale numbers, and heals", async () => {
    let restarted = await startServer();
    try {
      const page = await arrive({ name: "Ada", url: restarted.url, viewport: sizes.phone });
      await page.locator("#transport[data-transport=websocket]").waitFor();
      await text(page, "#rtt", /ms$/);
      await restarted.stop("SIGKILL");
      await page.locator("#state[data-state=disconnected]").waitFor();
      for (const id of ["#users", "#transport", "#rtt"]) {
        assert.equal(await page.locator(id).textContent(), "–");
      }
      assert.ok(await page.locator("#send").isDisabled());
      await page.screenshot({ path: `${screenshots}/phone-disconnected.png` });
      restarted = await startServer(["--port", String(restarted.port)]);
      await page.locator("#state[data-state=connected]").waitFor();
      await text(page, "#users", /^1$/);
      await say(page, "back again");
      await text(page, "#messages li.mine", "back again");
      assert.deepEqual(page.complaints, []);
    } finally {
      await leave();
      await restarted.stop();
    }
  });

  async function photograph({ ada, grace }) {
    for (const colorScheme of ["light", "dark"]) {
      await ada.emulateMedia({ colorScheme });
      await grace.emulateMedia({ colorScheme });
      await ada.screenshot({ path: `${screenshots}/desktop-${colorScheme}.png` });
      await grace.screenshot({ path: `${screenshots}/phone-${colorScheme}.png` });
    }
  }
});

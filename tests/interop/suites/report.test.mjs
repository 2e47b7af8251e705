// The pages that `throng bench` writes, in Chromium without any network: they show all of a run,
// on a phone and on a desktop, by day and by night.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bench } from "../lib/bench.mjs";
import { launchBrowser } from "../lib/browser.mjs";
import { isReference, startServer } from "../lib/server.mjs";

const sizes = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };
const schemes = ["light", "dark"];
const screenshots = fileURLToPath(new URL("../screenshots", import.meta.url));

const CHARTS = [
  "Delivery by percentile",
  "Delivery over time",
  "First and last recipient of each broadcast",
  "Connections",
  "CPU, share of one core",
  "Memory",
  "The generator's own delay by percentile",
];
const CHARTS_OF_SEVERAL = [
  "Delivery by percentile",
  "Last recipient by percentile",
  "Delivery p99 over time",
  "Delivery latency",
  "Server CPU per delivery",
  "Server CPU per connect",
  "RSS per connection",
];
const TABLES = ["Latencies", "Completeness", "Connections", "Generator", "Server", "Plan", "Machine"];

const skip = isReference && "the pages are the program's own";
describe("the report of a load test", { skip }, () => {
  let server;
  let chromium;
  let folder;
  const file = (name) => `${folder}/${name}`;
  before(async () => {
    folder = mkdtempSync(`${tmpdir()}/throng-report-`);
    mkdirSync(screenshots, { recursive: true });
    server = await startServer();
    chromium = await launchBrowser();
    for (const label of ["before", "after"]) {
      await measure(label);
    }
    await bench("report", file("before.json"), file("after.json"), "--html", file("several.html"));
  });
  after(async () => {
    await chromium?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A run with samples enough for a p99 of each second, and its page as `label.html`. */
  async function measure(label) {
    const run = ["broadcast", server.url, "--clients", "120", "--rate", "100", "--label", label];
    const times = ["--warmup", "500ms", "--duration", "3s", "--pid", String(server.pid)];
    const outputs = ["--quiet", "--json", file(`${label}.json`), "--html", file(`${label}.html`)];
    await bench(...run, ...times, ...outputs);
    // On a busy machine a run may be invalid, and is then in no figure of several.
    const result = read(label);
    result.verdict = { ...result.verdict, valid: true, reasons: [] };
    writeFileSync(file(`${label}.json`), JSON.stringify(result));
  }

  const read = (label) => JSON.parse(readFileSync(file(`${label}.json`), "utf8"));

  /** Has a page looked at by somebody without network, who then must have no complaint. */
  async function look(name, { size = "desktop", colorScheme = "light" }, check) {
    const viewport = sizes[size];
    const context = await chromium.browser.newContext({ viewport, colorScheme, offline: true });
    try {
      const url = pathToFileURL(file(`${name}.html`)).href;
      const complaints = [];
      const asked = [];
      await context.route("**", (route) => {
        const isPage = route.request().url() === url;
        return isPage ? route.continue() : route.abort();
      });
      const page = await context.newPage();
      page.setDefaultTimeout(15_000);
      page.on("request", (request) => asked.push(request.url()));
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
      await page.goto(url);
      await check(page);
      assert.deepEqual(asked, [url], "the page is one file");
      assert.deepEqual(complaints, []);
    } finally {
      await context.close();
    }
  }

  /** The names of the charts that are to be seen. */
  const charts = (page) =>
    page.locator("svg.chart:visible").evaluateAll((all) =>
      all.map((chart) => chart.querySelector(".title").textContent));

  const captions = (page) =>
    page.locator("caption").evaluateAll((all) => all.map((caption) => caption.textContent));

  async function assertReadable(page) {
    const flaws = await page.evaluate(findFlaws);
    assert.deepEqual(flaws, []);
  }

  for (const size of Object.keys(sizes)) {
    for (const colorScheme of schemes) {
      test(`one result on a ${size}, ${colorScheme}`, () =>
        look("before", { size, colorScheme }, async (page) => {
          assert.deepEqual(await charts(page), CHARTS);
          const found = await captions(page);
          assert.deepEqual(TABLES.filter((caption) => !found.includes(caption)), []);
          await assertReadable(page);
          await page.screenshot({
            path: `${screenshots}/report-${size}-${colorScheme}.png`,
            fullPage: true,
          });
        }));

      test(`several results on a ${size}, ${colorScheme}`, () =>
        look("several", { size, colorScheme }, async (page) => {
          assert.deepEqual(await charts(page), CHARTS_OF_SEVERAL);
          const labels = await page.locator("section tbody th").allTextContents();
          assert.deepEqual(labels, ["before", "after"]);
          await assertReadable(page);
          await page.screenshot({
            path: `${screenshots}/reports-${size}-${colorScheme}.png`,
            fullPage: true,
          });
          for (const summary of await page.locator("main > details > summary").all()) {
            await summary.click();
          }
          assert.deepEqual(await charts(page), [...CHARTS_OF_SEVERAL, ...CHARTS, ...CHARTS]);
          await assertReadable(page);
        }));
    }
  }

  test("a page says what was run, on what, and what came of it", () =>
    look("before", {}, async (page) => {
      const { command, fingerprint } = read("before");
      const told = await page.locator("pre code").textContent();
      assert.equal(told, command.join(" "));
      const machine = page.locator("table", { has: page.locator("caption", { hasText: /^Machine$/ }) });
      const facts = await machine.locator("td").allTextContents();
      assert.ok(facts.includes(fingerprint.kernel), fingerprint.kernel);
      assert.ok(facts.length >= Object.keys(fingerprint).length);
      await assertText(page, "h1", "Broadcast: 120 clients over WebSocket");
      await assertText(page, ".lead", "Open loop: 100 sends per second, at equal distances");
    }));

  async function assertText(page, place, words) {
    const text = (await page.locator(place).first().innerText()).replaceAll("\u{a0}", " ");
    assert.ok(text.includes(words), text);
  }

  test("latencies stand on logarithmic axes, percentiles by what lies beyond them", () =>
    look("before", {}, async (page) => {
      const chart = page.locator("svg.chart:visible").first();
      const { lines, words } = await chart.evaluate((svg) => ({
        lines: [...svg.querySelectorAll("path.grid")].map((path) => path.getAttribute("d")),
        words: [...svg.querySelectorAll("text")].map((text) => text.textContent),
      }));
      const places = (pattern) =>
        lines.map((line) => pattern.exec(line)).filter(Boolean).map(([, place]) => Number(place));
      const marks = words.map((text) => /^([\d.]+)\s(ns|µs|ms|s|%)$/u.exec(text)).filter(Boolean);
      const up = marks.filter(([, , unit]) => unit !== "%");
      const across = marks.filter(([, , unit]) => unit === "%");
      const nanoseconds = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };
      assertEven(
        up.map(([, number, unit]) => Math.log10(number * nanoseconds[unit])),
        places(/^M[\d.]+ ([\d.]+)H/),
      );
      assertEven(
        across.map(([, number]) => -Math.log10(1 - number / 100)),
        places(/^M([\d.]+) [\d.]+V/),
      );
      const { percentiles_ns } = read("before").latencies[0];
      const told = Object.keys(percentiles_ns).filter((name) => percentiles_ns[name] !== null);
      assert.deepEqual(across.map(([, number]) => `p${number}`), told);
    }));

  /** Places are as far apart as their values are. */
  function assertEven(values, places) {
    assert.ok(values.length >= 3, `${values.length} marks`);
    assert.equal(places.length, values.length);
    const step = (places.at(-1) - places[0]) / (values.at(-1) - values[0]);
    for (const [index, value] of values.entries()) {
      const expected = places[0] + step * (value - values[0]);
      assert.ok(Math.abs(places[index] - expected) < 0.2, `${places[index]} for ${expected}`);
    }
  }

  test("what was measured is drawn", () =>
    look("before", {}, async (page) => {
      const { broadcasts, intervals } = read("before");
      const points = (chart, name) =>
        page.locator(`svg.chart:visible[aria-label="${chart}"] g.series[data-name="${name}"]`)
          .evaluate((series) => series.dataset.points.split(";").length);
      const known = (name) => intervals.filter((interval) => interval[name] !== null).length;
      assert.ok(broadcasts.length > 250, `${broadcasts.length} of 300`);
      for (const [chart, name, count] of [
        ["First and last recipient of each broadcast", "first recipient", broadcasts.length],
        ["First and last recipient of each broadcast", "last recipient", broadcasts.length],
        ["Connections", "connected", intervals.length],
        ["CPU, share of one core", "generator", intervals.length],
        ["CPU, share of one core", "server", known("server_cpu")],
        ["Memory", "server, resident", known("server_resident_bytes")],
      ]) {
        assert.equal(await points(chart, name), count, `${chart}: ${name}`);
        assert.ok(count > 0);
      }
    }));

  test("the values under the pointer are told", () =>
    look("before", {}, async (page) => {
      const chart = page.locator("svg.chart:visible").first();
      await chart.hover();
      const readout = page.locator("#readout");
      await readout.filter({ hasText: /^[\d.]+\s%\n/u }).waitFor();
      assert.match(await readout.innerText(), /\ndelivery: [\d.]+\s[µm]?s\n/u);
      await page.mouse.move(1, 1);
      await readout.waitFor({ state: "hidden" });
    }));

  test("an invalid run says so before anything else", async () => {
    const result = read("before");
    result.verdict = { valid: false, reasons: ["7 of 15,000 deliveries are <missing>."], warnings: [] };
    writeFileSync(file("invalid.json"), JSON.stringify(result));
    await bench("report", file("invalid.json"), "--html", file("invalid.html"));
    for (const colorScheme of schemes) {
      await look("invalid", { size: "phone", colorScheme }, async (page) => {
        const alert = page.getByRole("alert");
        await alert.getByText("INVALID").waitFor();
        await alert.getByText("7 of 15,000 deliveries are <missing>.").waitFor();
        const first = await page.locator("dl, pre, svg, table, [role=alert]").first();
        assert.equal(await first.getAttribute("role"), "alert");
        await assertReadable(page);
      });
    }
  });
});

/** In the page: what whoever reads it would stumble over, a sentence each. */
function findFlaws() {
  const flaws = [];
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) flaws.push(`it scrolls sideways by ${scrollWidth - clientWidth}`);

  const isSeen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  for (const chart of [...document.querySelectorAll("svg.chart")].filter(isSeen)) {
    const name = chart.querySelector(".title").textContent;
    const frame = chart.closest("figure").getBoundingClientRect();
    const texts = [...chart.querySelectorAll("text")]
      .map((text) => ({ words: text.textContent, box: text.getBoundingClientRect() }));
    for (const [index, { words, box }] of texts.entries()) {
      const isInside = box.left >= frame.left && box.right <= frame.right
        && box.top >= frame.top && box.bottom <= frame.bottom;
      if (!isInside) flaws.push(`${name}: "${words}" leaves its frame`);
      for (const other of texts.slice(index + 1)) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 0.5 && down > 4) flaws.push(`${name}: "${words}" lies on "${other.words}"`);
      }
    }
  }

  // As WCAG 2 has it: 4.5 for what is read, 3 for large letters and lines.
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = numbers(colour).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const faint = new Set();
  const judge = (element, colour, least) => {
    const found = contrast(colour, ground(element));
    const what = `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""}`;
    if (found < least) faint.add(`${what} has a contrast of ${found.toFixed(2)}`);
  };
  const selector = "h1,h2,p,dt,dd,th,td,code,li,summary,small,caption";
  for (const element of [...document.querySelectorAll(selector)].filter(isSeen)) {
    judge(element, getComputedStyle(element).color, 4.5);
  }
  for (const element of [...document.querySelectorAll(".chart text")].filter(isSeen)) {
    judge(element, getComputedStyle(element).fill, 4.5);
  }
  for (const element of [...document.querySelectorAll(".chart .series .line")].filter(isSeen)) {
    judge(element, getComputedStyle(element).stroke, 3);
  }
  return [...flaws, ...faint];
}

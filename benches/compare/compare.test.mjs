// What scripts/compare makes of results, held against results made up here; it measures nothing.
//
//   node --test benches/compare/compare.test.mjs
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { Figures, FIGURES } from "./figures.mjs";
import { newestKept, readKept } from "./kept.mjs";
import { readOptions } from "./options.mjs";
import { tablesOf, updateReadme } from "./readme.mjs";
import { bytes, digits, milliseconds } from "./units.mjs";

const folder = mkdtempSync(join(tmpdir(), "throng-compare-"));
after(() => rmSync(folder, { recursive: true }));

const ALL = ["lone", "four", "broadcast", "ack", "connect", "idle", "mixed"];
let written = 0;

/** Writes a comparison in which each round of a server costs what `cost` answers. */
function kept(scenarios, servers, rounds, cost, statusOf = () => "valid") {
  written += 1;
  const run = join(folder, "runs", `2026-01-0${written}`);
  const outcomes = [];
  for (const scenario of scenarios) {
    mkdirSync(join(run, scenario), { recursive: true });
    for (const server of servers) {
      for (let round = 1; round <= rounds; round += 1) {
        const status = statusOf(server, round);
        const name = `${server}-${round}.json`;
        const result = resultOf(cost(server, round), status === "valid");
        writeFileSync(join(run, scenario, name), JSON.stringify(result));
        const files = [`elsewhere/${scenario}/${name}`];
        outcomes.push({ scenario, server, round, status, reasons: [], files });
      }
    }
  }
  const comparison = {
    startedAt: `2026-01-0${written}T00:00:00Z`,
    commit: `c${written}`,
    machine: "a machine",
    quick: false,
    rounds,
    servers: servers.map((name) => ({ name })),
    leftOut: [],
    outcomes,
  };
  writeFileSync(join(run, "comparison.json"), JSON.stringify(comparison));
  return run;
}

function resultOf(cost, valid) {
  const percentiles_ns = { p50: cost * 1e6, p99: cost * 2e6, "p99.9": cost * 3e6 };
  return {
    verdict: { valid, reasons: [] },
    server: {
      cpu_us_per_delivery: cost,
      cpu_us_per_connect: cost * 10,
      resident_bytes_per_connection: cost * 100,
      resident_max_bytes: cost * 1e6,
    },
    generator: { cpu_us_per_delivery: cost / 2 },
    connections: {},
    traffic: { missing: 0, expected: 1_000, received_per_second: 1_234_567 },
    latencies: ["delivery", "round-trip"].map((measure) => ({ measure, percentiles_ns })),
  };
}

function readme(...names) {
  const path = join(folder, "README.md");
  const place = (name) => `<!-- figures: begin ${name} -->\nold ${name}\n<!-- figures: end ${name} -->\n`;
  writeFileSync(path, `before\n${names.map(place).join("between\n")}after\n`);
  return path;
}

test("a median is a round's value, the worse of two in the middle, of valid rounds alone", () => {
  const costs = { throng: [4, 1, 3, 2, 100], floor: [1, 1, 1, 1, 1] };
  const run = kept(["lone"], ["floor", "throng"], 5, (server, round) => costs[server][round - 1],
    (server, round) => (round === 5 ? "invalid" : "valid"));
  const figures = new Figures(readKept([run]));
  const found = figures.of("lone", "throng", FIGURES.deliveryCpu);
  assert.deepEqual(found, { median: 3, lowest: 1, greatest: 4, rounds: 4 });
  assert.equal(figures.of("four", "throng", FIGURES.deliveryCpu), undefined);
  assert.equal(figures.of("lone", "throng", () => null), undefined);
});

test("a whole comparison writes the tables of the peers and no other", () => {
  const cost = (server, round) => (server === "floor" ? 2 : 3) + round / 100;
  const run = kept(ALL, ["floor", "throng", "socket.io"], 5, cost);
  const path = readme("peers", "generator", "floor");
  const comparison = readKept([run]);
  assert.deepEqual(updateReadme(comparison, path), ["peers", "generator"]);
  const text = readFileSync(path, "utf8");
  assert.match(text, /^before\n<!-- figures: begin peers -->\n\n\| server \|/);
  assert.match(text, /\| \*\*throng\*\* \| 3.03 µs \| 3.03 µs \| 3.03 \/ 9.09 ms \| 3.03 µs \| 30.3 µs \|/);
  assert.match(text, /1,235,000 per second/);
  assert.match(text, /old floor\n/);
  assert.match(text, /after\n$/);
});

test("eight rounds beside the floor write its table, and what misses its aim is told", () => {
  const cost = (server) => (server === "floor" ? 2 : 2.4);
  const run = kept(ALL, ["floor", "throng"], 8, cost);
  const path = readme("floor");
  assert.deepEqual(updateReadme(readKept([run]), path), ["floor"]);
  const text = readFileSync(path, "utf8");
  assert.match(text, /four broadcasts.*\| 2.4 µs \| 2 µs \| 1.20 \| at most 1.1: missed \|/);
  assert.match(text, /\| broadcast to 1,000: CPU per delivery \| .* \| 1.20 \| at most 1.25 \|/);
});

test("what was narrowed or ended early is no ground for a table", () => {
  const own = ["floor", "throng"];
  const few = kept(ALL, own, 3, () => 1);
  assert.deepEqual(tablesOf(readKept([few])), []);
  const part = kept(["lone", "mixed"], [...own, "socket.io"], 5, () => 1);
  assert.deepEqual(tablesOf(readKept([part])), []);
});

test("a scenario that was measured apart is taken from there, and told", () => {
  const servers = ["floor", "throng", "socket.io"];
  const whole = kept(ALL, servers, 5, () => 1);
  const apart = kept(["mixed", "slow", "slow-control"], servers.slice(1), 5, () => 7);
  const comparison = readKept([whole, apart]);
  const path = readme("peers", "generator", "slow");
  assert.deepEqual(updateReadme(comparison, path), ["peers", "slow", "generator"]);
  const text = readFileSync(path, "utf8");
  assert.match(text, /\| \*\*throng\*\* \| 1 µs .* \| 14 ms \|/);
  assert.match(text, /Measured apart: mixed, slow, slow-control: 2026-01-0\d, commit c\d\./);
  assert.match(text, /\| throng \| 7 \/ 14 \/ 21 ms \| 7 \/ 14 \/ 21 ms \| 1.00 \| 7 MB \| 7 MB \| 0 of 5,000 \|/);
  assert.equal(newestKept(folder), apart);
});

test("only what is whole goes to the published folders", () => {
  const output = (line) => readOptions(line.split(" ").filter(Boolean));
  assert.deepEqual(where(output("")), ["benches/results", true]);
  assert.deepEqual(where(output("--peers throng,floor --rounds 8")), ["benches/results/floor", true]);
  assert.deepEqual(where(output("--peers throng,floor --rounds 7")), ["target/compare", false]);
  assert.deepEqual(where(output("--only lone")), ["target/compare", false]);
  assert.deepEqual(where(output("--quick")), ["target/compare", false]);
  const long = "--only slow-limits,scale,scale-2 --peers throng";
  assert.deepEqual(where(output(long)), ["benches/results/long", true]);
  assert.deepEqual(where(output("--output somewhere")), ["somewhere", false]);
  assert.throws(() => output("benches/results"), /folders are for --render/);
});

test("figures have three digits and their thousands told apart", () => {
  assert.equal(milliseconds(585_215), "0.585 ms");
  assert.equal(bytes(16_534), "16,500 B");
  assert.equal(digits(7.2), "7.2");
});

function where({ output, publishes }) {
  return [output, publishes];
}

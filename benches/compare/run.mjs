// Measures throng, the floor and the peers in alternation, and writes tables and charts.
//
//   node benches/compare/run.mjs --only lone,ack --rounds 3      from the root, by scripts/compare
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { relative } from "node:path";

import { installNodePackages, revision } from "./build.mjs";
import { checkApplication } from "./check.mjs";
import { newestKept, readKept } from "./kept.mjs";
import { measure } from "./measure.mjs";
import {
  FLOOR_RESULTS,
  LONG_RESULTS,
  NARROWED_RESULTS,
  readOptions,
  RESULTS,
  takesPart,
} from "./options.mjs";
import { startServer } from "./processes.mjs";
import { minutes, Progress } from "./progress.mjs";
import { tablesOf, updateReadme } from "./readme.mjs";
import { NODE_PEERS, servers } from "./servers.mjs";
import { writeTables } from "./tables.mjs";

/** Of one round, where the machine holds the generator up. */
const ATTEMPTS_MAX = 3;

try {
  await main(readOptions(process.argv.slice(2)));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

async function main(options) {
  if (options.render) {
    await renderKept(options);
    return;
  }
  const begun = Date.now();
  const { programs, leftOut } = await build(options.servers);
  const comparison = describe(options, programs, leftOut);
  mkdirSync(comparison.folder, { recursive: true });
  await measureAll(runsOf(options, programs), comparison);
  finish(comparison, options);
  console.log(`${minutes((Date.now() - begun) / 1000)} in all`);
}

/** Measures nothing; the program of today writes the tables, whichever has measured. */
async function renderKept({ folders, output }) {
  const published = [RESULTS, FLOOR_RESULTS, LONG_RESULTS].map(newestKept);
  const all = folders.length > 0 ? [folders] : published.filter(Boolean).map((one) => [one]);
  if (all.length === 0) {
    throw new Error("no comparison was kept here: measure first, or name a folder");
  }
  const generator = relative(".", await named("throng").build());
  for (const kept of all) {
    const comparison = { ...readKept(kept), generator };
    const place = output ? undefined : placeOf(comparison);
    const publishes = place !== undefined;
    finish(comparison, { output: output ?? place ?? NARROWED_RESULTS, publishes });
  }
}

/** Where it is published, by what it is; `undefined` where it is no ground for that. */
function placeOf(comparison) {
  const tables = tablesOf(comparison);
  const places = { peers: RESULTS, floor: FLOOR_RESULTS, long: LONG_RESULTS };
  return Object.entries(places).find(([name]) => tables.includes(name))?.[1];
}

function named(name) {
  return servers.find((server) => server.name === name);
}

/**
 * A peer that can't be built, or doesn't serve the application, is left out and told; without
 * throng there is nothing to compare.
 */
async function build(wanted) {
  const programs = new Map();
  const leftOut = [];
  console.log(`building ${wanted.map(({ name }) => name).join(", ")}`);
  // All at once: while one core links a program, which only one can, the other compiles the next.
  const builds = wanted.map((server) => server.build());
  await Promise.allSettled([...builds, installNodePackages(NODE_PEERS)]);
  for (const [index, server] of wanted.entries()) {
    try {
      const path = await builds[index];
      const program = path && relative(".", path);
      await check(server, program);
      programs.set(server, program);
    } catch (error) {
      if (server.name === "throng") {
        throw error;
      }
      console.log(`${server.name} is left out: ${error.message}`);
      leftOut.push({ name: server.name, reason: error.message });
    }
  }
  return { programs, leftOut };
}

async function check(server, program) {
  if (server.partial) {
    return;
  }
  const child = startServer(server.start(program, {}));
  try {
    await checkApplication(await child.url());
  } finally {
    await child.end();
  }
}

function describe(options, programs, leftOut) {
  const throng = named("throng");
  const startedAt = new Date().toISOString().replace(/\.\d+/, "");
  const title = ({ name, title, version }) => ({ name, title, version: version() });
  return {
    startedAt,
    commit: revision(),
    machine: machine(),
    quick: options.quick,
    rounds: options.rounds,
    serverCore: options.serverCore,
    generatorCore: options.generatorCore,
    generator: programs.get(throng),
    folder: `${options.output}/runs/${startedAt.replaceAll(":", "-")}`,
    servers: [...programs.keys()].map(title),
    leftOut,
    outcomes: [],
  };
}

/** Round by round, so that what changes on the machine meanwhile meets every server alike. */
function runsOf(options, programs) {
  const runs = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const scenario of options.scenarios) {
      for (const [server, program] of programs) {
        if (takesPart(server, scenario, options)) {
          runs.push({ scenario, server, program, round });
        }
      }
    }
  }
  return runs;
}

async function measureAll(runs, comparison) {
  const progress = new Progress(runs, comparison);
  console.log(`${runs.length} runs, about ${minutes(progress.secondsLeft)}`);
  for (const run of runs) {
    progress.begin(run);
    const begun = Date.now();
    const outcome = await measureRound(run, comparison);
    progress.end(run, outcome, (Date.now() - begun) / 1000);
  }
}

/**
 * Measures once, and again where the machine kept the generator from its schedule, which says nothing
 * of the server: a processor of a shared machine is away for tens of milliseconds now and then, and
 * two such stalls are more than one in a hundred of the askers of `mixed` may wait for. What was
 * INVALID stays, and is told.
 */
async function measureRound(run, comparison) {
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await measure({ ...run, attempt }, comparison);
    comparison.outcomes.push(outcome);
    // After each run, so that an interrupted comparison can be rendered too.
    save(comparison);
    if (attempt === ATTEMPTS_MAX || !wasHeldUp(outcome)) {
      return outcome;
    }
  }
}

function wasHeldUp({ status, reasons }) {
  const isHeldUp = (reason) => reason.endsWith(": the machine held it up");
  return status === "invalid" && reasons.every(isHeldUp);
}

function save(comparison) {
  const path = `${comparison.folder}/comparison.json`;
  writeFileSync(path, `${JSON.stringify(comparison, null, 2)}\n`);
}

function finish(comparison, { output, publishes }) {
  writeTables(comparison, output);
  const bad = comparison.outcomes.filter((outcome) => outcome.status !== "valid").length;
  console.log(`${output}/tables.md, ${output}/report.html, results in ${comparison.folder}`);
  if (publishes) {
    console.log(`README.md: the figures of ${updateReadme(comparison).join(", ")}`);
  }
  if (bad > 0) {
    const all = comparison.outcomes.length;
    console.log(`${bad} of ${all} runs failed or are invalid: see tables.md`);
  }
}

function machine() {
  const all = cpus();
  const gibibytes = Math.round(totalmem() / 2 ** 30);
  return `${all[0]?.model ?? "unknown"}, ${all.length} cores, ${gibibytes} GiB, Linux ${release()}`;
}

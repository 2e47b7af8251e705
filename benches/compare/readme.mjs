// Writes the figures of a comparison into README.md, each table between two marks of its own. A
// comparison writes the tables that it has the grounds for, and leaves the others as they are.
//
//   <!-- figures: begin peers -->   .. what is replaced ..   <!-- figures: end peers -->
import { readFileSync, writeFileSync } from "node:fs";

import { Figures } from "./figures.mjs";
import { floorTable, generatorTable, longRuns, peersTable, slowTable } from "./published.mjs";
import { servers } from "./servers.mjs";

/** Who is measured, in how many rounds and in which scenarios, for a table to be published. */
const TABLES = [
  {
    name: "peers",
    peers: true,
    rounds: 5,
    scenarios: ["lone", "four", "broadcast", "ack", "connect", "idle", "mixed"],
    write: peersTable,
  },
  { name: "slow", peers: true, rounds: 5, scenarios: ["slow", "slow-control"], write: slowTable },
  {
    name: "generator",
    peers: true,
    rounds: 5,
    scenarios: ["lone", "four", "ack"],
    write: generatorTable,
  },
  {
    name: "floor",
    peers: false,
    rounds: 8,
    scenarios: ["lone", "four", "broadcast", "ack", "connect", "idle", "mixed"],
    write: floorTable,
  },
  {
    name: "long",
    peers: false,
    rounds: 1,
    scenarios: ["slow-limits", "scale", "scale-2"],
    write: longRuns,
  },
];

/** Answers the names of the tables that were written. */
export function updateReadme(comparison, path = "README.md") {
  const tables = granted(comparison);
  const figures = new Figures(comparison);
  let text = readFileSync(path, "utf8");
  for (const { name, write } of tables) {
    text = replaced(text, name, write(comparison, figures), path);
  }
  writeFileSync(path, text);
  return tables.map(({ name }) => name);
}

/** The names of the tables that a comparison has the grounds for. */
export function tablesOf(comparison) {
  return granted(comparison).map(({ name }) => name);
}

function granted(comparison) {
  return TABLES.filter((table) => hasGrounds(comparison, table));
}

/** Whether somebody beside throng and the floor was measured, or was to be. */
function hasPeers({ servers: measured, leftOut }) {
  const own = new Set(servers.filter((server) => server.own).map(({ name }) => name));
  return [...measured, ...leftOut].some(({ name }) => !own.has(name));
}

function hasGrounds(comparison, { peers, rounds, scenarios }) {
  const isWhole = (scenario) => roundsOf(comparison, scenario) >= rounds;
  return !comparison.quick && hasPeers(comparison) === peers && scenarios.every(isWhole);
}

/** How often throng has been measured: fewer times than planned where somebody ended the run. */
function roundsOf({ outcomes }, scenario) {
  const ours = outcomes.filter((each) => each.scenario === scenario && each.server === "throng");
  return new Set(ours.map(({ round }) => round)).size;
}

function replaced(text, name, content, path) {
  const [begin, end] = ["begin", "end"].map((edge) => `<!-- figures: ${edge} ${name} -->`);
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) {
    throw new Error(`${path} has no place for the figures "${name}": ${begin} to ${end}`);
  }
  return `${text.slice(0, from)}${begin}\n\n${content.trim()}\n\n${text.slice(to)}`;
}

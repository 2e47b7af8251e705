// The command line of scripts/compare.
//
//   readOptions(["--only", "connect,ack", "--rounds", "3"])
import { parseArgs } from "node:util";

import { scenarios } from "./scenarios.mjs";
import { servers } from "./servers.mjs";

/** What was asked for; ends the program after --help, and throws at what it doesn't understand. */
export function readOptions(argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    options: FLAGS,
    allowPositionals: true,
  });
  if (values.help) {
    console.log(help());
    process.exit(0);
  }
  if (positionals.length > 0 && !values.render) {
    throw new Error(`${positionals[0]} is no flag; folders are for --render`);
  }
  const published = publishedIn(values);
  return {
    quick: values.quick ?? false,
    rounds: count(values.rounds ?? (values.quick ? "1" : "5"), "--rounds"),
    scenarios: values.only
      ? chosen(values.only, scenarios, "scenario")
      : scenarios.filter((scenario) => !scenario.onlyWhenNamed),
    servers: values.peers ? withThrong(chosen(values.peers, servers, "server")) : servers,
    everywhere: values.peers !== undefined || (values.all ?? false),
    serverCore: core(values["server-core"] ?? "0", "--server-core"),
    generatorCore: core(values["generator-core"] ?? "1", "--generator-core"),
    // What a narrowed run measured is no ground for the tables that are published.
    output: values.output ?? published ?? (values.render ? undefined : NARROWED_RESULTS),
    publishes: published !== undefined && values.output === undefined,
    render: values.render ?? false,
    folders: positionals,
  };
}

/**
 * Where a run that is published goes: a whole one; one of throng and the floor alone, in as many
 * rounds as their table takes; or the long runs, all of them. `undefined` for all others.
 */
function publishedIn({ quick, only, peers, rounds, render }) {
  if (quick || render) {
    return undefined;
  }
  if (only === undefined && peers === undefined && rounds === undefined) {
    return RESULTS;
  }
  if (!isOwnOnly(peers)) {
    return undefined;
  }
  if (only === undefined) {
    return Number(rounds) >= FLOOR_ROUNDS ? FLOOR_RESULTS : undefined;
  }
  const named = new Set(chosen(only, scenarios, "scenario"));
  const long = scenarios.filter((scenario) => scenario.onlyWhenNamed);
  const isLong = named.size === long.length && long.every((scenario) => named.has(scenario));
  return isLong ? LONG_RESULTS : undefined;
}

function isOwnOnly(peers) {
  return peers !== undefined && withThrong(chosen(peers, servers, "server")).every(({ own }) => own);
}

/** Whether a server takes part in a scenario. */
export function takesPart(server, scenario, { everywhere }) {
  const able = !server.scenarios || server.scenarios.includes(scenario.name);
  const usual = server.main || (server.usual?.includes(scenario.name) ?? !scenario.mainOnly);
  const wanted = scenario.usual?.includes(server.name) ?? true;
  return able && (everywhere || (usual && wanted));
}

function chosen(text, all, noun) {
  return text.split(",").map((name) => {
    const found = all.find((each) => each.name === name.trim());
    if (!found) {
      const names = all.map((each) => each.name).join(", ");
      throw new Error(`no ${noun} is called ${name}; there are ${names}`);
    }
    return found;
  });
}

/** Throng and the floor, in whose proportions everything is told, belong to each comparison. */
function withThrong(peers) {
  const wanted = new Set(peers);
  return servers.filter((server) => server.own || wanted.has(server));
}

function count(text, flag) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new Error(`${flag} takes a whole number from 1 on, not ${text}`);
  }
  return value;
}

function core(text, flag) {
  if (!/^\d+$/.test(text)) {
    throw new Error(`${flag} takes the number of a processor, not ${text}`);
  }
  return Number(text);
}

function help() {
  const width = 18;
  const list = (all, describe) =>
    all.map((each) => `  ${each.name.padEnd(width)}${describe(each)}`).join("\n");
  const long = scenarios.filter((scenario) => scenario.onlyWhenNamed).map(({ name }) => name).join();
  const note = (scenario) => (scenario.onlyWhenNamed ? " (only when named)" : "");
  return `scripts/compare [FLAGS]

  --rounds N          rounds of each measurement (5)
  --only A,B          only these scenarios
  --peers A,B         only these peers beside throng and the floor, in all chosen scenarios
  --all               all peers in all scenarios; takes twice as long
  --quick             one short round with few clients: does everything work?
  --output FOLDER     where tables, charts and results go. By default a whole run goes to
                      ${RESULTS}, one of --peers throng,floor in ${FLOOR_ROUNDS} rounds and more to
                      ${FLOOR_RESULTS}, the long runs (--only ${long} --peers throng)
                      to ${LONG_RESULTS}; these write their figures into README.md. All
                      others go to ${NARROWED_RESULTS}
  --render [FOLDER..] measure nothing: write tables, charts and the figures in README.md again,
                      from folders such as benches/results/runs/2026-11-27T16-31-27Z; what a
                      further one has measured replaces the scenario of the first. By default
                      the newest of each folder that is published
  --server-core N     processor of the server (0)
  --generator-core N  processor of the generator (1)

Scenarios:
${list(scenarios, (scenario) => scenario.title + note(scenario))}

Servers:
${list(servers, (server) => server.title)}`;
}

const FLAGS = {
  rounds: { type: "string" },
  only: { type: "string" },
  peers: { type: "string" },
  all: { type: "boolean" },
  quick: { type: "boolean" },
  output: { type: "string" },
  render: { type: "boolean" },
  "server-core": { type: "string" },
  "generator-core": { type: "string" },
  help: { type: "boolean", short: "h" },
};

export const RESULTS = "benches/results";
export const FLOOR_RESULTS = `${RESULTS}/floor`;
export const LONG_RESULTS = `${RESULTS}/long`;
export const NARROWED_RESULTS = "target/compare";
const FLOOR_ROUNDS = 8;

// The command line of scripts/compare.
//
//   readOptions(["--only", "connect,ack", "--rounds", "3"])
import { parseArgs } from "node:util";

import { scenarios } from "./scenarios.mjs";
import { servers } from "./servers.mjs";

/** What was asked for; ends the program after --help, and throws at what it doesn't understand. */
export function readOptions(argv) {
  const { values } = parseArgs({ args: argv, options: FLAGS });
  if (values.help) {
    console.log(help());
    process.exit(0);
  }
  const narrowed = values.quick || values.only || values.peers || values.rounds;
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
    output: values.output ?? values.render ?? (narrowed ? "target/compare" : "benches/results"),
    render: values.render,
  };
}

/** Whether a server takes part in a scenario. */
export function takesPart(server, scenario, { everywhere }) {
  const able = !server.scenarios || server.scenarios.includes(scenario.name);
  const usual = server.main || (server.usual?.includes(scenario.name) ?? !scenario.mainOnly);
  return able && (everywhere || usual);
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
  const note = (scenario) => (scenario.onlyWhenNamed ? " (only when named)" : "");
  return `scripts/compare [FLAGS]

  --rounds N          rounds of each measurement (5)
  --only A,B          only these scenarios
  --peers A,B         only these peers beside throng and the floor, in all chosen scenarios
  --all               all peers in all scenarios; takes twice as long
  --quick             one short round with few clients: does everything work?
  --output FOLDER     where tables, charts and results go: benches/results, or target/compare
                      for a run that is narrowed in any way
  --render FOLDER     measure nothing: write tables and charts again, from the results in FOLDER
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
  render: { type: "string" },
  "server-core": { type: "string" },
  "generator-core": { type: "string" },
  help: { type: "boolean", short: "h" },
};

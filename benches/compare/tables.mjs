// Writes what was measured: tables.md, a folder of charts per scenario, and one page with all.
//
//   writeTables(comparison, "benches/results");
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

import { Figures } from "./figures.mjs";
import { slowTable } from "./published.mjs";
import { scenarios } from "./scenarios.mjs";

/** Renders the comparison into the folder; answers which files it wrote. */
export function writeTables(comparison, output) {
  mkdirSync(output, { recursive: true });
  const measured = scenarios.filter((scenario) => resultsOf(comparison, scenario).length > 0);
  const text = [
    head(comparison),
    ...measured.map((scenario) => section(comparison, scenario, output)),
    troubles(comparison),
  ].join("\n");
  writeFileSync(`${output}/tables.md`, text);
  const all = measured.flatMap((scenario) => resultsOf(comparison, scenario));
  if (all.length > 0) {
    report(comparison, all, ["--html", `${output}/report.html`]);
  }
}

function head(comparison) {
  const { machine, commit, startedAt, rounds, servers, quick, parts } = comparison;
  const apart = (parts ?? []).map(measuredApart).join("");
  const isRepeated = comparison.outcomes.some(({ attempt }) => attempt !== undefined);
  const rows = servers.map(({ name, title, version }) => `| \`${name}\` | ${title} | ${version} |`);
  return `# Comparison

Written by \`scripts/compare${quick ? " --quick" : ""}\`; don't edit.

- When: ${startedAt}, throng at commit ${commit}
- Where: ${machine}
- How: ${rounds} ${rounds === 1 ? "round" : "rounds"} in alternation, a fresh server for each run, \
server and generator on a core each, over loopback${isRepeated ? AGAIN : ""}
${apart}${quick ? QUICK : ""}
| label | server | version |
|---|---|---|
${rows.join("\n")}
`;
}

function measuredApart({ startedAt, commit, rounds, scenarios: names }) {
  const which = names.map((name) => `\`${name}\``).join(", ");
  return `- Measured apart: ${which}, ${startedAt}, throng at commit ${commit}, ${rounds} rounds\n`;
}

function section(comparison, scenario, output) {
  const files = resultsOf(comparison, scenario);
  const charts = `${output}/${scenario.name}`;
  rmSync(charts, { recursive: true, force: true });
  mkdirSync(charts, { recursive: true });
  const measuredFloor = files.some((file) => /\/floor-\d[^/]*\.json$/.test(file));
  const baseline = measuredFloor ? ["--baseline", "floor"] : [];
  const table = report(comparison, files, ["--markdown", "--charts", charts, ...baseline]);
  const isShown = (file) => scenario.charts.some((name) => file.endsWith(`-${name}.svg`));
  const [shown, others] = [true, false].map((is) =>
    readdirSync(charts).filter((file) => isShown(file) === is),
  );
  others.forEach((file) => rmSync(`${charts}/${file}`));
  const images = shown
    .map((file) => `![${scenario.title}: ${file.slice(0, -4)}](${scenario.name}/${file})`);
  return `## ${scenario.title}

\`throng bench ${commandOf(files[0])}\`

${[table.trim(), ...images, ...besides(comparison, scenario)].join("\n\n")}
`;
}

/** A control is told beside what it is there for. */
function besides(comparison, scenario) {
  const measured = (name) => comparison.outcomes.some((outcome) => outcome.scenario === name);
  if (scenario.name !== "slow-control" || !measured("slow")) {
    return [];
  }
  return ["With slow clients and without:", slowTable(comparison, new Figures(comparison))];
}

/** What was run, whatever the scenario is today; without the server's address and what follows. */
function commandOf(file) {
  const [, , ...words] = JSON.parse(readFileSync(file, "utf8")).command;
  return words.slice(0, words.findIndex((word) => word.startsWith("http"))).join(" ");
}

/** A failed run is told: what is left out silently is what a reader would ask about. */
function troubles({ outcomes, leftOut }) {
  const alike = new Map();
  for (const outcome of outcomes.filter(({ status }) => status !== "valid")) {
    const { scenario, server, status } = outcome;
    const key = `${scenario}, \`${server}\`, ${status}`;
    alike.set(key, [...(alike.get(key) ?? []), outcome]);
  }
  const lines = [
    ...leftOut.map(({ name, reason }) => `- \`${name}\` was left out: ${reason}`),
    ...[...alike].map(([key, [first, ...more]]) => {
      const rounds = [first, ...more].map(({ round }) => round).join(", ");
      const whose = more.length > 0 ? `; of round ${first.round}` : "";
      return `- ${key} in round ${rounds}${whose}: ${first.reasons.join(" ")}`;
    }),
  ];
  const none = "Every run is valid.";
  return `## Runs that failed or are invalid\n\n${lines.length > 0 ? lines.join("\n") : none}\n`;
}

function resultsOf({ outcomes }, scenario) {
  return outcomes
    .filter((outcome) => outcome.scenario === scenario.name)
    .flatMap((outcome) => outcome.files)
    .filter((file) => existsSync(file));
}

function report({ generator }, files, flags) {
  const options = { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] };
  return execFileSync(generator, ["bench", "report", ...files, ...flags], options);
}

const AGAIN =
  "; a round in which the machine held the generator up is INVALID and run again at once, twice at most";

const QUICK = `
A quick run: fewer clients than the titles say, one short round. Its figures say nothing of speed.
`;

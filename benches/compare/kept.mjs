// Comparisons that were measured before, from their folders: what is rendered anew without
// measuring anything.
//
//   readKept(["benches/results/runs/2026-11-27T16-31-27Z"])
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * One comparison of all these folders. The first says who was compared and in how many rounds; a
 * scenario that a further one has measured is taken from there whole, and told as measured apart.
 */
export function readKept(folders) {
  const [first, ...further] = folders.map(readComparison);
  return further.reduce(withPart, { ...first, parts: [] });
}

/** The newest comparison under a folder of results; `undefined` where nothing was kept. */
export function newestKept(results) {
  const runs = `${results}/runs`;
  const names = existsSync(runs) ? readdirSync(runs) : [];
  const kept = names.filter((name) => existsSync(`${runs}/${name}/comparison.json`));
  // They are named by when they began.
  return kept.length > 0 ? `${runs}/${kept.sort().at(-1)}` : undefined;
}

function readComparison(folder) {
  const path = join(folder, "comparison.json");
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new Error(`${folder} holds no comparison: there is no comparison.json in it`);
  }
  const comparison = JSON.parse(readFileSync(path, "utf8"));
  // Paths in it are those of the run; the folder may have been moved since.
  const outcomes = comparison.outcomes.map((outcome) => ({
    ...outcome,
    files: outcome.files.map((file) => join(folder, outcome.scenario, basename(file))),
  }));
  return { ...comparison, folder, outcomes };
}

function withPart(whole, part) {
  const measured = [...new Set(part.outcomes.map(({ scenario }) => scenario))];
  if (part.quick !== whole.quick) {
    throw new Error("a quick comparison and a full one are two things");
  }
  const { startedAt, commit, rounds } = part;
  const earlier = whole.parts
    .map((each) => ({ ...each, scenarios: each.scenarios.filter((at) => !measured.includes(at)) }))
    .filter(({ scenarios }) => scenarios.length > 0);
  return {
    ...whole,
    outcomes: [
      ...whole.outcomes.filter(({ scenario }) => !measured.includes(scenario)),
      ...part.outcomes,
    ],
    parts: [...earlier, { startedAt, commit, rounds, scenarios: measured }],
  };
}

// One run: a fresh server on its core, the generator on the other, and what became of it.
//
//   const outcome = await measure({ scenario, server, program, round: 1, attempt: 1 }, comparison);
//   outcome.status    "valid", "invalid" or "failed"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { runToEnd, startServer } from "./processes.mjs";
import { argumentsOf, boundSeconds } from "./scenarios.mjs";

/** Measures once; a run that fails is an outcome too, and ends nothing. */
export async function measure(run, comparison) {
  const { scenario, server, round, attempt } = run;
  const folder = `${comparison.folder}/${scenario.name}`;
  mkdirSync(folder, { recursive: true });
  const again = attempt > 1 ? `-again-${attempt}` : "";
  const file = `${folder}/${server.name}-${round}${again}.json`;
  const outcome = await measureInto(file, run, comparison);
  return { scenario: scenario.name, server: server.name, round, attempt, ...outcome };
}

async function measureInto(file, { scenario, server, program }, comparison) {
  const pinned = ["taskset", "-c", String(comparison.serverCore)];
  const command = [...pinned, ...server.start(program, scenario)];
  const children = Array.from({ length: scenario.servers ?? 1 }, () => startServer(command));
  try {
    const urls = await Promise.all(children.map((child) => child.url()));
    const generator = [
      ...[comparison.generator, "bench", ...argumentsOf(scenario, comparison), ...urls],
      ...(server.generator?.(scenario) ?? []),
      ...children.flatMap((child) => ["--pid", String(child.pid)]),
      ...["--pin", String(comparison.generatorCore)],
      ...["--label", server.name, "--json", file, "--quiet"],
    ];
    return judge(await runToEnd(generator, boundSeconds(scenario)), file, generator);
  } catch (error) {
    return failure(error.message, file, []);
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

function judge({ ending, hung, output, errors }, file, command) {
  const said = [...output, ...errors];
  if (hung) {
    return failure("it hung, and was ended at its bound", file, [command.join(" "), ...said]);
  }
  if (!existsSync(file)) {
    const why = errors.findLast((line) => line.trim()) ?? "it said nothing";
    return failure(`${ending}: ${why}`, file, [command.join(" "), ...said]);
  }
  const report = JSON.parse(readFileSync(file, "utf8"));
  const { valid, reasons } = report.verdict;
  return {
    status: valid ? "valid" : "invalid",
    reasons,
    files: [file],
    summary: valid ? summary(report) : `INVALID: ${reasons.join(" ")}`,
  };
}

/** What the generator said is kept where its result would be. */
function failure(reason, file, lines) {
  writeFileSync(file.replace(/json$/, "txt"), `${[reason, ...lines].join("\n")}\n`);
  return { status: "failed", reasons: [reason], files: [], summary: `FAILED: ${reason}` };
}

/** The figures that tell at a glance whether a run is what one expects. */
function summary({ server, latencies, connections }) {
  const figures = [];
  const add = (value, digits, unit, divisor = 1) => {
    // A percentile of too few samples is null.
    if (typeof value === "number") {
      figures.push(`${(value / divisor).toFixed(digits)} ${unit}`);
    }
  };
  const main = latencies[0]?.percentiles_ns;
  const microseconds = server?.cpu_us_per_delivery ?? server?.cpu_us_per_connect;
  add(microseconds, 2, server?.cpu_us_per_delivery ? "us/delivery" : "us/connect");
  add(main?.p50, 2, "ms p50", 1e6);
  add(main?.p99, 2, "ms p99", 1e6);
  add(server?.resident_bytes_per_connection, 0, "B/connection");
  return figures.length > 0 ? figures.join(", ") : `${connections.connected} connected`;
}

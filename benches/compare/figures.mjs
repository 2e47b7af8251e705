// What a comparison has measured, as figures: of the valid rounds of one server in one scenario the
// median, with the lowest and the greatest. The same rules as those of `throng bench report`.
//
//   const figures = new Figures(comparison);
//   figures.of("lone", "throng", FIGURES.deliveryCpu)      { median: 6.29, lowest: 5.52, .. }
import { readFileSync } from "node:fs";

/** Each is a value of one result; nothing where the result doesn't tell it. */
export const FIGURES = {
  deliveryCpu: ({ server }) => server?.cpu_us_per_delivery,
  connectCpu: ({ server }) => server?.cpu_us_per_connect,
  generatorCpu: ({ generator }) => generator.cpu_us_per_delivery,
  resident: ({ server }) => server?.resident_bytes_per_connection,
  residentMax: ({ server }) => server?.resident_max_bytes,
  deliveryP50: (result) => percentile(result, "delivery", "p50"),
  deliveryP99: (result) => percentile(result, "delivery", "p99"),
  deliveryP99_9: (result) => percentile(result, "delivery", "p99.9"),
  roundTripP99: (result) => percentile(result, "round-trip", "p99"),
};

export class Figures {
  #comparison;
  #results = new Map();

  constructor(comparison) {
    this.#comparison = comparison;
  }

  /** `undefined` where nothing valid was measured, or where a valid round doesn't tell it. */
  of(scenario, server, figure) {
    const results = this.valid(scenario, server);
    const values = results.map(figure);
    if (values.length === 0 || values.some((value) => typeof value !== "number")) {
      return undefined;
    }
    values.sort((one, other) => one - other);
    // Of an even number of rounds, the worse of the two in the middle: a value that was measured.
    const median = values[Math.floor(values.length / 2)];
    return { median, lowest: values[0], greatest: values.at(-1), rounds: values.length };
  }

  valid(scenario, server) {
    return this.all(scenario, server).filter(({ verdict }) => verdict.valid);
  }

  /** All that gave a result, the INVALID ones too. */
  all(scenario, server) {
    return this.outcomes(scenario, server)
      .flatMap(({ files }) => files)
      .map((file) => this.#read(file));
  }

  outcomes(scenario, server) {
    return this.#comparison.outcomes.filter(
      (outcome) => outcome.scenario === scenario && outcome.server === server,
    );
  }

  #read(file) {
    if (!this.#results.has(file)) {
      const { verdict, server, generator, connections, traffic, latencies } = JSON.parse(
        readFileSync(file, "utf8"),
      );
      // Histograms and moments of hundreds of results would stay in memory for nothing.
      const short = latencies.map(({ measure, percentiles_ns }) => {
        return { measure, percentiles_ns };
      });
      const result = { verdict, server, generator, connections, traffic, latencies: short };
      this.#results.set(file, result);
    }
    return this.#results.get(file);
  }
}

function percentile({ latencies }, measure, name) {
  return latencies.find((latency) => latency.measure === measure)?.percentiles_ns[name];
}

// What the terminal shows meanwhile: a line for each run, and below it what goes on and how long it
// will still take. Quiet lines only where nobody watches.
//
//   [ 12/260] round 1  lone  throng          3.24 us/delivery
//   [ 13/260] round 1  lone  socket.io ...   9 min left
import { estimatedSeconds } from "./scenarios.mjs";

export class Progress {
  #comparison;
  #total;
  #left;
  #took = new Map();
  #watched = process.stdout.isTTY === true;

  constructor(runs, comparison) {
    this.#comparison = comparison;
    this.#total = runs.length;
    this.#left = [...runs];
  }

  /** The estimate, from what each kind of run took the last time. */
  get secondsLeft() {
    const expected = (run) =>
      this.#took.get(kind(run)) ?? estimatedSeconds(run.scenario, this.#comparison);
    return this.#left.reduce((sum, run) => sum + expected(run), 0);
  }

  begin(run) {
    if (this.#watched) {
      process.stdout.write(`\r\x1b[K${this.#head(run)} ...   ${minutes(this.secondsLeft)} left`);
    }
  }

  end(run, outcome, seconds) {
    const head = this.#head(run);
    this.#took.set(kind(run), seconds);
    this.#left.shift();
    const line = `${head} ${outcome.summary}`;
    console.log(this.#watched ? `\r\x1b[K${line}` : `${line}  (${minutes(this.secondsLeft)} left)`);
  }

  #head({ round, scenario, server }) {
    const total = String(this.#total);
    const at = String(this.#total - this.#left.length + 1).padStart(total.length);
    return `[${at}/${total}] round ${round}  ${scenario.name.padEnd(12)} ${server.name.padEnd(15)}`;
  }
}

/** As people say it. */
export function minutes(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}

function kind({ scenario, server }) {
  return `${scenario.name} ${server.name}`;
}

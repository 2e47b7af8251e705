// What is measured: each scenario is one command line of `throng bench`, in full length and in a
// short form that only shows that it works.
//
//   argumentsOf(scenario, { quick: false })   ["broadcast", "--clients", "1000", ...]

/**
 * `charts` are the ends of the names of the charts that its tables show. `seconds` is about how long
 * a run takes, connecting included. With `mainOnly` the further peers are left out unless asked for,
 * and with `usual` all but those named: it keeps the whole under 20 minutes. `servers` is how many
 * processes the generator talks to, where it isn't one.
 *
 * Each lasts until its table can be told: a p99 takes 10,000 samples, a p99.9 100,000, and the median
 * of each client 100. Where a peer is too slow for that, its field is a dash.
 */
export const scenarios = [
  {
    name: "lone",
    title: "Broadcast to 1,000, 50 per second: each over before the next",
    charts: ["server-cpu", "percentiles"],
    command: ["broadcast", "--rate", "50"],
    full: ["--clients", "1000", "--warmup", "500ms", "--duration", "2200ms"],
    short: ["--clients", "100", "--warmup", "100ms", "--duration", "500ms"],
    seconds: 3.8,
  },
  {
    name: "four",
    title: "Broadcast to 1,000, four in flight",
    charts: ["server-cpu"],
    command: ["broadcast", "--closed", "--in-flight", "4"],
    full: ["--clients", "1000", "--warmup", "300ms", "--duration", "1200ms"],
    short: ["--clients", "100", "--warmup", "100ms", "--duration", "500ms"],
    seconds: 2.5,
  },
  {
    name: "ack",
    title: "Acknowledged round trips of 1,000 clients, one each in flight",
    charts: ["server-cpu"],
    command: ["ack", "--closed", "--in-flight", "1"],
    full: ["--clients", "1000", "--warmup", "500ms", "--duration", "2s"],
    short: ["--clients", "100", "--warmup", "100ms", "--duration", "500ms"],
    seconds: 3.3,
  },
  {
    name: "connect",
    title: "10,000 connections as fast as the server takes them",
    charts: ["connect-cpu"],
    command: ["connect"],
    full: ["--clients", "10000"],
    short: ["--clients", "200"],
    seconds: 2.5,
  },
  {
    name: "broadcast",
    title: "Broadcast to 10,000 on schedule, 5 per second",
    charts: ["percentiles"],
    command: ["broadcast", "--rate", "5"],
    full: ["--clients", "10000", "--warmup", "600ms", "--duration", "2400ms"],
    short: ["--clients", "200", "--warmup", "200ms", "--duration", "1s"],
    seconds: 5.4,
    mainOnly: true,
  },
  {
    // The others' memory is told by `connect` as well.
    name: "idle",
    usual: ["floor", "throng"],
    title: "Memory of 10,000 idle connections",
    charts: ["memory"],
    command: ["idle"],
    full: ["--clients", "10000", "--warmup", "0s", "--duration", "600ms"],
    short: ["--clients", "200", "--warmup", "0s", "--duration", "500ms"],
    seconds: 3,
    mainOnly: true,
  },
  {
    name: "mixed",
    title: "Acknowledgements of 20 clients while 10,000 are sent 2 per second",
    charts: ["percentiles"],
    command: ["mixed", "--rate", "2", "--askers", "20", "--ask-rate", "2400"],
    full: ["--clients", "10000", "--warmup", "500ms", "--duration", "4600ms"],
    short: ["--clients", "200", "--warmup", "500ms", "--duration", "1s"],
    seconds: 8,
    mainOnly: true,
  },
  {
    name: "slow",
    title: "2,000 clients, 4 KB at 50 per second, a tenth of them never reads",
    charts: ["memory", "latency"],
    command: ["slow", "--share", "0.1", "--payload", "4096"],
    full: ["--clients", "2000", "--rate", "50", "--warmup", "500ms", "--duration", "2400ms"],
    short: ["--clients", "100", "--rate", "20", "--warmup", "200ms", "--duration", "1s"],
    seconds: 5.4,
    mainOnly: true,
  },
  {
    // What the healthy feel of the slow is what they feel less here.
    name: "slow-control",
    usual: ["throng"],
    title: "The same with all 2,000 reading",
    charts: ["latency"],
    command: ["slow", "--share", "0", "--payload", "4096"],
    full: ["--clients", "2000", "--rate", "50", "--warmup", "500ms", "--duration", "2400ms"],
    short: ["--clients", "100", "--rate", "20", "--warmup", "200ms", "--duration", "1s"],
    seconds: 5.4,
    mainOnly: true,
  },
  {
    name: "slow-limits",
    title: "A tenth never reads until the server's limits say something of it",
    charts: ["memory", "latency"],
    command: ["slow", "--share", "0.1", "--payload", "4096"],
    full: ["--clients", "2000", "--rate", "50", "--warmup", "500ms", "--duration", "55s"],
    short: ["--clients", "100", "--rate", "20", "--warmup", "200ms", "--duration", "1s"],
    seconds: 60,
    mainOnly: true,
    onlyWhenNamed: true,
  },
  {
    name: "scale",
    title: "As many idle connections as one generator process may hold",
    charts: ["memory"],
    command: ["idle"],
    full: ["--clients", "19500", "--warmup", "0s", "--duration", "30s"],
    short: ["--clients", "500", "--warmup", "0s", "--duration", "1s"],
    seconds: 40,
    mainOnly: true,
    onlyWhenNamed: true,
  },
  {
    name: "scale-2",
    title: "Twice as many: two generator processes, two servers",
    charts: ["memory"],
    command: ["idle", "--workers", "2"],
    full: ["--clients", "38000", "--warmup", "0s", "--duration", "30s"],
    short: ["--clients", "1000", "--warmup", "0s", "--duration", "1s"],
    seconds: 50,
    servers: 2,
    mainOnly: true,
    onlyWhenNamed: true,
  },
];

/** The arguments of `throng bench` but for the server's address. */
export function argumentsOf(scenario, { quick }) {
  return [...scenario.command, ...(quick ? scenario.short : scenario.full), ...EVERYWHERE];
}

/** About how long a run takes, its server's start and end included. */
export function estimatedSeconds(scenario, { quick }) {
  return OVERHEAD_SECONDS + (quick ? Math.min(scenario.seconds, SHORT_SECONDS) : scenario.seconds);
}

/** When a run counts as hung: a slow server may take its time, but nobody waits for ever. */
export function boundSeconds(scenario) {
  return 45 + 3 * scenario.seconds;
}

// Some servers have a backlog of 128. More connections on their way would overflow it, and one that
// is dropped comes back after a second: that would measure the kernel's patience.
const EVERYWHERE = ["--at-once", "100"];
const OVERHEAD_SECONDS = 0.5;
const SHORT_SECONDS = 2;

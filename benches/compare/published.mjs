// The tables that README.md shows, as Markdown, from the figures of a comparison.
//
//   peersTable(comparison, new Figures(comparison))      "| server | CPU per delivery, .. |\n.."
import { AIMS } from "./aims.mjs";
import { FIGURES } from "./figures.mjs";
import { servers } from "./servers.mjs";
import { bytes, count, digits, megabytes, microseconds, milliseconds, ratio } from "./units.mjs";

/** Throng beside all others, a row for each. */
export function peersTable(comparison, figures) {
  const head = ["server", ...PEER_COLUMNS.map(({ title }) => title)];
  const rows = inOrder(comparison, figures).map((server) => [
    server.name === "throng" ? "**throng**" : server.short,
    ...PEER_COLUMNS.map((column) => column.cell(figures, server.name)),
  ]);
  const scenarios = ["lone", "four", "broadcast", "ack", "connect", "idle", "mixed"];
  return [table(head, rows), source(comparison, scenarios)].join("\n\n");
}

/** Throng beside the floor, a row for each aim. */
export function floorTable(comparison, figures) {
  const rows = AIMS.map((aim) => {
    const [ours, floors] = ["throng", "floor"].map((name) =>
      figures.of(aim.scenario, name, aim.figure),
    );
    const told = ours && floors ? ours.median / floors.median : undefined;
    return [
      aim.work,
      spread(ours, aim.show),
      spread(floors, aim.show),
      told === undefined ? DASH : ratio(told),
      aimed(aim, aim.ratio ? told : ours?.median),
    ];
  });
  const scenarios = [...new Set(AIMS.map(({ scenario }) => scenario))];
  const head = ["work", "throng", "floor", "ratio", "aim"];
  return [table(head, rows), source(comparison, scenarios)].join("\n\n");
}

/** What the healthy feel of those who never read: the same load with and without these. */
export function slowTable(comparison, figures) {
  const head = [
    "server",
    "healthy clients' p50 / p99 / p99.9",
    "the same, nobody slow",
    "ratio of p99",
    "memory at most",
    "the same, nobody slow",
    "lost",
  ];
  const rows = inOrder(comparison, figures)
    .filter(({ name }) => figures.outcomes("slow", name).length > 0)
    .map((server) => [server.short, ...slowCells(figures, server.name)]);
  return [table(head, rows), source(comparison, ["slow", "slow-control"])].join("\n\n");
}

function slowCells(figures, name) {
  const [slow, control] = ["slow", "slow-control"].map((scenario) => ({
    latencies: ["deliveryP50", "deliveryP99", "deliveryP99_9"]
      .map((figure) => median(figures, scenario, name, FIGURES[figure], (ns) => digits(ns / 1e6)))
      .join(" / "),
    p99: figures.of(scenario, name, FIGURES.deliveryP99)?.median,
    memory: median(figures, scenario, name, FIGURES.residentMax, megabytes),
  }));
  const told = slow.p99 !== undefined && control.p99 !== undefined;
  const traffic = figures.all("slow", name).map((result) => result.traffic);
  const sum = (field) => traffic.reduce((total, each) => total + each[field], 0);
  return [
    `${slow.latencies} ms`,
    figures.outcomes("slow-control", name).length > 0 ? `${control.latencies} ms` : DASH,
    told ? ratio(slow.p99 / control.p99) : DASH,
    slow.memory,
    control.memory,
    `${count(sum("missing"))} of ${count(sum("expected"))}`,
  ];
}

/** What the generator used beside what it measured. */
export function generatorTable(comparison, figures) {
  const columns = [
    ["lone", "lone broadcast"],
    ["four", "four in flight"],
    ["ack", "round trip"],
  ];
  const head = ["server", ...columns.map(([, title]) => `${title}: generator / server`)];
  const rows = inOrder(comparison, figures).map((server) => [
    server.short,
    ...columns.map(([scenario]) => {
      const shown = (figure) => median(figures, scenario, server.name, figure, digits);
      const [own, theirs] = [shown(FIGURES.generatorCpu), shown(FIGURES.deliveryCpu)];
      return own === DASH && theirs === DASH ? DASH : `${own} / ${theirs} µs`;
    }),
  ]);
  const most = mostReceived(comparison, figures);
  return [
    table(head, rows),
    `Received without a loss on one core, with several deliveries in one read: ${most} per second.`,
  ].join("\n\n");
}

/** Of all valid rounds with four in flight: what the generator is known to be able to take. */
function mostReceived({ servers: measured }, figures) {
  const rates = measured
    .flatMap(({ name }) => figures.valid("four", name))
    .map(({ traffic }) => traffic.received_per_second);
  return rates.length > 0 ? count(Math.round(Math.max(...rates) / 1_000) * 1_000) : DASH;
}

/** What takes a minute and more, in a line each. */
export function longRuns(comparison, figures) {
  const lines = [
    slowLimits(figures),
    scale(figures, "scale", "One generator process holds"),
    scale(figures, "scale-2", "Two, against two servers, hold"),
  ];
  const told = lines.map((line) => `* ${line}`).join("\n");
  return [told, source(comparison, ["slow-limits", "scale", "scale-2"])].join("\n\n");
}

function slowLimits(figures) {
  const results = figures.valid("slow-limits", "throng");
  if (results.length === 0) {
    return "A tenth of 2,000 that never reads, for a minute: no valid run.";
  }
  const { connections, traffic } = results[0];
  const { slow_lost: closed } = connections;
  const when = [connections.slow_lost_first_seconds, connections.slow_lost_last_seconds];
  const span = closed > 0 && when.every((at) => at !== null)
    ? `, ${[...new Set(when.map((at) => at.toFixed(0)))].join(" to ")} s after the first send`
    : "";
  const memory = median(figures, "slow-limits", "throng", FIGURES.residentMax, megabytes);
  const p99 = median(figures, "slow-limits", "throng", FIGURES.deliveryP99, milliseconds);
  return (
    `A tenth of 2,000 that never reads, for a minute: the server closed ${count(closed)} of ` +
    `them${span}. It needed ` +
    `${memory} at most; of ${count(traffic.expected)} deliveries to the healthy, ` +
    `${count(traffic.missing)} were lost, and their p99 was ${p99}.`
  );
}

function scale(figures, scenario, who) {
  const results = figures.valid(scenario, "throng");
  if (results.length === 0) {
    return `${who} no connections: no valid run.`;
  }
  const { connections } = results[0];
  const memory = median(figures, scenario, "throng", FIGURES.resident, bytes);
  return (
    `${who} ${count(connections.connected)} connections through 30 seconds and ` +
    `${count(connections.pings)} heartbeats: ${count(connections.lost)} lost, ${memory} of the ` +
    "server's memory each."
  );
}

const PEER_COLUMNS = [
  {
    title: "CPU per delivery, 1,000 clients",
    cell: (figures, name) => cell(figures, ["lone"], name, FIGURES.deliveryCpu, microseconds),
  },
  {
    title: "four broadcasts in flight",
    cell: (figures, name) => cell(figures, ["four"], name, FIGURES.deliveryCpu, microseconds),
  },
  {
    title: "10,000 clients, 5 per second: p50 / p99.9",
    cell(figures, name) {
      const shown = (figure) =>
        cell(figures, ["broadcast"], name, figure, (value) => digits(value / 1e6));
      const [middle, tail] = [shown(FIGURES.deliveryP50), shown(FIGURES.deliveryP99_9)];
      return middle === tail ? middle : `${middle} / ${tail} ms`;
    },
  },
  {
    title: "CPU per acknowledged round trip",
    cell: (figures, name) => cell(figures, ["ack"], name, FIGURES.deliveryCpu, microseconds),
  },
  {
    title: "CPU per connect",
    cell(figures, name) {
      const shown = cell(figures, ["connect"], name, FIGURES.connectCpu, microseconds);
      return name === "floor" ? `${shown} (bare handshake)` : shown;
    },
  },
  {
    title: "resident memory per idle connection",
    // Who isn't asked to hold them has been seen with as many, just connected.
    cell: (figures, name) => cell(figures, ["idle", "connect"], name, FIGURES.resident, bytes),
  },
  {
    title: "p99 of others' acks while 10,000 are broadcast to",
    cell: (figures, name) => cell(figures, ["mixed"], name, FIGURES.roundTripP99, milliseconds),
  },
];

/** The median in the first of these scenarios that the server took part in. */
function cell(figures, scenarios, name, figure, show) {
  const scenario = scenarios.find((each) => figures.outcomes(each, name).length > 0);
  if (!scenario) {
    return DASH;
  }
  const found = figures.of(scenario, name, figure);
  if (found) {
    return show(found.median);
  }
  return figures.valid(scenario, name).length === 0 ? "INVALID" : DASH;
}

function median(figures, scenario, name, figure, show) {
  const found = figures.of(scenario, name, figure);
  return found ? show(found.median) : DASH;
}

function spread(found, show) {
  if (!found) {
    return DASH;
  }
  const [lowest, greatest] = [found.lowest, found.greatest].map((value) => show(value));
  return lowest === greatest
    ? show(found.median)
    : `${show(found.median)} (${lowest.split(" ")[0]}–${greatest.split(" ")[0]})`;
}

function aimed(aim, value) {
  const text = `at most ${aim.ratio ?? aim.show(aim.most)}`;
  return value !== undefined && value > (aim.ratio ?? aim.most) ? `${text}: missed` : text;
}

/** The floor, throng, then the others by what a delivery costs them. */
function inOrder({ servers: measured }, figures) {
  const cost = ({ name }) => figures.of("lone", name, FIGURES.deliveryCpu)?.median ?? Infinity;
  const names = new Set(measured.map(({ name }) => name));
  const [own, peers] = [true, false].map((is) =>
    servers.filter((server) => names.has(server.name) && (server.own ?? false) === is),
  );
  return [...own, ...peers.sort((one, other) => cost(one) - cost(other))];
}

/** When and where it was measured, and which rounds prove nothing. */
function source({ startedAt, commit, rounds, machine, outcomes, parts }, scenarios) {
  const whole = (parts ?? []).filter((part) => part.scenarios.some((at) => scenarios.includes(at)));
  const apart = whole.map((part) => `${part.scenarios.join(", ")}: ${when(part)}`).join("; ");
  const among = outcomes.filter(({ scenario }) => scenarios.includes(scenario));
  const bad = new Map();
  for (const { scenario, server, status } of among) {
    const key = `${server} in \`${scenario}\``;
    const counts = bad.get(key) ?? { bad: 0, all: 0 };
    bad.set(key, { bad: counts.bad + (status === "valid" ? 0 : 1), all: counts.all + 1 });
  }
  const told = [...bad]
    .filter(([, counts]) => counts.bad > 0)
    .map(([key, counts]) => `${key} ${counts.bad} of ${counts.all}`);
  const medians = rounds > 1 ? `Medians of ${rounds} rounds` : "One run";
  return [
    `${medians}, ${when({ startedAt, commit })}, on ${machine}.`,
    ...(apart ? [`Measured apart: ${apart}.`] : []),
    ...(told.length > 0 ? [`INVALID or failed, and left out: ${told.join(", ")}.`] : []),
  ].join(" ");
}

function when({ startedAt, commit }) {
  return `${startedAt.slice(0, 10)}, commit ${commit}`;
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}

const DASH = "–";

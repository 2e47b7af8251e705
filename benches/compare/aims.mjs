// What throng is to reach beside the floor, each with the scenario and the figure that tell it: the
// one place where aims stand. `ratio` is of medians, to the floor; `most` is a value of its own.
import { FIGURES } from "./figures.mjs";
import { bytes, microseconds, milliseconds } from "./units.mjs";

export const AIMS = [
  {
    work: "broadcast to 1,000: CPU per delivery",
    scenario: "lone",
    figure: FIGURES.deliveryCpu,
    show: microseconds,
    ratio: 1.25,
  },
  {
    work: "broadcast to 10,000: CPU per delivery",
    scenario: "broadcast",
    figure: FIGURES.deliveryCpu,
    show: microseconds,
    ratio: 1.25,
  },
  {
    work: "four broadcasts in flight to 1,000, floor joined: CPU per delivery",
    scenario: "four",
    figure: FIGURES.deliveryCpu,
    show: microseconds,
    ratio: 1.1,
  },
  {
    work: "10,000 at 5 per second: p99.9 of a delivery",
    scenario: "broadcast",
    figure: FIGURES.deliveryP99_9,
    show: milliseconds,
    ratio: 1.15,
  },
  {
    work: "acknowledged round trip, 1,000 in a closed loop: CPU",
    scenario: "ack",
    figure: FIGURES.deliveryCpu,
    show: microseconds,
    ratio: 1.4,
  },
  {
    work: "connect against a bare WebSocket handshake: CPU",
    scenario: "connect",
    figure: FIGURES.connectCpu,
    show: microseconds,
    ratio: 1.6,
  },
  {
    work: "10,000 idle connections: resident memory of each",
    scenario: "idle",
    figure: FIGURES.resident,
    show: bytes,
    most: 1_000,
  },
  {
    work: "others' acks while 10,000 are broadcast to at 2 per second: p99",
    scenario: "mixed",
    figure: FIGURES.roundTripP99,
    show: milliseconds,
    most: 1_000_000,
  },
];

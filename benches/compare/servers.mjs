// Who is measured: how each server is built, started, and spoken to.
//
//   const command = await server.build();       where its program is, once it is built
//   server.start(command, scenario)             ["/path/to/program", "serve", "--port", "0"]
import { readFileSync } from "node:fs";

import { cargoExecutable, installNodePackages, installPythonPackages } from "./build.mjs";

export const NODE_PEERS = "benches/peers/node";
const FLOOR = "benches/floor";
const OXIDE_PEER = "benches/peers/socketioxide";
const PYTHON_PEER = "benches/peers/python-socketio";

/**
 * `own` servers belong to each comparison; `main` ones take part in every scenario, the others in
 * the short ones, or in those that are `usual` for them: a slow one would take up the time. A
 * `partial` server serves less than the application, enough for its `scenarios`. `short` is its name
 * in the tables of the README.
 */
export const servers = [
  {
    name: "floor",
    short: "the floor",
    title: "one bare send per recipient of a ready frame, and nothing else",
    own: true,
    main: true,
    partial: true,
    scenarios: ["lone", "four", "ack", "connect", "broadcast", "idle", "mixed"],
    // What the least handshake costs: WebSocket's alone, on a path that isn't Socket.IO's.
    generator: (scenario) =>
      scenario.name === "connect" ? ["--protocol", "websocket", "--path", "/bare"] : [],
    build: () => cargoExecutable(["build", "--release", "--locked"], "floor", FLOOR),
    start: (program, scenario) => [program, "serve", "--port", "0", ...floorMode(scenario)],
    version: () => `mio ${lockedCrate(`${FLOOR}/Cargo.lock`, "mio")}`,
  },
  {
    name: "throng",
    short: "throng",
    title: "this server",
    own: true,
    main: true,
    build: () => cargoExecutable(["build", "--release", "--bin", "throng"], "throng"),
    start: (program) => [program, "serve", "--host", "127.0.0.1", "--port", "0"],
    version: throngVersion,
  },
  {
    name: "socket.io",
    short: "socket.io, ws",
    title: "socket.io on Node.js, with ws",
    main: true,
    build: installNodePackages.bind(null, NODE_PEERS),
    start: () => [process.execPath, `${NODE_PEERS}/on-ws.mjs`, "--port", "0"],
    version: () => `${nodeVersion("socket.io")}, ws ${nodeVersion("ws")}, Node.js ${onNode()}`,
  },
  {
    name: "socketioxide",
    short: "socketioxide, one thread",
    title: "socketioxide with axum, one thread",
    main: true,
    build: buildOxide,
    start: (program) => [program, "--port", "0", "--threads", "1"],
    version: oxideVersion,
  },
  {
    name: "socketioxide-2",
    short: "socketioxide, two threads",
    title: "socketioxide with axum, two threads",
    // With four in flight it delivers out of order.
    usual: ["lone", "ack"],
    build: buildOxide,
    start: (program) => [program, "--port", "0", "--threads", "2"],
    version: oxideVersion,
  },
  {
    name: "socket.io-bun",
    short: "socket.io, Bun's engine",
    title: "socket.io on Bun, with the engine for it",
    usual: ["lone", "ack", "connect"],
    build: installNodePackages.bind(null, NODE_PEERS),
    start: () => [`${NODE_PEERS}/node_modules/.bin/bun`, `${NODE_PEERS}/on-bun.mjs`, "--port", "0"],
    version: () =>
      `${nodeVersion("socket.io")}, engine ${nodeVersion("@socket.io/bun-engine")}, ` +
      `Bun ${nodeVersion("bun")}`,
  },
  {
    name: "socket.io-uws",
    short: "socket.io, uWebSockets.js",
    title: "socket.io on Node.js, with uWebSockets.js 20.30 as Truffle packed it",
    build: installNodePackages.bind(null, NODE_PEERS),
    start: () => [process.execPath, `${NODE_PEERS}/on-uwebsockets.mjs`, "--port", "0"],
    version: () =>
      `${nodeVersion("socket.io")}, uWebSockets.js ` +
      `${nodeVersion("@trufflesuite/uws-js-unofficial")}, Node.js ${onNode()}`,
  },
  {
    name: "python-socketio",
    short: "python-socketio",
    title: "python-socketio with uvicorn",
    // It can't carry 50 broadcasts per second to 1,000.
    usual: ["four", "ack"],
    build: installPythonPackages.bind(null, PYTHON_PEER),
    start: () => [`${PYTHON_PEER}/venv/bin/python`, `${PYTHON_PEER}/server.py`, "--port", "0"],
    version: () => `${pythonVersion("python-socketio")}, uvicorn ${pythonVersion("uvicorn")}`,
  },
];

/** The least that does what the scenario is about. */
function floorMode({ name }) {
  switch (name) {
    case "four":
      // What waits for one recipient leaves in one call.
      return ["--mode", "joined"];
    case "mixed":
      // A tight loop would make every acknowledgement wait for the whole of a broadcast.
      return ["--mode", "bare", "--look-every", "64"];
    default:
      return ["--mode", "bare"];
  }
}

function buildOxide() {
  return cargoExecutable(["build", "--release", "--locked"], "peer-socketioxide", OXIDE_PEER);
}

function throngVersion() {
  return lockedCrate("Cargo.lock", "throng");
}

function oxideVersion() {
  const lock = `${OXIDE_PEER}/Cargo.lock`;
  return `${lockedCrate(lock, "socketioxide")}, axum ${lockedCrate(lock, "axum")}`;
}

function lockedCrate(lock, name) {
  const pattern = new RegExp(`name = "${name}"\nversion = "([^"]+)"`);
  return pattern.exec(readFileSync(lock, "utf8"))?.[1] ?? "unknown";
}

function nodeVersion(name) {
  const lock = JSON.parse(readFileSync(`${NODE_PEERS}/package-lock.json`, "utf8"));
  return lock.packages[`node_modules/${name}`]?.version ?? "unknown";
}

function onNode() {
  return process.versions.node;
}

function pythonVersion(name) {
  const wanted = readFileSync(`${PYTHON_PEER}/requirements.txt`, "utf8");
  return new RegExp(`^${name}(?:\\[.*\\])?==(.+)$`, "m").exec(wanted)?.[1] ?? "unknown";
}

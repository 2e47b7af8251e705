// python-socketio against the server: the same walk-throughs in another language's client.
import { test } from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { modes } from "../lib/client.mjs";
import { runAgainst } from "../lib/program.mjs";
import { startScenario, startServer } from "../lib/server.mjs";

const python = fileURLToPath(new URL("../.cache/python/bin/python", import.meta.url));
const scripts = {
  "suite.py": startServer,
  "smoke.py": () => startScenario("smoke"),
};

for (const [script, start] of Object.entries(scripts)) {
  for (const mode of modes) {
    test(`python-socketio, ${script}, ${mode.name}`, async () => {
      const path = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
      const transports = mode.options.transports ?? ["polling", "websocket"];
      await runAgainst(start, python, (url) => [path, url, transports.join(",")]);
    });
  }
}

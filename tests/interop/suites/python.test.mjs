// python-socketio against the server: the same walk-throughs in another language's client.
import { test } from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { modes } from "../lib/client.mjs";
import { startServer } from "../lib/server.mjs";

const python = fileURLToPath(new URL("../.cache/python/bin/python", import.meta.url));
const script = fileURLToPath(new URL("../python/suite.py", import.meta.url));

for (const mode of modes) {
  test(`python-socketio, ${mode.name}`, async () => {
    assert.ok(existsSync(python), "python-socketio is missing: scripts/test installs it");
    const server = await startServer();
    const transports = mode.options.transports ?? ["polling", "websocket"];
    try {
      const args = [script, server.url, transports.join(",")];
      await promisify(execFile)(python, args, { timeout: 120_000 });
    } catch (error) {
      assert.fail(`the last case named failed:\n${error.stdout}${error.stderr}`);
    } finally {
      await server.stop();
    }
  });
}

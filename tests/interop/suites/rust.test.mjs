// rust_socketio against the smoke app. Polling alone is left out: that client loses events of an
// answer that holds several, with the reference too.
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runAgainst } from "../lib/program.mjs";
import { startScenario } from "../lib/server.mjs";

const built = new URL("../.cache/rust/debug/throng-interop", import.meta.url);
const program = fileURLToPath(built);

for (const transport of ["websocket", "upgrade"]) {
  test(`rust_socketio, ${transport}`, async () => {
    await runAgainst(() => startScenario("smoke"), program, (url) => [url, transport]);
  });
}

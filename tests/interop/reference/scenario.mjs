// Starts one of the scenario apps on the Node.js reference.
//
//   node reference/scenario.mjs smoke --port 0      prints: Listening on http://127.0.0.1:40123
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { api } from "./api.mjs";
import { clientSupport } from "./client-support.mjs";
import { cluster } from "./cluster.mjs";
import { engineClientSupport, engineProtocol, socketProtocol, wsEcho } from "./protocols.mjs";
import { smoke } from "./smoke.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { port: { type: "string", default: "0" } },
});
const parser = () => createRequire(import.meta.url)("socket.io-msgpack-parser");
const apps = {
  "smoke": (port) => smoke(port),
  "smoke-recovery": (port) => smoke(port, { recovery: true }),
  "smoke-msgpack": (port) => smoke(port, { parser: parser() }),
  "api": api,
  "cluster": cluster,
  "engine-protocol": (port) => serve(port, (http) => engineProtocol(http, false)),
  "engine-protocol-v3": (port) => serve(port, (http) => engineProtocol(http, true)),
  "engine-client-support": (port) => serve(port, engineClientSupport),
  "socket-protocol": (port) => serve(port, socketProtocol),
  "client-support": (port) => serve(port, clientSupport),
  "ws-echo": (port) => serve(port, wsEcho),
};
apps[positionals[0]](Number(values.port));

/** Serves an app that attaches itself to a server of HTTP that knows no page. */
function serve(port, attach) {
  const http = createServer((_, response) => response.writeHead(404).end());
  attach(http);
  http.listen(port, "127.0.0.1", () => {
    console.log(`Listening on http://127.0.0.1:${http.address().port}`);
  });
  process.on("SIGTERM", () => process.exit());
}

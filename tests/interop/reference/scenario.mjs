// Starts one of the scenario apps on the Node.js reference.
//
//   node reference/scenario.mjs smoke --port 0      prints: Listening on http://127.0.0.1:40123
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { api } from "./api.mjs";
import { cluster } from "./cluster.mjs";
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
};
apps[positionals[0]](Number(values.port));

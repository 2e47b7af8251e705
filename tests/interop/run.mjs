// Runs the suites with Node's own test runner.
//
//   node run.mjs                       against THRONG_BIN or target/release/throng
//   node run.mjs --reference           against the Node.js reference, to prove the suites
//   node run.mjs browser python        only the suites with these names
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const reference = process.argv.includes("--reference");

if (reference) {
  installReference();
}
const suites = readdirSync(`${here}suites`)
  .filter((file) => file.endsWith(".test.mjs"))
  .filter((file) => names.length === 0 || names.includes(file.replace(".test.mjs", "")));
if (suites.length === 0) {
  console.error(`no suite is called ${names.join(", ")}`);
  process.exit(1);
}

// One file at a time: the suites count users and measure time, and the machines are small.
const flags = ["--test", "--test-concurrency=1", "--test-reporter=spec"];
const files = suites.sort().map((file) => `${here}suites/${file}`);
const env = { ...process.env, THRONG_INTEROP_REFERENCE: reference ? "1" : "" };
const child = spawn(process.execPath, [...flags, ...files], { stdio: "inherit", env });
child.on("exit", (code) => process.exit(code ?? 1));

function installReference() {
  const folder = `${here}.cache/reference`;
  if (existsSync(`${folder}/node_modules/socket.io`)) {
    return;
  }
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/package.json`, '{ "private": true }\n');
  const install = spawnSync("npm", ["install", "--no-audit", "--no-fund", "socket.io@4.8"], {
    cwd: folder,
    stdio: "inherit",
  });
  if (install.status !== 0) {
    process.exit(1);
  }
}

// Builds programs and installs packages, each once, from their registries.
//
//   await cargoExecutable(["build", "--release", "--bin", "throng"], "throng")   its path
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, statSync } from "node:fs";
import { createInterface } from "node:readline";

const done = new Map();

/** Runs cargo, and answers where the executable is that it built. */
export function cargoExecutable(command, name, folder = ".") {
  return atMostOnce(`cargo ${folder} ${command}`, async () => {
    const child = spawn("cargo", [...command, "--message-format=json-render-diagnostics"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
      // Each result names it, in its fingerprint.
      env: { ...process.env, THRONG_REVISION: revision() },
    });
    let path;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const message = line.startsWith("{") ? JSON.parse(line) : {};
      if (message.reason === "compiler-artifact" && message.target.name === name) {
        path = message.executable ?? path;
      }
    });
    await succeeded(child, `cargo ${command.join(" ")}`);
    if (!path) {
      throw new Error(`cargo ${command.join(" ")} built no program called ${name}`);
    }
    return path;
  });
}

/** The commit that is measured, and whether its source was changed since; not so by results. */
export function revision() {
  const git = (...flags) => spawnSync("git", flags, { encoding: "utf8" });
  const head = git("rev-parse", "--short=12", "HEAD");
  if (head.status !== 0) {
    return "unknown";
  }
  const source = ["--", ".", ":!benches/results", ":!README.md"];
  const changes = git("status", "--porcelain", "--untracked-files=no", ...source);
  return head.stdout.trim() + (changes.stdout.trim() ? "-changed" : "");
}

/** Installs what the lock file in the folder names. */
export function installNodePackages(folder) {
  return atMostOnce(folder, async () => {
    // npm leaves its own lock file behind; one older than ours means that ours has changed since.
    const installed = `${folder}/node_modules/.package-lock.json`;
    if (!existsSync(installed) || isNewer(`${folder}/package-lock.json`, installed)) {
      await run("npm", ["ci", "--loglevel=error"], folder);
    }
  });
}

/** Installs what requirements.txt in the folder names, into an environment of its own. */
export function installPythonPackages(folder) {
  return atMostOnce(folder, async () => {
    const [wanted, installed] = [`${folder}/requirements.txt`, `${folder}/venv/installed.txt`];
    if (existsSync(installed) && same(wanted, installed)) {
      return;
    }
    await run("python3", ["-m", "venv", "venv"], folder);
    const flags = ["--quiet", "--disable-pip-version-check", "--requirement", "requirements.txt"];
    await run("venv/bin/pip", ["install", ...flags], folder);
    copyFileSync(wanted, installed);
  });
}

/** Several servers are started from one build. */
function atMostOnce(key, work) {
  if (!done.has(key)) {
    done.set(key, work());
  }
  return done.get(key);
}

async function run(program, flags, folder) {
  const child = spawn(program, flags, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
  await succeeded(child, `${program} ${flags.join(" ")}`);
}

/** Rejects too where the program can't be started. */
async function succeeded(child, command) {
  const [code, signal] = await once(child, "close");
  if (code !== 0) {
    throw new Error(`${command} ended with ${signal ?? `exit code ${code}`}`);
  }
}

function isNewer(path, than) {
  return statSync(path).mtimeMs > statSync(than).mtimeMs;
}

function same(left, right) {
  return readFileSync(left, "utf8") === readFileSync(right, "utf8");
}

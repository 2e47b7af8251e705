// Starts and stops the server under test as a process of its own. It is the built program, or the
// reference when run.mjs was told so; it is found by the line `Listening on ...` it prints.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createInterface } from "node:readline";
import { within } from "./wait.mjs";

export const isReference = process.env.THRONG_INTEROP_REFERENCE === "1";

/** Starts `throng serve`. */
export function startServer(flags = []) {
  return isReference ? startReference("serve", flags) : start(throngProgram(), ["serve"], flags);
}

/** Where the built program is. */
export function throngProgram() {
  return process.env.THRONG_BIN || fromRoot("target/release/throng");
}

/** Starts the example `express`, which prints what it hears. */
export function startExpress(flags = []) {
  const program = process.env.THRONG_EXPRESS_BIN || fromRoot("target/release/examples/express");
  return isReference ? startReference("express", flags) : start(program, [], flags);
}

/**
 * Starts any other example, as `cargo test` has built it. All take an address and, behind it, the
 * seconds after which they end by themselves.
 */
export function startExample(name, words = []) {
  return launch(examplePath(name), ["127.0.0.1:0", ...words]);
}

/** Where an example is. */
export function examplePath(name) {
  const folder = process.env.THRONG_EXAMPLES_DIR || fromRoot("target/debug/examples");
  return existing(`${folder}/${name}`, `cargo test or cargo build --example ${name}`);
}

/** Starts an app of the example `scenarios`. */
export function startScenario(app, flags = []) {
  if (isReference && !["v2-support", "socket-protocol-msgpack"].includes(app)) {
    const script = fileURLToPath(new URL("../reference/scenario.mjs", import.meta.url));
    return start(process.execPath, [script, app], flags);
  }
  const built = fromRoot("target/release/examples/scenarios");
  const program = process.env.THRONG_SCENARIOS_BIN || built;
  return isReference ? startReference(app, flags) : start(program, ["--app", app], flags);
}

class TestServer {
  #child;
  #lines = [];
  #errors = [];
  #waiting = new Set();
  #isOver = false;

  constructor(child) {
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      this.#waiting.forEach((look) => look());
    });
    // Both streams must be read, or a server that logs a lot would stall on a full pipe.
    createInterface({ input: child.stderr }).on("line", (line) => this.#errors.push(line));
    // Not at its exit: what it has printed last may still be on its way.
    child.on("close", () => {
      this.#isOver = true;
      this.#waiting.forEach((look) => look());
    });
  }

  /** The lines printed so far on standard output. */
  get lines() {
    return [...this.#lines];
  }

  get pid() {
    return this.#child.pid;
  }

  /** The line that is the `nth` to match, from the past or the future. */
  line(pattern, nth = 1) {
    const found = new Promise((resolve, reject) => {
      const look = () => {
        const line = this.#lines.filter((each) => pattern.test(each))[nth - 1];
        if (line !== undefined) {
          this.#waiting.delete(look);
          resolve(line);
        } else if (this.#isOver) {
          this.#waiting.delete(look);
          reject(new Error(`the server ended before it printed ${pattern}\n${this.output}`));
        }
      };
      this.#waiting.add(look);
      look();
    });
    return within(found, `the server's line ${pattern}`);
  }

  get output() {
    return [...this.#lines, ...this.#errors.slice(-20)].join("\n");
  }

  /** Waits until the process has ended by itself; answers how. */
  async end() {
    const { exitCode, signalCode } = this.#child;
    if (exitCode === null && signalCode === null) {
      await within(once(this.#child, "exit"), "the server's own end");
    }
    return { exitCode: this.#child.exitCode, signalCode: this.#child.signalCode };
  }

  /** Ends the process and waits for its end; answers how it ended. */
  async stop(signal = "SIGTERM") {
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) {
      return { exitCode, signalCode };
    }
    const exit = once(this.#child, "exit");
    this.#child.kill(signal);
    try {
      const [code, name] = await within(exit, `the server's end after ${signal}`);
      return { exitCode: code, signalCode: name };
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    }
  }
}

function startReference(application, flags) {
  const script = fileURLToPath(new URL("../reference-server.mjs", import.meta.url));
  return start(process.execPath, [script, application], flags);
}

async function start(program, leading, flags) {
  const port = flags.includes("--port") ? [] : ["--port", "0"];
  return launch(existing(program, "scripts/test or cargo build"), [...leading, ...port, ...flags]);
}

async function launch(program, words) {
  const child = spawn(program, words);
  // A test that fails half way must not leave its server behind.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
  const server = new TestServer(child);
  const banner = await server.line(/^listening on /i);
  server.port = Number(/(\d+)\/?$/.exec(banner)[1]);
  server.url = `http://127.0.0.1:${server.port}`;
  return server;
}

function existing(program, how) {
  if (!existsSync(program)) {
    throw new Error(`${program} is missing: build it first with ${how}`);
  }
  return program;
}

function fromRoot(path) {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}

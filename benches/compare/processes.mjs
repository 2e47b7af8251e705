// Child processes that never outlive the comparison: each is ended by its own id, at a bound at the
// latest, and all that are left when the program ends.
//
//   const server = startServer(["taskset", "-c", "0", ...command]);
//   const url = await server.url();
//   await server.end();
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const running = new Set();

process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(1));
}

/** Starts a server that prints `Listening on URL`. */
export function startServer(command) {
  const child = start(command);
  const errors = lastLines(child.stderr);
  const ended = endOf(child);
  const listening = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const url = /^Listening on (http:\S+)/.exec(line)?.[1];
      if (url) {
        resolve(url);
      }
    });
  });
  return {
    pid: child.pid,
    /** Where it listens, or why it doesn't. */
    url: () => Promise.race([listening, refusal(ended, errors)]),
    /** Its work is worth nothing any more, so it isn't asked politely. */
    async end() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Runs a program to its end; `ending` says how it went, `hung` whether the bound ended it. */
export async function runToEnd(command, seconds) {
  const child = start(command);
  const [output, errors] = [lastLines(child.stdout), lastLines(child.stderr)];
  let hung = false;
  const bound = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, seconds * 1000);
  const ending = await endOf(child);
  clearTimeout(bound);
  return { ending, hung, output, errors };
}

function start([program, ...flags]) {
  const env = { ...process.env, NODE_ENV: "production" };
  const child = spawn(program, flags, { stdio: ["ignore", "pipe", "pipe"], env });
  running.add(child);
  return child;
}

/** "exit code 1" or "SIGKILL", or why it couldn't be started; never rejects. */
async function endOf(child) {
  try {
    const [code, signal] = await once(child, "close");
    return signal ?? `exit code ${code}`;
  } catch (error) {
    return error.message;
  } finally {
    running.delete(child);
  }
}

async function refusal(ended, errors) {
  const bound = new Promise((resolve) => setTimeout(resolve, LISTEN_MS, "no word in time").unref());
  const ending = await Promise.race([ended, bound]);
  throw new Error(["the server doesn't listen", ending, ...errors].join(": "));
}

/** Reads all, or a program that says a lot would stall; keeps the end, where the reason stands. */
function lastLines(stream) {
  const lines = [];
  createInterface({ input: stream }).on("line", (line) => {
    lines.push(line);
    if (lines.length > LINES_MAX) {
      lines.shift();
    }
  });
  return lines;
}

const LISTEN_MS = 20_000;
const LINES_MAX = 20;

// Runs a program in another language, a client of the server under test, to its end.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";

/** Starts the server, runs the program with the arguments for its address, and stops the server. */
export async function runAgainst(start, program, args) {
  assert.ok(existsSync(program), `${program} is missing: scripts/test installs it`);
  const server = await start();
  try {
    await promisify(execFile)(program, args(server.url), { timeout: 120_000 });
  } catch (error) {
    assert.fail(`the last case named failed:\n${error.stdout}${error.stderr}`);
  } finally {
    await server.stop();
  }
}

// Runs `throng bench` to its end.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { throngProgram } from "./server.mjs";

/**
 * One command of `throng bench`. It ends with 1 where the machine was too busy for the figures to
 * be believed; what they are written to is there all the same.
 */
export async function bench(...args) {
  try {
    await promisify(execFile)(throngProgram(), ["bench", ...args], { timeout: 120_000 });
  } catch (error) {
    if (error.code !== 1) {
      throw error;
    }
  }
}

// The frame of a suite: one server for the file's tests, the tests repeated in each mode.
import { after, afterEach, before, describe } from "node:test";
import { Clients, modes } from "./client.mjs";
import { startServer } from "./server.mjs";

/**
 * Declares the tests of `body` once per mode. `body` gets a context whose `server` and `clients`
 * are set by the time a test runs; clients are closed after each test.
 */
export function inEachMode(title, body, { flags = [], start = startServer } = {}) {
  for (const mode of modes) {
    describe(`${title}, ${mode.name}`, () => {
      const context = { mode };
      before(async () => {
        context.server = await start(flags);
        context.clients = new Clients(context.server.url, mode);
      });
      afterEach(() => context.clients?.close());
      after(() => context.server?.stop());
      body(context);
    });
  }
}

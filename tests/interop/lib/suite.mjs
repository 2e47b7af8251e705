// The frame of a suite: one server for the file's tests, the tests repeated in each mode.
import { after, afterEach, before, beforeEach, describe } from "node:test";
import { Clients, generations, modes } from "./client.mjs";
import { startScenario, startServer } from "./server.mjs";

/**
 * Declares the tests of `body` once per mode. `body` gets a context whose `server` and `clients`
 * are set by the time a test runs; clients are closed after each test. With a reason to `skip` it
 * there is no server.
 */
export function inEachMode(title, body, { flags = [], start = startServer, skip = false } = {}) {
  for (const mode of modes) {
    describe(`${title}, ${mode.name}`, { skip }, () => {
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

/**
 * Declares the tests of `body` against an app of the example `scenarios`, once for each generation
 * of the client in each mode.
 */
export function inEachGeneration(app, body, chosen = generations, options = {}) {
  for (const generation of chosen) {
    for (const mode of modes) {
      describe(`${app}, ${generation.name}, ${mode.name}`, () => {
        const context = { mode, generation };
        before(async () => {
          context.server = await startScenario(app);
        });
        // Clients that leave with a test must not be told of to the next one's.
        beforeEach(() => {
          context.clients = new Clients(context.server.url, mode, generation, options);
        });
        afterEach(() => context.clients.close());
        after(() => context.server?.stop());
        body(context);
      });
    }
  }
}

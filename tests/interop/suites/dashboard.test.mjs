// The example `dashboard` in a terminal, while clients come and go: a terminal owns its loop.
import { after, before, describe, test } from "node:test";
import assert from "node:assert/strict";
import { Clients, modes } from "../lib/client.mjs";
import { examplePath, isReference } from "../lib/server.mjs";
import { startTerminal } from "../lib/terminal.mjs";
import { next } from "../lib/wait.mjs";

const skip = isReference && "the reference has no such example";

describe("example dashboard", { skip }, () => {
  let terminal;
  before(() => (terminal = startTerminal(examplePath("dashboard"), ["127.0.0.1:0"])));
  after(() => terminal?.close());

  test("shows who is there and what is said, until q is pressed", async (told) => {
    const [, url] = await terminal.shows(/ (http:\S+) \(q closes it\) /);
    await terminal.shows(/sessions +0 [^]*sockets +0 [^]*queued +0 bytes/);

    const options = { reconnection: false };
    const crowds = modes.map((mode) => new Clients(url, mode, undefined, options));
    told.after(() => crowds.forEach((clients) => clients.close()));
    const clients = await Promise.all(crowds.map((clients) => clients.settle()));
    await terminal.shows(/sessions +3 [^]*sockets +3 /);
    assert.deepEqual(terminal.modes, ["?1049"], "another screen, and no cursor");

    const said = ["hi", { bytes: Buffer.from([0, 1, 255]) }];
    const heard = clients.map((client) => next(client, "chat"));
    clients[0].emit("chat", ...said);
    assert.deepEqual(await Promise.all(heard), Array(3).fill(said));
    await terminal.shows(/in +1\/s[^]*out +3\/s/);

    clients[0].disconnect();
    await terminal.shows(/sessions +2 [^]*sockets +2 /);
    // Other keys do nothing.
    terminal.type("x");
    await terminal.shows(/in +0\/s[^]*out +0\/s/);
    assert.ok(clients[1].connected && clients[2].connected);

    const left = clients.slice(1).map((client) => next(client, "disconnect"));
    terminal.type("q");
    assert.deepEqual(await terminal.end(), { exit: 0, raw: true, restored: true });
    assert.deepEqual(terminal.modes, ["?25"]);
    for (const [reason] of await Promise.all(left)) {
      assert.match(reason, /^transport (close|error)$/);
    }
  });
});

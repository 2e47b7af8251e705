// The application on socket.io with uWebSockets.js, as socket.io's documents attach it.
//
//   node on-uwebsockets.mjs --port 0
//
// The authors of uWebSockets.js don't publish it on npm. This is their version 20.30 as Truffle
// packed it for Ganache, with binaries for Node.js 16, 18 and 20.

import { createRequire } from "node:module";

import { Server } from "socket.io";

import { announce, declare, portWanted } from "./application.mjs";

// The binary itself: the package would fall back to JavaScript without an error.
const { platform, arch, versions } = process;
const { App, us_socket_local_port: localPort } = createRequire(import.meta.url)(
  `@trufflesuite/uws-js-unofficial/binaries/uws_${platform}_${arch}_${versions.modules}.node`,
);

const app = App();
const io = new Server();
io.attachApp(app);
declare(io);

app.get("/healthz", (response) => response.end("ok"));
app.listen("127.0.0.1", portWanted(), (listening) => {
  if (!listening) {
    throw new Error(`can't listen on port ${portWanted()}`);
  }
  announce(localPort(listening));
});

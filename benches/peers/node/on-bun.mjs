// The application on socket.io with the engine that its authors wrote for Bun.
//
//   bun on-bun.mjs --port 0

import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

import { announce, declare, portWanted } from "./application.mjs";

const engine = new Engine({ path: "/socket.io/" });
const io = new Server();
io.bind(engine);
declare(io);

const { fetch, ...handler } = engine.handler();
const server = Bun.serve({
  ...handler,
  hostname: "127.0.0.1",
  port: portWanted(),
  development: false,
  fetch(request, server) {
    return new URL(request.url).pathname === "/healthz"
      ? new Response("ok")
      : fetch(request, server);
  },
});
announce(server.port);

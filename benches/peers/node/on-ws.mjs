// The application on socket.io as its documents set it up: Node.js, its HTTP server, `ws`.
//
//   node on-ws.mjs --port 0

import { createServer } from "node:http";

import { Server } from "socket.io";

import { announce, declare, portWanted } from "./application.mjs";

const http = createServer((request, response) => {
  const found = request.url === "/healthz";
  response.writeHead(found ? 200 : 404, { "Content-Type": "text/plain" });
  response.end(found ? "ok" : "not found");
});
declare(new Server(http));
http.listen(portWanted(), "127.0.0.1", () => announce(http.address().port));

// Every event and namespace of the smoke app, with each generation of the client; and once more with
// the parser that writes msgpack.
import parser from "socket.io-msgpack-parser";
import { generations } from "../lib/client.mjs";
import { declareSmoke } from "../lib/smoke.mjs";
import { inEachGeneration } from "../lib/suite.mjs";

inEachGeneration("smoke", declareSmoke);
inEachGeneration("smoke-msgpack", declareSmoke, [generations[0]], { parser });

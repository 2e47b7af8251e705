// A way to the server that can be held up, as a slow network holds up what comes from it, and that
// keeps what was said on it.
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Opens one to the port of a server on this machine; `url` is what clients are told. */
export async function startProxy(port) {
  const proxy = new Proxy(port);
  await proxy.open();
  return proxy;
}

class Proxy {
  #port;
  #listener;
  #ways = [];
  #held = false;

  constructor(port) {
    this.#port = port;
    this.#listener = createServer((near) => this.#lead(near));
  }

  async open() {
    this.#listener.listen(0, "127.0.0.1");
    await once(this.#listener, "listening");
    this.url = `http://127.0.0.1:${this.#listener.address().port}`;
  }

  /** From now on nothing of the server's is read: what it sends piles up on its side. */
  hold() {
    this.#held = true;
    this.#ways.forEach(({ far }) => far.pause());
  }

  /** What has piled up goes on its way. */
  release() {
    this.#held = false;
    this.#ways.forEach(({ far }) => far.resume());
  }

  /** Each request whose answer has begun: its method and target, the status, and the headers. */
  get exchanges() {
    return this.#ways.flatMap(({ said, answered }) => {
      const requests = [...said.join("").matchAll(/(GET|POST|OPTIONS) (\S+) HTTP\/1\.1\r\n/g)];
      const heads = [...answered.join("").matchAll(/HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/g)];
      return heads.map(([head, status], index) => ({
        method: requests[index][1],
        target: requests[index][2],
        status: Number(status),
        headers: new Headers([...head.matchAll(/^([\w-]+): (.*)\r$/gm)].map((line) => line.slice(1))),
      }));
    });
  }

  close() {
    this.#listener.close();
    this.#ways.forEach(({ near, far }) => (near.destroy(), far.destroy()));
  }

  #lead(near) {
    const far = connect(this.#port, "127.0.0.1");
    const way = { near, far, said: [], answered: [] };
    this.#ways.push(way);
    const pass = (from, to, kept) => {
      from.on("data", (bytes) => {
        kept.push(bytes.toString("latin1"));
        to.write(bytes);
      });
      from.on("end", () => to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => to.end());
    };
    pass(near, far, way.said);
    pass(far, near, way.answered);
    if (this.#held) {
      far.pause();
    }
  }
}

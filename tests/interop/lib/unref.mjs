// A process that connects and then has nothing more to do: with `autoUnref` its connection doesn't
// keep it.
import { io } from "socket.io-client";

const [url, transports] = process.argv.slice(2);
// Until it is connected something must.
const late = setTimeout(() => process.exit(1), 10_000);
const socket = io(url, { autoUnref: true, transports: transports.split(",") });
socket.on("connect", () => {
  console.log(`connected as ${socket.id}`);
  clearTimeout(late);
});

/**
 * Run by `node --experimental-websocket`: connects by Node's own WebSocket to the URL that is given, with a header, and sends
 * back what it gets until the server ends the connection.
 */

import { loadClient } from "./client.js";

const Primus = loadClient();
const client = new Primus(process.argv[2], { transport: { headers: { "x-token": "abc" } } });
client.on("open", () => client.write(client.socket.constructor === globalThis.WebSocket));
client.on("data", (data) => client.write(data));

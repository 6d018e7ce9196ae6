/** A real Primus 8 server, as npm has it. */

import { once } from "node:events";
import http from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
export const PrimusServer = require("primus");

/**
 * Starts a server on a free port, or on the given one, until the test ends.
 *
 * `plugins` are npm plugins by name, `setup` sees the Primus instance before anybody can connect.
 */
export async function startServer(t, { port = 0, plugins = {}, setup = () => {}, ...options } = {}) {
  const server = http.createServer();
  const primus = new PrimusServer(server, { transformer: "websockets", ...options });
  for (const [name, plugin] of Object.entries(plugins)) primus.plugin(name, plugin);
  setup(primus);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");

  let stopped;
  const stop = (how = {}) => (stopped ??= new Promise((resolve) => primus.destroy({ close: true, ...how }, resolve)));
  t.after(() => stop());
  return { primus, server, stop, port: server.address().port, url: `http://127.0.0.1:${server.address().port}` };
}

/** A client of a constructor that is destroyed when the test ends. */
export function connect(t, Primus, url, options) {
  const client = new Primus(url, options);
  t.after(() => client.destroy());
  return client;
}

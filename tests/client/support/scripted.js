/** A transport that a test plays by hand, and a client on it under virtual time. */

import { json, loadClient } from "./client.js";

/**
 * A transport part that notes what the client does with it: `connections`, each with `url`, `sent`, `closed` and the `events`
 * that the client hears.
 */
export function scriptedTransport(name = "scripted") {
  const connections = [];
  return {
    connections,
    get last() {
      return connections[connections.length - 1];
    },
    part: {
      name,
      supported: () => true,
      open({ url, options, last }, events) {
        const connection = {
          url,
          options,
          last,
          events,
          sent: [],
          closed: false,
          ready: true,
          send: (data) => connection.sent.push(JSON.parse(data)),
          close: () => void (connection.closed = true),
        };
        connections.push(connection);
        return connection;
      },
    },
  };
}

/**
 * A client on a scripted transport, with time and randomness held still: `tick(ms)` lets time pass, and random numbers are
 * `random` (0, so that delays are the smallest, unless said otherwise).
 */
export function scriptedClient(t, { options, settings, extensions = [], random = 0, setup = () => {} } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.mock.method(Math, "random", () => random);
  const Primus = loadClient({ parts: [json, ...extensions], transports: ["scripted"], ...settings });
  const transport = scriptedTransport();
  Primus.prototype.transports.push(transport.part);
  setup(Primus);

  const client = new Primus("http://server.test", options);
  t.after(() => client.destroy());
  return {
    Primus,
    client,
    transport,
    tick: (ms) => t.mock.timers.tick(ms),
    /** Lets the client open its connection. */
    open() {
      t.mock.timers.tick(0);
      transport.last.events.open();
    },
    /** Delivers a message of the server. */
    receive: (message) => transport.last.events.message(JSON.stringify(message)),
  };
}

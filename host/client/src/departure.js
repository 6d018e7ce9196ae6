/**
 * How a client leaves a connection for another one, so that nothing is lost or comes twice.
 *
 * A transport whose messages go by requests knows what has arrived, and has the verbs for it (`TransportConnection`). A connection that
 * is one stream is left by words that go through it: what came before them has come.
 *
 * @import { TransportConnection } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

import { ticketRequest } from "./protocol.js";

/**
 * @typedef {object} Departure
 * @property {() => Promise<string>} ticket By what the server lets another connection take over.
 * @property {() => Promise<string>} hold Nothing more is sent; the answer is what the server is told with the takeover.
 * @property {() => void} release It stays after all.
 * @property {() => void} retire It has been left.
 * @property {((fn: () => void) => void) | null} ended Calls when the last message has come by it, if any come until then.
 */

/**
 * @param {Primus} primus
 * @param {TransportConnection} connection
 * @returns {Departure}
 */
export function departureFrom(primus, connection) {
  const { ticket } = connection;
  if (ticket === undefined) return stream(primus, connection);
  return {
    ticket: async () => ticket,
    hold: async () => (await connection.hold?.()) ?? "",
    release: () => connection.release?.(),
    retire: () => connection.retire?.(),
    ended: null,
  };
}

/**
 * @param {Primus} primus
 * @param {TransportConnection} connection
 * @returns {Departure}
 */
function stream(primus, connection) {
  /** @type {Map<string, (value: any) => void>} */
  const awaited = new Map();
  /**
   * @param {string} event
   * @param {(value: any) => void} fn
   */
  const wait = (event, fn) => {
    awaited.set(event, fn);
    primus.once(event, fn);
  };
  const over = () => {
    for (const [event, fn] of awaited) primus.off(event, fn);
    primus.leaving = false;
  };
  return {
    ticket: () =>
      new Promise((resolve) => {
        wait("incoming::ticket", resolve);
        primus._write(ticketRequest);
      }),
    hold: () =>
      new Promise((resolve, reject) => {
        wait("incoming::left", () => resolve(""));
        primus.leaving = true;
        primus.encoder("primus::leave::", (error, packet) => (error ? reject(error) : connection.send(packet)));
      }),
    release: over,
    retire: () => {
      over();
      connection.close();
    },
    ended: (fn) => wait("incoming::moved", fn),
  };
}

/**
 * The driver between a client and its transport parts: opens, sends and closes on `outgoing::…`, reports by `incoming::…`.
 *
 * A client has one connection at a time. What a dropped one still reports is not heard.
 *
 * @import { TransportEvents, TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

/**
 * Connects a client to the first of its transports that works here.
 *
 * @param {Primus} primus
 */
export function driveTransports(primus) {
  /** @type {TransportEvents | null} The events of the connection that counts. */
  let current = null;

  const drop = () => {
    const gone = primus.connection;
    primus.connection = primus.socket = current = null;
    gone?.close();
  };

  const open = () => {
    drop();
    const part = choose(primus);
    if (!part) return;

    /** @type {TransportEvents} */
    const events = {
      open: () => void (current === events && primus.emit("incoming::open")),
      message: (data) => void (current === events && primus.emit("incoming::data", data)),
      error: (error) => void (current === events && primus.emit("incoming::error", error)),
      close: (info) => {
        if (current !== events) return;
        drop();
        primus.emit("incoming::end", info);
      },
    };
    current = events;
    try {
      const url = String(primus.uri({ protocol: part.protocol ?? "http:", query: true }));
      const connection = part.open({ url, options: primus.options }, events);
      primus.connection = connection;
      primus.socket = connection.socket ?? connection;
    } catch (error) {
      // Later, as with every other failure: a caller of `open` has not had the time to listen.
      primus.timers.setTimeout("failure", () => events.error(error), 0);
    }
  };

  primus.on("outgoing::open", open);
  primus.on("outgoing::reconnect", () => void primus.emit("outgoing::open"));
  primus.on("outgoing::end", drop);
  primus.on("outgoing::data", (/** @type {any} */ message) => {
    try {
      primus.connection?.send(message);
    } catch (error) {
      primus.emit("incoming::error", error);
    }
  });
}

/**
 * The first transport that works here. WebSockets that are to be avoided are the last resort.
 *
 * @param {Primus} primus
 * @returns {TransportPart | undefined}
 */
export function choose(primus) {
  const usable = primus.transports.filter((part) => part.supported(primus.options));
  return (primus.AVOID_WEBSOCKETS && usable.find((part) => part.protocol !== "ws:")) || usable[0];
}

/**
 * The driver between a client and its transport parts: opens, sends and closes on `outgoing::…`, reports by `incoming::…`.
 *
 * A client has one connection at a time. What a dropped one still reports is not heard. Where a transport does not come through,
 * the next one is tried, in the order of the configuration; only when the last one fails has the connection failed. Whether a better
 * one works after all is tried later (`succession.js`).
 *
 * @import { TransportEvents, TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

import { carriageOf } from "./carriage.js";
import { forget, recall, remember } from "./memory.js";
import { Succession } from "./succession.js";

/** How long a transport may take to open while there are others to try. */
const PATIENCE_MS = 4_000;

/**
 * Connects a client to the first of its transports that works here.
 *
 * @param {Primus} primus
 */
export function driveTransports(primus) {
  /** @type {TransportEvents | null} The events of the connection that counts. */
  let current = null;
  /** @type {(message: any) => any} What the connection's transport can carry of a message. */
  let pack;

  const drop = () => {
    const gone = primus.connection;
    primus.timers.clear("patience");
    primus.connection = primus.socket = current = null;
    primus.transportName = "";
    succession.dropped();
    gone?.close();
  };

  /**
   * What a connection reports to.
   *
   * @param {TransportPart} part
   * @param {boolean} opened
   * @param {(() => void) | undefined} fallBack What is left to do when it does not open.
   */
  const follow = (part, opened, fallBack) => {
    const carriage = carriageOf(primus, part);
    /** @type {TransportEvents} */
    const events = {
      open: () => {
        if (current !== events) return;
        opened = true;
        primus.timers.clear("patience");
        primus.transportName = part.name;
        remember(primus, part);
        primus.emit("incoming::open");
        if (current === events) succession.opened();
      },
      message: (data) => {
        if (current !== events) return;
        try {
          data = carriage.unpack(data);
        } catch (error) {
          primus.emit("error", error);
          return;
        }
        primus.emit("incoming::data", data);
      },
      error: (error) => {
        if (current !== events) return;
        if (!opened) forget(primus, part);
        if (!opened && fallBack) fallBack();
        else primus.emit("incoming::error", error);
      },
      close: (info) => {
        if (current !== events) return;
        if (!opened) forget(primus, part);
        if (!opened && fallBack) return fallBack();
        drop();
        primus.emit("incoming::end", info);
      },
    };
    pack = carriage.pack;
    return (current = events);
  };

  /** @param {readonly TransportPart[]} parts Those that are left to try. */
  const attempt = ([part, ...others]) => {
    const last = others.length === 0;
    const fallBack = () => {
      drop();
      attempt(others);
    };
    const events = follow(part, false, last ? undefined : fallBack);
    if (!last) primus.timers.setTimeout("patience", () => events.error(new Error("It took too long to open")), PATIENCE_MS);
    try {
      const url = carriageOf(primus, part).address(String(primus.uri({ protocol: part.protocol ?? "http:", query: true })));
      const connection = part.open({ url, options: primus.options, last }, events);
      primus.connection = connection;
      primus.socket = connection.socket ?? connection;
    } catch (error) {
      // Later, as with every other failure: a caller of `open` has not had the time to listen.
      primus.timers.setTimeout("failure", () => events.error(error), 0);
    }
  };

  const succession = new Succession(
    primus,
    (name) => {
      const parts = usable(primus);
      return parts.slice(0, Math.max(0, parts.findIndex((part) => part.name === name)));
    },
    (part, connection) => {
      const [former, from] = [primus.connection, primus.transportName];
      const events = follow(part, true, undefined);
      primus.connection = connection;
      primus.socket = connection.socket ?? connection;
      primus.transportName = part.name;
      remember(primus, part);
      former?.retire?.();
      primus.flush();
      primus.emit("moved", part.name, from);
      return events;
    },
  );

  primus.on("outgoing::open", () => {
    drop();
    const parts = preferred(primus);
    if (parts.length) attempt(parts);
  });
  primus.on("outgoing::reconnect", () => void primus.emit("outgoing::open"));
  primus.on("outgoing::end", drop);
  primus.on("outgoing::data", (/** @type {any} */ message) => {
    try {
      primus.connection?.send(pack(message));
    } catch (error) {
      primus.emit("incoming::error", error);
    }
  });
}

/**
 * The transports that work here, in their order. WebSockets that are to be avoided are the last resort.
 *
 * @param {Primus} primus
 * @returns {TransportPart[]}
 */
export function usable(primus) {
  const parts = primus.transports.filter((part) => part.supported(primus.options));
  if (!primus.AVOID_WEBSOCKETS) return parts;
  return [...parts.filter(({ protocol }) => protocol !== "ws:"), ...parts.filter(({ protocol }) => protocol === "ws:")];
}

/**
 * The same, and first the one that worked the last time.
 *
 * @param {Primus} primus
 * @returns {TransportPart[]}
 */
function preferred(primus) {
  const parts = usable(primus);
  const worked = recall(primus);
  return [...parts.filter(({ name }) => name === worked), ...parts.filter(({ name }) => name !== worked)];
}

/**
 * The driver between a client and its transport parts: opens, sends and closes on `outgoing::…`, reports by `incoming::…`.
 *
 * A client has one connection at a time, that of the transport that comes through first (`race.js`). What a dropped one still
 * reports is not heard; only when the last one fails has the connection failed. Whether a better one works after all is tried later
 * (`succession.js`).
 *
 * @import { TransportConnection, TransportEvents, TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

import { carriageOf } from "./carriage.js";
import { forget, recall, remember } from "./memory.js";
import { Race } from "./race.js";
import { Succession } from "./succession.js";

/**
 * Connects a client to the first of its transports that works here.
 *
 * @param {Primus} primus
 */
export function driveTransports(primus) {
  /** @type {TransportEvents | null} The events of the connection that counts. */
  let current = null;
  /** @type {Race | null} */
  let race = null;
  /** @type {(message: any) => any} What the connection's transport can carry of a message. */
  let pack;

  /** @param {TransportConnection} connection */
  const show = (connection) => {
    primus.connection = connection;
    primus.socket = connection.socket ?? connection;
  };

  const drop = () => {
    const gone = current && primus.connection;
    race?.stop();
    primus.connection = primus.socket = race = current = null;
    primus.transportName = "";
    succession.dropped();
    gone?.close();
  };

  /**
   * Makes a connection the client's.
   *
   * @param {TransportPart} part
   * @param {TransportConnection} connection
   * @returns {TransportEvents} What it reports to.
   */
  const follow = (part, connection) => {
    const carriage = carriageOf(primus, part);
    /** @type {TransportEvents} */
    const events = {
      open: () => {
        if (current !== events) return;
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
        if (current === events) primus.emit("incoming::error", error);
      },
      close: (info) => {
        if (current !== events) return;
        drop();
        primus.emit("incoming::end", info);
      },
    };
    pack = carriage.pack;
    // A transport that could not even begin has none.
    if (connection) show(connection);
    return (current = events);
  };

  const succession = new Succession(
    primus,
    (name) => {
      const parts = usable(primus);
      return parts.slice(0, Math.max(0, parts.findIndex((part) => part.name === name)));
    },
    (part, connection) => {
      const from = primus.transportName;
      const events = follow(part, connection);
      primus.transportName = part.name;
      remember(primus, part);
      primus.flush();
      primus.emit("moved", part.name, from);
      return events;
    },
  );

  primus.on("outgoing::open", () => {
    drop();
    race = new Race(primus, preferred(primus), recall(primus), { opening: show, settled: follow, failed: (part) => forget(primus, part) });
    race.next();
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

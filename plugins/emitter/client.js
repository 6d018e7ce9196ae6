/**
 * Named events for the client, on the packets of primus-emitter.
 *
 *     primus.send("event", ...args)            an event; with a function as last argument, that one gets the acknowledgement
 *     primus.request("event", ...args)         an event whose acknowledgement is a promise
 *     primus.on("event", (...args, reply))     the server's events; `reply` is there if the server wants an acknowledgement
 *
 * An event is `{ type: 0, data: [name, ...args], id? }`, an acknowledgement `{ id, type: 1, data: [...], error? }`. Ids count
 * per client. Packets don't reach `data` listeners; what only looks like one does, and so do events with reserved names.
 *
 * Acknowledgements belong to a connection: those that a connection still owes when it breaks never come, and a late `reply` to
 * it goes nowhere. A request that was queued meanwhile is sent with the next connection and waits for that.
 *
 * Option: `emitter: { timeout }`, how long a request waits, in milliseconds (default 10000; `false`: for ever).
 */

const EVENT = 0;
const ACK = 1;

/**
 * @typedef {object} Pending An acknowledgement that is waited for.
 * @property {boolean} sent Whether its event went out on the current connection; else it is queued.
 * @property {(...data: any[]) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * @param {any} packet
 * @returns {boolean}
 */
function isPacket(packet) {
  return typeof packet === "object" && packet !== null && Array.isArray(packet.data) && (packet.id === undefined || typeof packet.id === "number");
}

/** @type {import("../../host/client/primus.d.ts").ExtensionPart} */
export default function emitter(primus, options) {
  const timeout = options.emitter?.timeout ?? 10_000;

  /** @type {Map<number, Pending>} */
  const pending = new Map();
  let lastId = 0;
  let connection = 0;

  /**
   * @param {any[]} data
   * @param {Pick<Pending, "resolve" | "reject">} [waiting]
   * @returns {number | undefined} The id of the acknowledgement.
   */
  const write = (data, waiting) => {
    if (!waiting) {
      primus.write({ type: EVENT, data });
      return undefined;
    }
    const id = (lastId += 1);
    pending.set(id, { ...waiting, sent: primus.connected() });
    primus.write({ type: EVENT, data, id });
    return id;
  };

  /**
   * @param {string} event
   * @param {...any} args
   */
  primus.send = (event, ...args) => {
    const ack = args[args.length - 1];
    if (typeof ack === "function") write([event, ...args.slice(0, -1)], { resolve: ack, reject: () => {} });
    else write([event, ...args]);
    return primus;
  };

  /**
   * @param {string} event
   * @param {...any} args
   * @returns {Promise<any>} The first value of the acknowledgement.
   */
  primus.request = (event, ...args) =>
    new Promise((resolve, reject) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const id = write([event, ...args], {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      if (timeout === false) return;
      timer = setTimeout(() => {
        pending.delete(/** @type {number} */ (id));
        reject(new Error(`The server did not acknowledge "${event}" within ${timeout} ms`));
      }, timeout);
    });

  /** @param {number} id */
  const replyTo = (id) => {
    const asked = connection;
    let done = false;
    /** @param {{ data: any[], error?: string }} answer */
    const answer = (answer) => {
      // The next connection counts ids of its own: this answer would be one to another question there.
      if (done || asked !== connection) return;
      done = true;
      primus.write({ id, type: ACK, ...answer });
    };
    const reply = (/** @type {any[]} */ ...data) => answer({ data });
    reply.error = (/** @type {any} */ error) => answer({ data: [], error: String(error?.message ?? error) });
    return reply;
  };

  /** @param {any} packet */
  const receiveEvent = ({ data: [event, ...args], id }) => {
    if (typeof event !== "string" || primus.reserved(event)) return false;
    if (id !== undefined) args.push(replyTo(id));
    primus.emit(event, ...args);
    return true;
  };

  /** @param {any} packet */
  const receiveAck = ({ id, data, error }) => {
    const waiting = pending.get(id);
    pending.delete(id);
    if (error === undefined) waiting?.resolve(...data);
    else if (waiting) waiting.reject(new Error(String(error)));
    return true;
  };

  primus.receivers.push((/** @type {any} */ packet) => {
    if (!isPacket(packet)) return false;
    if (packet.type === EVENT) return receiveEvent(packet);
    return packet.type === ACK && packet.id !== undefined && receiveAck(packet);
  });

  /**
   * @param {string} reason
   * @param {(waiting: Pending) => boolean} which
   */
  const rejectPending = (reason, which) => {
    for (const [id, waiting] of pending) {
      if (!which(waiting)) continue;
      pending.delete(id);
      waiting.reject(new Error(reason));
    }
  };

  primus.on("open", () => {
    for (const waiting of pending.values()) waiting.sent = true;
  });
  primus.on("close", () => {
    connection += 1;
    rejectPending("The connection closed before the server acknowledged", ({ sent }) => sent);
  });
  primus.on("destroy", () => rejectPending("The client was destroyed", () => true));
}

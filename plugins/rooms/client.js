/**
 * Rooms for the client: it asks the server to join and leave, and the server's plugin decides.
 *
 *     primus.join(room[, fn])       a promise for `undefined`; rejected with the server's reason
 *     primus.leave(room[, fn])
 *     primus.leaveAll([fn])
 *     primus.rooms([fn])            a promise for the names of the rooms that the server has this client in
 *
 * `fn(error, result)` may be used instead of the promise.
 *
 * A request is `{ "primus::rooms": { op, room?, id } }`, its answer `{ "primus::rooms": { id, ok, rooms? } }` or `{ …: { id,
 * error } }`. Like all of the protocol's own messages, both pass by the transformers and never reach `data` listeners.
 *
 * The server forgets a connection's rooms with the connection. So after a reconnect the client asks for its rooms again, and for
 * what was not answered, before any queued message goes out. A refused rejoin is an `error` event, and the room is given up.
 *
 * Option: `rooms: { timeout }`, how long an answer may take on an open connection, in milliseconds (default 10000).
 */

const key = "primus::rooms";

/** The server said no. */
class Refusal extends Error {}

/**
 * @typedef {object} Request
 * @property {{ op: "join" | "leave" | "leaveAll" | "rooms", room?: string, id: number }} message
 * @property {boolean} sent Whether it went out on a connection; else it is still queued.
 * @property {(error: Error | null, result?: any) => void} settle
 * @property {ReturnType<typeof setTimeout>} [timer]
 */

/** @type {import("../../host/client/primus.d.ts").ExtensionPart} */
export default function rooms(primus, options) {
  const timeout = options.rooms?.timeout ?? 10_000;

  /** @type {Set<string>} The rooms that this client asked to be in, and was not refused. */
  const joined = new Set();
  /** @type {Map<number, Request>} */
  const pending = new Map();
  let lastId = 0;

  /** @param {Request} request */
  const expectAnswer = (request) => {
    request.sent = true;
    clearTimeout(request.timer);
    request.timer = setTimeout(() => {
      finish(request, new Error(`The server did not answer "${request.message.op}" within ${timeout} ms`));
    }, timeout);
  };

  /**
   * @param {Request} request
   * @param {Error | null} error
   * @param {any} [result]
   */
  const finish = (request, error, result) => {
    clearTimeout(request.timer);
    pending.delete(request.message.id);
    request.settle(error, result);
  };

  /**
   * @param {Request["message"]["op"]} op
   * @param {string | undefined} room
   * @param {Request["settle"]} settle
   */
  const ask = (op, room, settle) => {
    const id = (lastId += 1);
    const message = room === undefined ? { op, id } : { op, room, id };
    /** @type {Request} */
    const request = { message, sent: false, settle };
    pending.set(id, request);
    if (primus.connected()) expectAnswer(request);
    primus._write({ [key]: message });
  };

  /**
   * @param {Request["message"]["op"]} op
   * @param {string | undefined} room
   * @param {Callback | undefined} fn
   * @param {() => void} [failed]
   * @returns {Promise<any>}
   *
   * @typedef {(error: Error | null, result?: any) => void} Callback
   */
  const call = (op, room, fn, failed) => {
    const answer = new Promise((resolve, reject) => {
      ask(op, room, (error, result) => {
        if (error) failed?.();
        fn?.(error, result);
        if (error) reject(error);
        else resolve(result);
      });
    });
    // Whoever gave a callback has been told; the promise then needs nobody to catch it.
    if (fn) answer.catch(() => {});
    return answer;
  };

  // What the application wants holds at once: a connection that breaks now must come back into the right rooms.
  primus.join = (/** @type {string} */ room, /** @type {Callback} */ fn) => {
    joined.add(String(room));
    return call("join", String(room), fn, () => joined.delete(String(room)));
  };
  primus.leave = (/** @type {string} */ room, /** @type {Callback} */ fn) => {
    joined.delete(String(room));
    return call("leave", String(room), fn);
  };
  primus.leaveAll = (/** @type {Callback} */ fn) => {
    joined.clear();
    return call("leaveAll", undefined, fn);
  };
  primus.rooms = (/** @type {Callback} */ fn) => call("rooms", undefined, fn);

  /** @param {string} room */
  const rejoin = (room) => {
    ask("join", room, (error) => {
      if (!(error instanceof Refusal)) return;
      joined.delete(room);
      primus.emit("error", new Error(`Could not return into the room ${room}: ${error.message}`, { cause: error }));
    });
  };

  primus.transform("incoming", (/** @type {{ data: any }} */ { data }) => {
    const answer = typeof data === "object" && data !== null ? data[key] : undefined;
    if (typeof answer !== "object" || answer === null) return true;
    const request = pending.get(answer.id);
    if (request) finish(request, answer.error === undefined ? null : new Refusal(String(answer.error)), answer.rooms);
    return false;
  });

  // The moment when messages can be sent, but the queue has not been.
  primus.on("readyStateChange", (/** @type {string} */ state) => {
    if (state !== "open") return;
    const requests = [...pending.values()];
    const asked = new Set(requests.map(({ message }) => message.op === "join" && message.room));
    for (const room of joined) if (!asked.has(room)) rejoin(room);
    for (const request of requests.filter(({ sent }) => sent)) {
      expectAnswer(request);
      primus._write({ [key]: request.message });
    }
  });
  primus.on("open", () => {
    for (const request of pending.values()) if (!request.sent) expectAnswer(request);
  });
  primus.on("close", () => {
    for (const request of pending.values()) clearTimeout(request.timer);
  });

  /** @param {string} reason */
  const giveUp = (reason) => {
    const queued = primus.buffer.filter((/** @type {any} */ message) => !pending.has(message?.[key]?.id));
    primus.buffer.splice(0, Infinity, ...queued);
    for (const request of [...pending.values()]) finish(request, new Error(reason));
  };
  primus.on("end", () => giveUp("The connection ended before the server answered"));
  primus.on("destroy", () => giveUp("The client was destroyed before the server answered"));
}

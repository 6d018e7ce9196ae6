/**
 * Opening a connection by the transport that comes through first. Each has a head start over the next one, and who is slow stays in
 * the race (as RFC 8305 has it for addresses): a network that swallows what it does not know, UDP or upgrades, costs a head start
 * and no timeout.
 *
 * Knows transports and their order. What becomes of an open connection is its owner's business.
 *
 * @import { TransportConnection, TransportEvents, TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

import { carriageOf } from "./carriage.js";

/**
 * By how much longer the one that worked the last time has for itself: it will again, and a session that is opened in vain costs the
 * server something.
 */
const TRUST = 4;

/**
 * Whose connection it is to be.
 *
 * @typedef {object} Owner
 * @property {(connection: TransportConnection) => void} opening One more is on its way.
 * @property {(part: TransportPart, connection: TransportConnection) => TransportEvents} settled It is this one, which has opened or,
 *   as the last one, failed; and gives what it reports to from now on.
 * @property {(part: TransportPart) => void} failed This one did not open.
 */

/**
 * A transport in the race.
 *
 * @typedef {object} Racer
 * @property {TransportConnection | null} connection
 */

export class Race {
  #primus;
  #owner;
  /** Those that have not begun. @type {TransportPart[]} */
  #waiting;
  #trusted;
  /** @type {Set<Racer>} */
  #running = new Set();
  /** Why the others have failed. @type {{ name: string, error: any }[]} */
  #failures = [];
  #over = false;

  /**
   * @param {Primus} primus
   * @param {TransportPart[]} parts The preferred first.
   * @param {string | undefined} trusted The one that worked the last time.
   * @param {Owner} owner
   */
  constructor(primus, parts, trusted, owner) {
    this.#primus = primus;
    this.#waiting = [...parts];
    this.#trusted = trusted;
    this.#owner = owner;
  }

  /** Lets the next one begin, and the one after it in a while. */
  next() {
    const part = this.#waiting.shift();
    if (this.#over || !part) return;
    const last = this.#waiting.length === 0;
    const headStartMs = this.#primus.options.headStart * (part.name === this.#trusted ? TRUST : 1);
    if (!last) this.#primus.timers.setTimeout("head-start", () => void (this.#mayBegin() && this.next()), headStartMs);
    this.#run(part, last);
  }

  /** Ends it; what is under way is closed. */
  stop() {
    this.#over = true;
    this.#primus.timers.clear("head-start");
    for (const { connection } of this.#running) connection?.close();
    this.#running.clear();
  }

  /** Whether the next one may begin beside others. A WebSocket that is to be avoided is for when all else has failed. */
  #mayBegin() {
    return !this.#primus.AVOID_WEBSOCKETS || this.#waiting[0]?.protocol !== "ws:" || this.#running.size === 0;
  }

  /**
   * @param {TransportPart} part
   * @param {boolean} last
   */
  #run(part, last) {
    const primus = this.#primus;
    /** @type {Racer} */
    const racer = { connection: null };
    /** @type {TransportEvents | null} What it reports to when the race is over for it. */
    let settled = null;
    const settle = () => {
      this.#running.delete(racer);
      this.stop();
      return (settled = this.#owner.settled(part, /** @type {TransportConnection} */ (racer.connection)));
    };
    /**
     * @param {any} error
     * @param {(events: TransportEvents) => void} report
     */
    const fail = (error, report) => {
      if (!this.#running.has(racer)) return;
      this.#owner.failed(part);
      this.#failures.push({ name: part.name, error });
      if (this.#running.size === 1 && !this.#waiting.length) return report(settle());
      this.#running.delete(racer);
      racer.connection?.close();
      if (this.#mayBegin()) this.next();
    };

    /** @type {TransportEvents} */
    const events = {
      open: () => {
        if (this.#running.has(racer)) settle().open();
      },
      message: (data) => settled?.message(data),
      error: (error) => (settled ? settled.error(error) : fail(error, (events) => events.error(this.#reason(error)))),
      close: (info) => (settled ? settled.close(info) : fail(info, (events) => events.close(info))),
    };
    this.#running.add(racer);
    try {
      const url = carriageOf(primus, part).address(String(primus.uri({ protocol: part.protocol ?? "http:", query: true })));
      racer.connection = part.open({ url, options: primus.options, last }, events);
      this.#owner.opening(racer.connection);
    } catch (error) {
      // Later, as with every other failure: a caller of `open` has not had the time to listen.
      primus.timers.setTimeout(`failure-${part.name}`, () => events.error(error), 0);
    }
  }

  /**
   * What is told when none is left: of several, why each did not open.
   *
   * @param {any} error That of the last one.
   * @returns {any}
   */
  #reason(error) {
    if (this.#failures.length < 2) return error;
    const reasons = this.#failures.map(({ name, error }) => `${name}: ${error?.message || error?.reason || "it was closed"}`);
    const failures = this.#failures.map(({ name, error }) => ({ transport: name, error }));
    return Object.assign(new Error(`No transport came through (${reasons.join("; ")})`, { cause: error }), { failures });
  }
}

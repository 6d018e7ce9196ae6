/**
 * Moving to a better transport while the connection goes on: in the background, and without a message being lost or coming twice.
 *
 * There is a ticket for a connection that can be left. A better transport opens with it (`_move`), and waits for its turn. Then the
 * old connection is held: what it has sent has arrived; what is written meanwhile is queued. The new one says `primus::move::WORD`,
 * with a word on what has been received; the server answers `primus::moved::`, and all that is left follows there. If anything fails
 * before that, the old connection is released and goes on, and another attempt follows later.
 *
 * Knows connections and their order. How one is left is told in `departure.js`.
 *
 * @import { TransportConnection, TransportEvents, TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

import { carriageOf } from "./carriage.js";
import { departureFrom } from "./departure.js";

/** When a better transport is first looked for, and by how much longer each further attempt waits. */
const FIRST_DELAY_MS = 1_000;
const FACTOR = 8;
const LONGEST_DELAY_MS = 10 * 60 * 1000;

/** How long a move may take. */
const PATIENCE_MS = 15_000;

const MOVED = "primus::moved::";

export class Succession {
  #primus;
  #betterThan;
  #adopt;
  #delayMs = FIRST_DELAY_MS;
  /** Ends the attempt that is under way. */
  #abandon = () => {};

  /**
   * @param {Primus} primus
   * @param {(name: string) => TransportPart[]} betterThan The transports that are preferred to the one of that name.
   * @param {(part: TransportPart, connection: TransportConnection) => TransportEvents} adopt Makes a connection the client's, and
   *   gives what it is to report to.
   */
  constructor(primus, betterThan, adopt) {
    this.#primus = primus;
    this.#betterThan = betterThan;
    this.#adopt = adopt;
  }

  /** The connection has opened: looks for a better transport in a while, if there may be one. */
  opened() {
    this.#delayMs = FIRST_DELAY_MS;
    this.#schedule();
  }

  /** The connection is gone. */
  dropped() {
    this.#primus.timers.clear("succession");
    this.#abandon();
  }

  #candidates() {
    const { options, connection, transportName, transports } = this.#primus;
    const isStream = transports.some(({ name, stream }) => name === transportName && stream);
    if (options.upgrade === false || !connection || !(connection.ticket || isStream)) return [];
    return this.#betterThan(transportName).filter(({ succeeds }) => succeeds !== false);
  }

  #schedule() {
    if (!this.#candidates().length) return;
    // Not all at once, after a restart of the server.
    const delayMs = this.#delayMs * (1 + Math.random());
    this.#delayMs = Math.min(this.#delayMs * FACTOR, LONGEST_DELAY_MS);
    this.#primus.timers.setTimeout("succession", () => this.#try(this.#candidates()), delayMs);
  }

  /** @param {TransportPart[]} parts Those that are left to try. */
  #try([part, ...others]) {
    const primus = this.#primus;
    const former = primus.connection;
    if (!part || !former) return this.#schedule();

    const departure = departureFrom(primus, former);
    /** @type {TransportConnection | null} */
    let connection = null;
    /** @type {TransportEvents | null} What the connection reports to once it is the client's. */
    let adopted = null;
    /** What comes by the new connection before all has come by the old one. @type {any[]} */
    const early = [];
    let held = false;
    let over = false;

    const finish = () => {
      over = true;
      this.#abandon = () => {};
      primus.timers.clear("succession-patience");
    };
    const abandon = () => {
      if (over) return;
      finish();
      connection?.close();
      departure.release();
      if (held && primus.connection === former) primus.flush();
    };
    const fail = () => {
      if (over) return;
      abandon();
      if (primus.connection === former) this.#try(others);
    };
    this.#abandon = abandon;
    primus.timers.setTimeout("succession-patience", fail, PATIENCE_MS);
    const carriage = carriageOf(primus, part);

    const adopt = () => {
      if (over || !connection) return;
      finish();
      departure.retire();
      const events = (adopted = this.#adopt(part, connection));
      for (const data of early) events.message(data);
    };
    const hold = async () => {
      held = true;
      departure.ended?.(adopt);
      const word = await departure.hold();
      if (over) return;
      primus.encoder(`primus::move::${word}`, (error, packet) => {
        if (error) fail();
        else connection?.send(carriage.pack(packet));
      });
    };
    /** @param {any} data */
    const answered = (data) => {
      if (departure.ended) return void early.push(data);
      primus.decoder(carriage.unpack(data), (error, message) => {
        if (error || message !== MOVED) fail();
        else adopt();
      });
    };

    /** @type {TransportEvents} */
    const events = {
      open: () => void (over || hold().catch(fail)),
      message: (data) => {
        if (adopted) adopted.message(data);
        else if (!over) answered(data);
      },
      error: (error) => (adopted ? adopted.error(error) : fail()),
      close: (info) => (adopted ? adopted.close(info) : fail()),
    };
    const open = (/** @type {string} */ ticket) => {
      if (over) return;
      const url = carriage.address(String(primus.uri({ protocol: part.protocol ?? "http:", query: true })));
      connection = part.open({ url: `${url}&_move=${encodeURIComponent(ticket)}`, options: primus.options, last: true }, events);
    };
    departure.ticket().then(open).catch(fail);
  }
}

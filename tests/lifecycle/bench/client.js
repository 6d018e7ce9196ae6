/**
 * @file A client that counts: it sends numbers in each of its streams, some at once and the next when those are answered, and
 * keeps account of what comes back.
 *
 * What it can't judge by itself (whether an error was promised, whether a number was refused to another member of its room) it
 * tells in its record.
 */

import { Account } from './account.js';
import { connect, goesWith, needs } from './carriers.js';

/** Numbers of a stream that are under way at once, and milliseconds between looks at whether there is room for more. */
const WINDOW = 4;
const PACE_MS = 8;

/** Answers that took less aren't worth a line. */
const SLOW_MS = 10;

/** Milliseconds since 1970, in parts: comparable between processes. */
export const now = () => performance.timeOrigin + performance.now();

/** @typedef {'echo' | 'room' | 'event'} Stream */

export class Client {
  /** What was sent last in each stream. @type {Record<string, number>} */
  sent = {};
  /** What was answered in each stream; `acknowledged` and `room of NAME` are accounts of their own. @type {Record<string, Account>} */
  accounts = {};
  /** Errors in the place of an answer. @type {{ from: number, to: number, needs: string[], what: string }[]} */
  refusals = [];
  /** What a plugin has forgotten of before. @type {{ at: number, what: string, needs: string[] }[]} */
  forgotten = [];
  /** Connections that ended without being asked to. @type {{ from: number, to: number, needs: string[], what: string }[]} */
  drops = [];
  /** What nothing excuses. @type {string[]} */
  faults = [];
  openings = 0;
  /** Answers that were waited for long. @type {{ from: number, to: number }[]} */
  pauses = [];
  #sentAt = {};
  /** The first number of each stream since it was opened. @type {Record<string, number>} */
  #begunAt = {};
  #connection;
  #attempt;
  #pace;
  #state = 'closed';

  /**
   * @param {object} how
   * @param {string} how.name
   * @param {keyof typeof needs} how.carrier
   * @param {Stream[]} how.streams
   * @param {string} [how.parser]
   * @param {string} [how.room]
   * @param {string[]} [how.members] The names in its room.
   * @param {number} port
   * @param {(generation: number) => void} served Is told of each answer's generation of the ledger.
   */
  constructor(how, port, served) {
    this.how = how;
    this.port = port;
    this.served = served;
    for (const stream of how.streams) {
      this.sent[stream] = 0;
      this.accounts[stream] = new Account();
      this.#sentAt[stream] = [];
    }
    if (how.streams.includes('event')) this.accounts.acknowledged = new Account();
    for (const member of how.members ?? []) if (member !== how.name) this.accounts[`room of ${member}`] = new Account();
  }

  /** Connects until it is open, and resolves then. A refusal is noted and tried again. */
  async open() {
    for (;;) {
      const from = now();
      const why = await new Promise((resolve) => this.#connect(resolve));
      if (why === undefined) {
        this.openings += 1;
        return;
      }
      const parser = this.how.parser ?? 'json';
      this.refusals.push({ from, to: now(), needs: [...needs[this.how.carrier], parser], what: `${this.how.carrier}: ${why}` });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Begins to send. */
  go() {
    this.#state = 'sending';
    for (const stream of this.how.streams) this.#begunAt[stream] = this.sent[stream] + 1;
    const fill = () => this.how.streams.forEach((stream) => this.#fill(stream));
    this.#pace = setInterval(fill, PACE_MS);
    fill();
  }

  /** Sends no more. */
  pause() {
    clearInterval(this.#pace);
    if (this.#state === 'sending') this.#state = 'pausing';
  }

  /** Whether all that it sent is answered. */
  get isSettled() {
    return this.how.streams.every((stream) => this.#outstanding(stream) === 0);
  }

  /** Closes the connection, as a client does that leaves. */
  close() {
    this.#state = 'closed';
    this.#connection?.close();
  }

  #connect(resolve) {
    const { name, carrier, parser, room } = this.how;
    const query = { name, ...(room ? { room } : {}), ...(parser ? { _parser: parser } : {}) };
    this.#state = 'opening';
    // A connection that was left tells of its end later: it says nothing about the next one.
    const attempt = {};
    this.#attempt = attempt;
    this.#connection = connect(carrier, this.port, query, {
      opened: () => {
        this.#state = 'open';
        resolve(undefined);
      },
      received: (value) => this.#received(value),
      closed: (why) => {
        if (this.#attempt !== attempt || this.#state === 'closed') return;
        if (this.#state === 'opening') return resolve(why);
        this.#dropped(why);
      },
    });
  }

  /** What was under way is answered by the end of the connection. It comes again, if it was not about to leave. */
  async #dropped(why) {
    const { name, carrier, streams } = this.how;
    const again = this.#state === 'sending';
    this.pause();
    this.#state = 'closed';
    this.drops.push({ from: now(), to: now(), needs: goesWith[carrier] ?? [], what: `${name}, over ${carrier}: ${why}` });
    for (const stream of streams) {
      for (const account of stream === 'event' ? [this.accounts.event, this.accounts.acknowledged] : [this.accounts[stream]]) {
        for (let number = 1; number <= WINDOW; number += 1) {
          const owed = this.sent[stream] - WINDOW + number;
          if (owed > 0 && !account.has(owed)) account.refuse(owed);
        }
      }
    }
    if (!again) return;
    await this.open();
    this.go();
  }

  #fill(stream) {
    while (this.#state === 'sending' && this.#outstanding(stream) < WINDOW) {
      const number = (this.sent[stream] += 1);
      this.#sentAt[stream][number % WINDOW] = now();
      this.#connection.send(this.#message(stream, number));
    }
  }

  #outstanding(stream) {
    const answered = this.accounts[stream].settled;
    return this.sent[stream] - (stream === 'event' ? Math.min(answered, this.accounts.acknowledged.settled) : answered);
  }

  #message(stream, number) {
    if (stream === 'event') return { type: 0, data: ['tally', number], id: number };
    return stream === 'room' ? ['room', number, this.how.members.length] : ['echo', number];
  }

  #received(value) {
    if (!Array.isArray(value)) return this.#packet(value);
    const [what, ...rest] = value;
    if (what === 'echo') {
      this.served(rest[1]);
      this.#answered('echo', rest[0]);
    } else if (what === 'room' && rest[0] !== this.how.name) {
      this.accounts[`room of ${rest[0]}`].put(rest[1]);
    } else if (what === 'room') {
      this.#answered('room', rest[1]);
    } else if (what === 'refused') {
      this.#refused(rest[0], rest[1], [rest[0] === 'room' ? 'rooms' : 'emitter', 'ledger'], rest[2]);
    } else if (what === 'unserved' && Array.isArray(rest[0])) {
      this.#refused(rest[0][0], rest[0][1], ['ledger'], 'unserved');
    } else if (what === 'unserved' && rest[0]?.data) {
      this.#refused('event', rest[0].data[1], ['ledger'], 'unserved');
    } else if (what === 'first') {
      if (rest[1] > this.#begunAt[rest[0]]) this.#forgot(`numbers of ${rest[0]} of ${this.how.name}`, 'ledger');
    } else if (what === 'gathered') {
      this.#forgot(`members of ${rest[0]}`, 'rooms');
    } else {
      this.faults.push(`${this.how.name} got ${JSON.stringify(value)}`);
    }
  }

  #forgot(what, plugin) {
    this.forgotten.push({ at: now(), what, needs: [plugin] });
  }

  #packet(packet) {
    if (packet?.type === 0 && packet.data?.[0] === 'tallied') {
      this.#answered('event', packet.data[1]);
    } else if (packet?.type === 1 && packet.error !== undefined) {
      this.#refused('event', packet.id, ['emitter', 'ledger'], packet.error);
    } else if (packet?.type === 1) {
      this.accounts.acknowledged.put(packet.data[0]);
    } else {
      this.faults.push(`${this.how.name} got ${JSON.stringify(packet)}`);
    }
  }

  #answered(stream, number) {
    this.accounts[stream].put(number);
    const from = this.#sentAt[stream][number % WINDOW];
    const to = now();
    if (to - from > SLOW_MS) this.pauses.push({ from, to });
  }

  #refused(stream, number, needs, what) {
    this.refusals.push({ from: this.#sentAt[stream][number % WINDOW], to: now(), needs, what: `${stream} ${number}: ${what}` });
    this.accounts[stream].refuse(number);
    if (stream === 'event') this.accounts.acknowledged.refuse(number);
  }
}

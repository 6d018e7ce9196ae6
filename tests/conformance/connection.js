/**
 * @file One connection of some Primus client, with what it received.
 *
 * Runs in Node and in pages. Knows what every Primus client has; knows neither which one it is nor what carries it.
 */

import { Inbox, next, within, DEADLINE } from './waiting.js';

export class Connection {
  inbox = new Inbox();
  /** What it complained of. @type {any[]} */
  errors = [];

  /** @param {any} primus An instance of some client's constructor. */
  constructor(primus) {
    this.primus = primus;
    primus.on('data', (data) => this.inbox.put(copied(data)));
    primus.on('error', (error) => this.errors.push(error));
  }

  /** Writes and takes the next message. */
  async ask(value) {
    this.primus.write(value);
    return this.inbox.take();
  }

  /** The id that the server knows this connection by. */
  id() {
    return within(DEADLINE, 'the id', (resolve) => this.primus.id(resolve));
  }

  /** The next time that `event` is emitted. */
  event(event) {
    return next(this.primus, event);
  }

  /** Ends it. Safe to call twice. */
  end() {
    this.primus.end();
  }
}

/** A value from another realm (`vm`) has other prototypes: the copy is of this one. What primus-emitter adds for replies is left out. */
function copied(value) {
  if (typeof value === 'function') return null;
  if (Array.isArray(value)) return Array.from(value, copied);
  if (Object.prototype.toString.call(value) !== '[object Object]') return structuredClone(value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copied(inner)]));
}

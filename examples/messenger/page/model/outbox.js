// Messages that have been written and not yet acknowledged, oldest first.
//
// A message leaves the outbox only when the server has named it: by an acknowledgement, by its broadcast, or in a room's history. Its id is made
// here, once, and the server recognises it: to send a message again after a lost connection is always safe.

/** @import { Session } from "./session.js" */

/** @typedef {{ id: string, room: string, text: string, at: number }} Pending */

export class Outbox {
  #session;

  /** @type {Map<string, Pending>} */
  #pending;

  /** @type {Set<string>} ids that were sent on this connection and wait for their answer */
  #sent = new Set();

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    this.#pending = new Map(session.pending.map((message) => [message.id, message]));
  }

  /** @param {Pending} message */
  add(message) {
    this.#pending.set(message.id, message);
    this.#save();
  }

  /**
   * The server has the message, or has refused it, or its writer gave it up.
   *
   * @param {string} id
   */
  remove(id) {
    this.#sent.delete(id);
    if (this.#pending.delete(id)) this.#save();
  }

  /** @param {string} room */
  of(room) {
    return [...this.#pending.values()].filter((message) => message.room === room);
  }

  /**
   * Takes what has still to be sent to a room, in the order in which it was written.
   *
   * @param {string} room
   */
  take(room) {
    const messages = this.of(room).filter((message) => !this.#sent.has(message.id));
    for (const message of messages) this.#sent.add(message.id);
    return messages;
  }

  /** The connection was lost: what was sent on it may or may not have arrived. */
  rewind() {
    this.#sent.clear();
  }

  #save() {
    this.#session.pending = [...this.#pending.values()];
  }
}

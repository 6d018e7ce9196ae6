// What one tab of the browser remembers: who its user is, the rooms, and the messages that have not been sent.
//
// A reload finds all of it again. A second tab starts empty, so it may be somebody else; only the name is offered to it.

/** @import { Pending } from "./outbox.js" */

const TAB = "switchboard.tab";
const LAST_NAME = "switchboard.name";

/** @typedef {{ name: string, key: string, rooms: string[], pending: Pending[] }} Remembered */

export class Session {
  /** @type {Remembered} */
  #remembered;

  constructor() {
    const kept = read(sessionStorage, TAB);
    this.#remembered = { name: "", key: randomId(), rooms: [], pending: [], ...kept };
  }

  /** The name that this tab entered with, or nothing. */
  get name() {
    return this.#remembered.name;
  }

  set name(name) {
    this.#remember({ name });
    write(localStorage, LAST_NAME, name);
  }

  /** A secret that proves to the server, after a reconnect, that the name is ours. */
  get key() {
    return this.#remembered.key;
  }

  get rooms() {
    return this.#remembered.rooms;
  }

  set rooms(rooms) {
    this.#remember({ rooms });
  }

  get pending() {
    return this.#remembered.pending;
  }

  set pending(pending) {
    this.#remember({ pending });
  }

  /** The name that was last used in this browser: a suggestion. */
  get lastName() {
    const name = read(localStorage, LAST_NAME);
    return typeof name === "string" ? name : "";
  }

  /** Forgets this tab's user. */
  clear() {
    this.#remember({ name: "", key: randomId(), rooms: [], pending: [] });
  }

  /** @param {Partial<Remembered>} change */
  #remember(change) {
    Object.assign(this.#remembered, change);
    write(sessionStorage, TAB, this.#remembered);
  }
}

/** 128 random bits. `crypto.randomUUID` exists on secure origins only; a phone in the same network has none. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {Storage} storage
 * @param {string} key
 * @returns {any}
 */
function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {Storage} storage
 * @param {string} key
 * @param {unknown} value
 */
function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the page works on, it only forgets at the next reload.
  }
}

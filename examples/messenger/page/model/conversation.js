// One room as this reader knows it: its messages in order, who is in it, who is typing, and what has not been read.
//
// Knows nothing of the connection: what arrives is handed in.

/**
 * @typedef {object} Message
 * @property {string} id made by its writer; unique in the room
 * @property {string} author
 * @property {string} text
 * @property {number} at milliseconds since 1970, by the server's clock once it is sent
 * @property {"pending" | "sent" | "failed"} state
 * @property {string} [reason] why it failed
 */

/** What a page keeps of a room. Older messages go first. */
const MAX_MESSAGES = 500;

/** A typist who says nothing for so long has stopped, even if the word of it was lost. The server's own limit is shorter. */
const TYPING_EXPIRES_MS = 8_000;

export class Conversation {
  /** @type {Message[]} pending and failed ones are last */
  messages = [];

  /** @type {string[]} in alphabetical order */
  members = [];

  /** Up to which of the server's revisions `members` counts, and the later ones by name: news may come out of order. */
  #revision = 0;
  /** @type {Map<string, number>} */
  #revisions = new Map();

  /** @type {Map<string, ReturnType<typeof setTimeout>>} */
  #typing = new Map();

  #onTypingExpired;

  /** Whether the server has let us in on this connection. */
  joined = false;

  unread = 0;

  /** @type {string | null} the message before which the reader last stopped reading */
  firstUnread = null;

  /** What the reader had begun to write. */
  draft = "";

  /**
   * @param {string} room
   * @param {() => void} onTypingExpired
   */
  constructor(room, onTypingExpired) {
    this.room = room;
    this.#onTypingExpired = onTypingExpired;
  }

  get typists() {
    return [...this.#typing.keys()];
  }

  /** @param {string} id */
  find(id) {
    return this.messages.find((message) => message.id === id);
  }

  /**
   * Adds a message, or learns the fate of one that is here already.
   *
   * @param {Message} message
   * @returns {boolean} whether it is new here
   */
  put(message) {
    const known = this.find(message.id);
    if (known) Object.assign(known, message, { reason: message.reason });
    else this.messages.push(message);
    this.#order();
    return !known;
  }

  /** @param {string} id */
  drop(id) {
    this.messages = this.messages.filter((message) => message.id !== id);
  }

  /**
   * Joins the server's history with what is known. What the server has forgotten (it was restarted) stays; but when its history begins after a gap,
   * the messages before the gap go, since a conversation with a hole in it misleads.
   *
   * @param {Omit<Message, "state">[]} history
   * @param {boolean} isComplete whether the history reaches back to the room's beginning
   * @returns {string[]} the ids of the messages that are new here
   */
  merge(history, isComplete) {
    const overlaps = history.some((message) => this.find(message.id)?.state === "sent");
    if (!isComplete && !overlaps) this.messages = this.messages.filter((message) => message.state !== "sent");
    return history.filter((message) => this.put({ ...message, state: "sent" })).map((message) => message.id);
  }

  /**
   * Takes the whole list, as the server gives it on joining.
   *
   * @param {string[]} members
   * @param {number} revision
   */
  setMembers(members, revision) {
    this.members = [...members].sort(compareNames);
    this.#revision = revision;
    this.#revisions.clear();
  }

  /**
   * Somebody came or went.
   *
   * @param {string} name
   * @param {boolean} isPresent
   * @param {number} revision
   */
  setPresent(name, isPresent, revision) {
    if (revision <= (this.#revisions.get(name) ?? this.#revision)) return;
    this.#revisions.set(name, revision);
    const others = this.members.filter((member) => member !== name);
    this.members = isPresent ? [...others, name].sort(compareNames) : others;
    if (!isPresent) this.setTyping(name, false);
  }

  /**
   * @param {string} name
   * @param {boolean} isTyping
   */
  setTyping(name, isTyping) {
    clearTimeout(this.#typing.get(name));
    this.#typing.delete(name);
    if (!isTyping) return;
    const expiry = setTimeout(() => {
      this.#typing.delete(name);
      this.#onTypingExpired();
    }, TYPING_EXPIRES_MS);
    this.#typing.set(name, expiry);
  }

  /** The connection was lost: nothing is known of the others until it is back. */
  lost() {
    this.joined = false;
    for (const name of this.typists) this.setTyping(name, false);
  }

  #order() {
    const rank = (/** @type {Message} */ message) => (message.state === "sent" ? 0 : 1);
    this.messages.sort((a, b) => rank(a) - rank(b) || a.at - b.at);
    if (this.messages.length > MAX_MESSAGES) this.messages.splice(0, this.messages.length - MAX_MESSAGES);
  }
}

const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/**
 * @param {string} a
 * @param {string} b
 */
export function compareNames(a, b) {
  return collator.compare(a, b);
}

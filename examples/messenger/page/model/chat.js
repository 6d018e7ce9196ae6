// The chat as this reader knows it: who they are, their rooms, all rooms there are, and the way of a message to the server.
//
// Speaks the protocol of the messenger plugin (described in the plugin's source). Survives a lost connection: on each new one it enters again, joins
// its rooms again, and sends what is in the outbox.

import { Conversation } from "./conversation.js";
import { Connection, Refusal } from "./connection.js";
import { Directory } from "./directory.js";
import { Outbox } from "./outbox.js";
import { randomId, Session } from "./session.js";

/** @import { Message } from "./conversation.js" */

/** @typedef {{ name: number, room: number, text: number }} Limits lengths in characters */

/**
 * Emits `entered`, `refused` (detail: the error) and `left` for the person; `rooms` when a list of rooms or a count changed; `current` when another
 * room is open; `messages`, `members` and `typing` (detail: the room) for a room.
 */
export class Chat extends EventTarget {
  /** The reader's name while they are in. */
  name = "";

  /** @type {Limits} */
  limits = { name: 24, room: 32, text: 2000 };

  /** @type {Map<string, Conversation>} the reader's rooms */
  conversations = new Map();

  /** Every room there is. */
  directory = new Directory();

  /** @type {string | null} the room that is open */
  current = null;

  /** Whether the open room is being read: it is visible and scrolled to its end. */
  isReading = false;

  #connection;
  #session;
  #outbox;

  /**
   * @param {Connection} connection
   * @param {Session} session
   */
  constructor(connection, session) {
    super();
    this.#connection = connection;
    this.#session = session;
    this.#outbox = new Outbox(session);

    connection.addEventListener("open", () => this.#resume());
    connection.addEventListener("lost", () => this.#lost());
    connection.on("message", (message) => this.#receive(message));
    connection.on("members", (change) => this.#membersChanged(change));
    connection.on("typing", (change) => this.#typingChanged(change));
    connection.on("rooms", (change) => this.#roomsChanged(change));
  }

  /**
   * Enters under a name, now or as soon as there is a connection.
   *
   * @param {string} name
   */
  enter(name) {
    this.#session.name = name;
    if (this.#connection.state === "open") this.#resume();
  }

  /** Leaves for good: the next one at this page may be somebody else. */
  leave() {
    this.#session.clear();
    this.#connection.close();
    location.replace(location.pathname);
  }

  /** @returns {Conversation | undefined} */
  get conversation() {
    return this.current === null ? undefined : this.conversations.get(this.current);
  }

  get unread() {
    return [...this.conversations.values()].reduce((sum, conversation) => sum + conversation.unread, 0);
  }

  /**
   * Joins a room (it need not exist yet) and opens it.
   *
   * @param {string} name as the reader wrote it
   * @throws {Refusal} when the server will not have that room
   */
  async join(name) {
    const known = this.conversations.get(name);
    if (known) return this.open(name);
    const answer = await this.#connection.ask("join", { room: name });
    this.#joined(answer);
    this.open(answer.room);
  }

  /**
   * Opens one of the reader's rooms.
   *
   * @param {string | null} room
   */
  open(room) {
    if (room === this.current) return;
    const before = this.conversation;
    if (before) before.firstUnread = null;
    this.current = room;
    this.#emit("current");
    this.#emit("rooms");
  }

  /** @param {string} room */
  part(room) {
    const conversation = this.conversations.get(room);
    if (!conversation) return;
    conversation.lost();
    this.conversations.delete(room);
    for (const message of this.#outbox.of(room)) this.#outbox.remove(message.id);
    this.#connection.tell("leave", { room });
    this.#saveRooms();
    if (this.current === room) this.open(null);
    else this.#emit("rooms");
  }

  /**
   * Sends a message to the open room: at once, or when the connection is back.
   *
   * @param {string} text
   */
  send(text) {
    const conversation = this.conversation;
    if (!conversation) return;
    const message = { id: randomId(), room: conversation.room, text, at: Date.now() };
    this.#outbox.add(message);
    conversation.put({ id: message.id, author: this.name, text, at: message.at, state: "pending" });
    conversation.firstUnread = null;
    this.#emit("messages", conversation.room);
    this.#flush(conversation);
  }

  /**
   * Sends a refused message once more.
   *
   * @param {string} id
   */
  sendAgain(id) {
    const conversation = this.conversation;
    const message = conversation?.find(id);
    if (!conversation || message?.state !== "failed") return;
    conversation.put({ ...message, state: "pending", reason: undefined });
    this.#outbox.add({ id, room: conversation.room, text: message.text, at: message.at });
    this.#emit("messages", conversation.room);
    this.#flush(conversation);
  }

  /**
   * Gives a refused message up.
   *
   * @param {string} id
   */
  discard(id) {
    const conversation = this.conversation;
    if (!conversation || conversation.find(id)?.state !== "failed") return;
    conversation.drop(id);
    this.#emit("messages", conversation.room);
  }

  /** @param {boolean} isTyping */
  tellTyping(isTyping) {
    if (this.conversation?.joined) this.#connection.tell("typing", { room: this.current, typing: isTyping });
  }

  /** @param {boolean} isReading */
  setReading(isReading) {
    this.isReading = isReading;
    const conversation = this.conversation;
    if (!isReading || !conversation || conversation.unread === 0) return;
    conversation.unread = 0;
    this.#emit("rooms");
  }

  /** On each new connection: enter, join the rooms, send what waits. */
  async #resume() {
    if (!this.#session.name) return;
    try {
      const answer = await this.#connection.ask("enter", { name: this.#session.name, key: this.#session.key });
      const isFirst = !this.name;
      this.name = this.#session.name = answer.name;
      this.limits = answer.limits;
      this.directory = new Directory(answer.rooms);
      if (isFirst && this.#session.rooms.length === 0) this.#session.rooms = [answer.home];
      for (const room of this.#session.rooms) this.#conversation(room);
      this.#emit("entered");
      this.#emit("rooms");
      for (const room of this.#session.rooms) this.#rejoin(room);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** @param {string} room */
  async #rejoin(room) {
    try {
      this.#joined(await this.#connection.ask("join", { room }));
    } catch (error) {
      if (error instanceof Refusal) this.part(room);
      // Unanswered: the next connection tries again.
    }
  }

  /** @param {any} answer the server's answer to `join` */
  #joined({ room, history, complete, members, revision }) {
    const conversation = this.#conversation(room);
    const isReturn = conversation.messages.some((message) => message.state === "sent");
    conversation.joined = true;
    conversation.setMembers(members, revision);
    const added = conversation.merge(history, complete);
    for (const { id } of history) this.#outbox.remove(id);
    this.#saveRooms();
    // What was said while we were away is unread; what was said before we first came isn't.
    if (isReturn) this.#countUnread(conversation, added.filter((id) => conversation.find(id)?.author !== this.name));
    this.#emit("messages", room);
    this.#emit("members", room);
    this.#emit("rooms");
    this.#flush(conversation);
  }

  /** @param {Conversation} conversation */
  #flush(conversation) {
    if (!conversation.joined) return;
    for (const message of this.#outbox.take(conversation.room)) this.#deliver(conversation, message);
  }

  /**
   * @param {Conversation} conversation
   * @param {import("./outbox.js").Pending} message
   */
  async #deliver(conversation, { id, room, text, at }) {
    const fate = { id, author: this.name, text };
    try {
      const answer = await this.#connection.ask("message", { room, id, text });
      conversation.put({ ...fate, at: answer.at, state: "sent" });
    } catch (error) {
      // Unanswered: it stays in the outbox, and the next connection sends it again.
      if (!(error instanceof Refusal)) return;
      conversation.put({ ...fate, at, state: "failed", reason: error.message });
    }
    this.#outbox.remove(id);
    this.#emit("messages", room);
  }

  /** @param {any} message the server's event */
  #receive({ room, id, author, text, at }) {
    const conversation = this.conversations.get(room);
    if (!conversation) return;
    this.#outbox.remove(id);
    conversation.setTyping(author, false);
    const isNew = conversation.put({ id, author, text, at, state: "sent" });
    if (isNew && author !== this.name) this.#countUnread(conversation, [id]);
    this.#emit("messages", room);
    this.#emit("typing", room);
  }

  /** @param {any} change the server's event */
  #membersChanged({ room, name, present, revision }) {
    this.conversations.get(room)?.setPresent(name, present, revision);
    this.#emit("members", room);
    this.#emit("typing", room);
  }

  /** @param {any} change the server's event */
  #typingChanged({ room, name, typing }) {
    if (name === this.name) return;
    this.conversations.get(room)?.setTyping(name, typing);
    this.#emit("typing", room);
  }

  /** @param {any} change the server's event */
  #roomsChanged(change) {
    this.directory.update(change);
    this.#emit("rooms");
  }

  /**
   * @param {Conversation} conversation
   * @param {string[]} ids of others' new messages
   */
  #countUnread(conversation, ids) {
    if (ids.length === 0) return;
    if (conversation.room === this.current && this.isReading) return;
    if (conversation.unread === 0) conversation.firstUnread = ids[0];
    conversation.unread += ids.length;
    this.#emit("rooms");
  }

  #lost() {
    this.#outbox.rewind();
    for (const conversation of this.conversations.values()) {
      conversation.lost();
      this.#emit("typing", conversation.room);
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    // Without an answer nothing was refused: the next connection asks again.
    if (!(error instanceof Refusal)) return;
    this.#session.name = "";
    this.dispatchEvent(new CustomEvent("refused", { detail: error }));
  }

  /** @param {string} room */
  #conversation(room) {
    const known = this.conversations.get(room);
    if (known) return known;
    const conversation = new Conversation(room, () => this.#emit("typing", room));
    for (const { id, text, at } of this.#outbox.of(room)) conversation.put({ id, author: this.name, text, at, state: "pending" });
    this.conversations.set(room, conversation);
    return conversation;
  }

  #saveRooms() {
    this.#session.rooms = [...this.conversations.keys()];
  }

  /**
   * @param {string} event
   * @param {string} [room]
   */
  #emit(event, room) {
    this.dispatchEvent(new CustomEvent(event, { detail: room }));
  }
}

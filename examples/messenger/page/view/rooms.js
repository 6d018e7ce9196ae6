// The list of rooms: the reader's own with a lamp for what is unread, then the others, then a way to open a new one.

import { Chat } from "../model/chat.js";
import { Refusal } from "../model/connection.js";
import { compareNames } from "../model/conversation.js";
import { arrange, build, byId } from "./elements.js";
import { tint } from "./tint.js";

/** @param {Chat} chat */
export function showRooms(chat) {
  const joinedList = byId("joined-rooms", HTMLElement);
  const otherList = byId("other-rooms", HTMLElement);
  const form = byId("new-room", HTMLFormElement);
  const input = byId("new-room-name", HTMLInputElement);
  const error = byId("new-room-error", HTMLElement);
  /** @type {Map<string, RoomItem>} */
  const items = new Map();

  /** @param {string} room */
  async function join(room) {
    error.textContent = "";
    try {
      await chat.join(room);
      return true;
    } catch (cause) {
      error.textContent = cause instanceof Refusal ? cause.message : "There is no connection. Please try again in a moment.";
      return false;
    }
  }

  /** @param {string} room */
  function item(room) {
    const known = items.get(room);
    if (known) return known;
    const made = new RoomItem(room, () => join(room));
    items.set(room, made);
    return made;
  }

  function show() {
    const joined = [...chat.conversations.keys()].sort(compareNames);
    const others = chat.directory.rooms.filter((room) => !chat.conversations.has(room)).sort(compareNames);
    arrange(joinedList, joined.map((room) => item(room).show(chat)));
    arrange(otherList, others.map((room) => item(room).show(chat)));
    for (const room of items.keys()) if (!chat.conversations.has(room) && !chat.directory.has(room)) items.delete(room);
    byId("joined-empty", HTMLElement).hidden = joined.length > 0;
    byId("other-heading", HTMLElement).hidden = others.length === 0;
    byId("back-lamp", HTMLElement).hidden = chat.unread === 0;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const room = input.value.trim();
    if (!room) return input.focus();
    if (await join(room)) input.value = "";
  });
  input.addEventListener("input", () => (error.textContent = ""));

  chat.addEventListener("entered", () => (input.maxLength = chat.limits.room));
  chat.addEventListener("rooms", show);
  chat.addEventListener("messages", show);
}

class RoomItem {
  #element = build("li");
  #button = build("button", "room-item");
  #jack = build("span", "jack");
  #name = build("span", "room-item-name");
  #last = build("span", "room-item-last");
  #count = build("span", "room-item-count");
  #lamp = build("span", "lamp");

  /**
   * @param {string} room
   * @param {() => void} onClick
   */
  constructor(room, onClick) {
    this.room = room;
    this.#button.type = "button";
    this.#button.dataset.testid = "room-item";
    this.#button.dataset.room = room;
    this.#button.addEventListener("click", onClick);
    this.#name.textContent = room;
    tint(this.#button, room);
    const words = build("span", "room-item-words");
    words.append(this.#name, this.#last);
    this.#button.append(this.#jack, words, this.#count, this.#lamp);
    this.#element.append(this.#button);
  }

  /** @param {Chat} chat */
  show(chat) {
    const conversation = chat.conversations.get(this.room);
    const people = conversation?.joined ? conversation.members.length : (chat.directory.people(this.room) ?? 0);
    const last = conversation?.messages.at(-1);
    const unread = conversation?.unread ?? 0;
    this.#jack.toggleAttribute("data-plugged", Boolean(conversation));
    this.#last.textContent = last ? `${last.author === chat.name ? "You" : last.author}: ${last.text}` : conversation ? "Nothing said yet" : crowd(people);
    this.#count.textContent = conversation && unread === 0 ? String(people || "") : "";
    this.#lamp.textContent = unread > 99 ? "99+" : String(unread);
    this.#lamp.hidden = unread === 0;
    this.#button.toggleAttribute("data-unread", unread > 0);
    this.#button.setAttribute("aria-label", label(this.room, people, unread, Boolean(conversation)));
    if (this.room === chat.current) this.#button.setAttribute("aria-current", "page");
    else this.#button.removeAttribute("aria-current");
    return this.#element;
  }
}

/** @param {number} people */
function crowd(people) {
  return people === 0 ? "Empty" : people === 1 ? "1 person" : `${people} people`;
}

/**
 * @param {string} room
 * @param {number} people
 * @param {number} unread
 * @param {boolean} isJoined
 */
function label(room, people, unread, isJoined) {
  const parts = [isJoined ? room : `Join ${room}`, crowd(people)];
  if (unread > 0) parts.push(unread === 1 ? "1 unread message" : `${unread} unread messages`);
  return parts.join(", ");
}

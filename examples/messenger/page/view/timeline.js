// The open room's messages: grouped by author, divided by day, kept at the end while the reader is there.

import { Chat } from "../model/chat.js";
import { arrange, build, byId, icon } from "./elements.js";
import { isOnlyEmoji, withLinks } from "./text.js";
import { clockTime, dayName, dayOf, fullTime } from "./time.js";
import { paintAvatar, tint } from "./tint.js";

/** @import { Message } from "../model/conversation.js" */

/** A pause after which an author is named again. */
const GROUP_PAUSE_MS = 5 * 60_000;

/** So near to the end counts as the end. */
const AT_END_PX = 56;

/** @param {Chat} chat */
export function showTimeline(chat) {
  const scroll = byId("timeline-scroll", HTMLElement);
  const list = byId("messages", HTMLElement);
  const pill = byId("to-bottom", HTMLButtonElement);
  const pillText = byId("to-bottom-text", HTMLElement);
  /** Elements of the open room by what they stand for. @type {Map<string, HTMLElement>} */
  let elements = new Map();
  let isAtEnd = true;
  /** @type {Map<string, number>} where the reader was in a room that they left scrolled up */
  const positions = new Map();
  /** @type {string | null} */
  let room = null;

  function show() {
    const conversation = chat.conversation;
    const messages = conversation?.messages ?? [];
    const shown = new Map();
    /** @type {HTMLElement[]} */
    const children = [];
    /** @param {string} key @param {() => HTMLElement} make */
    const place = (key, make) => {
      const element = elements.get(key) ?? make();
      shown.set(key, element);
      children.push(element);
      return element;
    };

    messages.forEach((message, index) => {
      const before = messages[index - 1];
      const after = messages[index + 1];
      const isNewDay = !before || dayOf(before.at) !== dayOf(message.at);
      const isNewToReader = message.id === conversation?.firstUnread;
      if (isNewDay) place(`day ${dayOf(message.at)}`, () => build("li", "divider")).textContent = dayName(message.at, Date.now());
      if (isNewToReader && before) place("unread", () => build("li", "divider divider-unread", "New"));
      const element = place(message.id, () => new MessageElement(message, chat).element);
      const starts = isNewDay || isNewToReader || !before || isApart(before, message);
      const ends = !after || isApart(message, after) || dayOf(after.at) !== dayOf(message.at) || after.id === conversation?.firstUnread;
      messageElements.get(element)?.show(message, { starts, ends, isLast: !after });
    });

    arrange(list, children);
    elements = shown;
    showEmpty();
    if (isAtEnd) toEnd();
    showPill();
  }

  function showEmpty() {
    const conversation = chat.conversation;
    byId("timeline-empty", HTMLElement).hidden = Boolean(conversation && conversation.messages.length > 0);
    const title = byId("empty-title", HTMLElement);
    const text = byId("empty-text", HTMLElement);
    if (!conversation) {
      title.textContent = "Pick a line";
      text.textContent = "Choose a room on the left, or open a new one.";
    } else if (!conversation.joined) {
      title.textContent = "Plugging you in…";
      text.textContent = "";
    } else {
      title.textContent = `The line to ${conversation.room} is open`;
      text.textContent = "Nobody has said anything yet. Say hello!";
    }
  }

  function toEnd() {
    scroll.scrollTop = scroll.scrollHeight;
    isAtEnd = true;
    showReading();
  }

  function showReading() {
    chat.setReading(isAtEnd && document.visibilityState === "visible" && document.hasFocus());
  }

  function showPill() {
    const unread = chat.conversation?.unread ?? 0;
    pill.hidden = isAtEnd;
    pill.toggleAttribute("data-unread", unread > 0);
    pillText.textContent = unread === 0 ? "Latest" : unread === 1 ? "1 new message" : `${unread} new messages`;
    pill.setAttribute("aria-label", unread === 0 ? "Go to the latest message" : `${pillText.textContent}: go to the latest`);
  }

  function openRoom() {
    if (room !== null) {
      if (isAtEnd) positions.delete(room);
      else positions.set(room, scroll.scrollTop);
    }
    room = chat.current;
    elements = new Map();
    list.replaceChildren();
    const position = room === null ? undefined : positions.get(room);
    isAtEnd = position === undefined;
    // A whole conversation is not news: only what is added to it is read out.
    list.setAttribute("aria-live", "off");
    show();
    requestAnimationFrame(() => list.setAttribute("aria-live", "polite"));
    if (position !== undefined) scroll.scrollTop = position;
    else showReading();
  }

  scroll.addEventListener("scroll", () => {
    isAtEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < AT_END_PX;
    showReading();
    showPill();
  });
  pill.addEventListener("click", () => {
    scroll.scrollTo({ top: scroll.scrollHeight, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  });
  // The keyboard of a phone, a growing composer or a resized window must not push the end out of sight.
  new ResizeObserver(() => {
    if (isAtEnd) toEnd();
  }).observe(scroll);
  document.addEventListener("visibilitychange", showReading);
  addEventListener("focus", showReading);
  addEventListener("blur", showReading);

  chat.addEventListener("current", openRoom);
  chat.addEventListener("messages", (event) => {
    const message = chat.conversation?.messages.at(-1);
    if (/** @type {CustomEvent<string>} */ (event).detail !== chat.current) return;
    // Who writes wants to see it.
    if (message?.state === "pending" && message.author === chat.name && !elements.has(message.id)) isAtEnd = true;
    show();
  });
}

/** @param {Message} before @param {Message} after */
function isApart(before, after) {
  return before.author !== after.author || after.at - before.at > GROUP_PAUSE_MS;
}

/** @type {WeakMap<HTMLElement, MessageElement>} */
const messageElements = new WeakMap();

class MessageElement {
  element = build("li", "message");
  #time = build("time", "message-time");
  #state = build("span", "message-state");
  #actions = build("span", "message-actions");
  #chat;

  /**
   * @param {Message} message
   * @param {Chat} chat
   */
  constructor(message, chat) {
    this.#chat = chat;
    const { id, author, text } = message;
    const isMine = author === chat.name;
    this.element.dataset.testid = "message";
    this.element.dataset.id = id;
    this.element.toggleAttribute("data-mine", isMine);
    tint(this.element, author);

    const avatar = build("span", "avatar message-avatar");
    avatar.setAttribute("aria-hidden", "true");
    paintAvatar(avatar, author);
    const head = build("span", "message-head");
    head.append(build("span", "message-author", isMine ? "You" : author), this.#time);
    const body = build("span", "message-text");
    body.toggleAttribute("data-emoji", isOnlyEmoji(text));
    body.append(...withLinks(text));
    this.element.append(avatar, head, body, this.#state, this.#actions);
    messageElements.set(this.element, this);
  }

  /**
   * @param {Message} message
   * @param {{ starts: boolean, ends: boolean, isLast: boolean }} place in its group and in the conversation
   */
  show({ id, at, state, reason }, { starts, ends, isLast }) {
    this.element.dataset.state = state;
    this.element.toggleAttribute("data-starts", starts);
    this.element.toggleAttribute("data-ends", ends);
    this.element.toggleAttribute("data-last", isLast);
    this.#time.dateTime = new Date(at).toISOString();
    this.#time.textContent = clockTime(at);
    this.#time.title = fullTime(at);
    this.#state.replaceChildren(...stateNodes(state, reason));
    this.#actions.replaceChildren();
    if (state !== "failed") return;
    const again = build("button", "text-button", "Send again");
    const discard = build("button", "text-button", "Discard");
    again.addEventListener("click", () => this.#chat.sendAgain(id));
    discard.addEventListener("click", () => this.#chat.discard(id));
    this.#actions.append(again, discard);
  }
}

/**
 * @param {Message["state"]} state
 * @param {string} [reason]
 */
function stateNodes(state, reason) {
  if (state === "pending") return [icon("clock"), build("span", "", "Waiting to be sent")];
  if (state === "failed") return [icon("alert"), build("span", "", `Not sent. ${reason ?? ""}`)];
  return [icon("check"), build("span", "", "Sent")];
}

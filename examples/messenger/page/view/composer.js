// Where a message is written: Enter sends, Shift+Enter makes a new line, a draft stays with its room.

import { Chat } from "../model/chat.js";
import { byId } from "./elements.js";

/** How often the server hears that somebody is still typing, and after what silence they have stopped. */
const TYPING_AGAIN_MS = 3_000;
const TYPING_STOPS_MS = 4_000;

/** From this share of the limit on, the characters that are left are shown. */
const COUNT_FROM = 0.8;

const MAX_HEIGHT_PX = 168;

/** @param {Chat} chat */
export function showComposer(chat) {
  const form = byId("composer-form", HTMLFormElement);
  const text = byId("composer", HTMLTextAreaElement);
  const send = byId("send", HTMLButtonElement);
  const count = byId("composer-count", HTMLElement);
  /** The room whose draft is in the text area. @type {string | null} */
  let room = null;
  let toldAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let stopping;

  function stopTyping() {
    clearTimeout(stopping);
    if (toldAt > 0) chat.tellTyping(false);
    toldAt = 0;
  }

  function keepTyping() {
    if (text.value.trim() === "") return stopTyping();
    clearTimeout(stopping);
    stopping = setTimeout(stopTyping, TYPING_STOPS_MS);
    if (Date.now() - toldAt < TYPING_AGAIN_MS) return;
    toldAt = Date.now();
    chat.tellTyping(true);
  }

  function fit() {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight, MAX_HEIGHT_PX)}px`;
    const length = [...text.value].length;
    const left = chat.limits.text - length;
    count.hidden = length < chat.limits.text * COUNT_FROM;
    count.textContent = left < 0 ? `${-left} too many` : `${left} left`;
    count.toggleAttribute("data-over", left < 0);
    send.disabled = text.value.trim() === "" || left < 0;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    fit();
    if (send.disabled) return;
    stopTyping();
    chat.send(text.value.trim());
    text.value = "";
    fit();
    text.focus();
  });

  text.addEventListener("keydown", (event) => {
    // While an input method composes, Enter chooses a candidate.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  text.addEventListener("input", () => {
    fit();
    keepTyping();
  });

  chat.addEventListener("current", () => {
    const before = room === null ? undefined : chat.conversations.get(room);
    if (before) before.draft = text.value;
    clearTimeout(stopping);
    toldAt = 0;
    room = chat.current;
    text.value = chat.conversation?.draft ?? "";
    text.placeholder = room === null ? "" : `Message ${room}`;
    text.disabled = room === null;
    fit();
    // On a touch screen the focus would raise the keyboard over the messages that the reader came for.
    if (room !== null && matchMedia("(hover: hover)").matches) text.focus({ preventScroll: true });
  });

  // A key that is pressed anywhere in an open room belongs to its message.
  document.addEventListener("keydown", (event) => {
    const isText = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ";
    if (isText && document.activeElement === document.body && !text.disabled) text.focus();
  });
}

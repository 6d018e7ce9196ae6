// The way in: a name, and the messenger opens.

import { Chat } from "../model/chat.js";
import { Session } from "../model/session.js";
import { byId } from "./elements.js";
import { paintAvatar } from "./tint.js";

/**
 * @param {Chat} chat
 * @param {Session} session
 */
export function showEntrance(chat, session) {
  const entrance = byId("entrance", HTMLElement);
  const form = byId("entrance-form", HTMLFormElement);
  const input = byId("name", HTMLInputElement);
  const avatar = byId("entrance-avatar", HTMLElement);
  const error = byId("name-error", HTMLElement);
  const button = byId("enter", HTMLButtonElement);

  function paint() {
    paintAvatar(avatar, input.value.trim());
    avatar.classList.toggle("avatar-blank", input.value.trim() === "");
  }

  /** @param {string} reason */
  function refuse(reason) {
    error.textContent = reason;
    input.setAttribute("aria-invalid", String(reason !== ""));
    setWaiting(false);
    if (reason) input.focus();
  }

  /** @param {boolean} isWaiting */
  function setWaiting(isWaiting) {
    button.disabled = isWaiting;
    button.textContent = isWaiting ? "Connecting you…" : "Start talking";
  }

  function open() {
    document.body.dataset.place = "entrance";
    entrance.hidden = false;
    input.value = chat.name || session.lastName;
    paint();
    input.focus();
    input.select();
  }

  input.addEventListener("input", () => {
    paint();
    refuse("");
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = input.value.trim().replace(/\s+/gu, " ");
    if (!name) return refuse("Please write a name.");
    refuse("");
    setWaiting(true);
    chat.enter(name);
  });

  chat.addEventListener("entered", () => {
    refuse("");
    entrance.hidden = true;
    document.body.dataset.place = "chat";
  });

  chat.addEventListener("refused", (event) => {
    if (entrance.hidden) open();
    refuse(/** @type {CustomEvent<Error>} */ (event).detail.message);
  });

  // A tab that was in goes back in by itself, at once or as soon as there is a connection: no entrance flashes by.
  if (session.name) document.body.dataset.place = "chat";
  else open();
}

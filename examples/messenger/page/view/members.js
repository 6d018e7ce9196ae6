// Who is in the open room, and who of them is typing.

import { Chat } from "../model/chat.js";
import { arrange, build, byId } from "./elements.js";
import { paintAvatar } from "./tint.js";

/** @param {Chat} chat */
export function showMembers(chat) {
  const app = byId("app", HTMLElement);
  const list = byId("members", HTMLElement);
  const count = byId("members-count", HTMLElement);
  const toggle = byId("members-toggle", HTMLButtonElement);
  const typing = byId("typing", HTMLElement);
  /** @type {Map<string, HTMLElement>} */
  const items = new Map();

  /** @param {string} name */
  function item(name) {
    const known = items.get(name);
    if (known) return known;
    const element = build("li", "member");
    element.dataset.testid = "member";
    const avatar = build("span", "avatar");
    avatar.setAttribute("aria-hidden", "true");
    paintAvatar(avatar, name);
    const words = build("span", "member-words");
    words.append(build("span", "member-name", name), build("span", "member-note"));
    element.append(avatar, words);
    items.set(name, element);
    return element;
  }

  function show() {
    const members = chat.conversation?.members ?? [];
    // The reader first: it is how they find out under which name they are seen.
    const ordered = [...members.filter((name) => name === chat.name), ...members.filter((name) => name !== chat.name)];
    arrange(list, ordered.map(item));
    for (const name of items.keys()) if (!members.includes(name)) items.delete(name);
    count.textContent = members.length > 0 ? String(members.length) : "";
    showTyping();
  }

  function showTyping() {
    const typists = chat.conversation?.typists ?? [];
    for (const [name, element] of items) {
      const isTyping = typists.includes(name);
      element.toggleAttribute("data-typing", isTyping);
      const note = /** @type {HTMLElement} */ (element.querySelector(".member-note"));
      note.textContent = isTyping ? "typing…" : name === chat.name ? "you" : "";
    }
    typing.toggleAttribute("data-active", typists.length > 0);
    const sentence = typingSentence(typists);
    if (typing.dataset.sentence === sentence) return;
    typing.dataset.sentence = sentence;
    typing.replaceChildren();
    if (sentence) typing.append(dots(), build("span", "", sentence));
  }

  /** @param {boolean} isOpen */
  function setPanel(isOpen) {
    app.dataset.members = isOpen ? "open" : "closed";
    toggle.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("members-close", HTMLButtonElement).focus();
    else if (byId("members-panel", HTMLElement).contains(document.activeElement)) toggle.focus();
  }

  toggle.addEventListener("click", () => setPanel(app.dataset.members !== "open"));
  byId("members-close", HTMLButtonElement).addEventListener("click", () => setPanel(false));
  byId("scrim", HTMLElement).addEventListener("click", () => setPanel(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && app.dataset.members === "open") setPanel(false);
  });

  chat.addEventListener("current", () => {
    setPanel(false);
    show();
  });
  chat.addEventListener("members", show);
  chat.addEventListener("typing", showTyping);
}

/** @param {string[]} names */
function typingSentence(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return `${names[0]}, ${names[1]} and ${names.length - 2} more are typing`;
}

function dots() {
  const element = build("span", "typing-dots");
  element.setAttribute("aria-hidden", "true");
  element.append(build("i"), build("i"), build("i"));
  return element;
}

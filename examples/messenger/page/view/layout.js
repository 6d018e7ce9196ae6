// What of the messenger is in sight: on a desktop rooms, room and people side by side, on a phone one of them; and which room the address names.
//
// The address is `#/room`. It can be passed on, and the browser's back button leads from a room to the list of rooms.

import { Chat } from "../model/chat.js";
import { Refusal } from "../model/connection.js";
import { byId } from "./elements.js";
import { paintAvatar, tint } from "./tint.js";

/** @param {Chat} chat */
export function showLayout(chat) {
  const app = byId("app", HTMLElement);
  const title = byId("room-title", HTMLElement);
  const note = byId("room-note", HTMLElement);
  const jack = byId("room-jack", HTMLElement);
  const room = byId("room", HTMLElement);
  const narrow = matchMedia("(max-width: 760px)");
  let isFirst = true;

  function showRoom() {
    const conversation = chat.conversation;
    app.dataset.view = conversation ? "room" : "rooms";
    room.toggleAttribute("data-empty", !conversation);
    title.textContent = conversation?.room ?? "";
    if (conversation) tint(jack, conversation.room);
    showNote();
    if (decode(location.hash) !== (conversation?.room ?? "")) history.pushState(null, "", address(conversation?.room));
  }

  function showNote() {
    const conversation = chat.conversation;
    const others = (conversation?.members.length ?? 0) - 1;
    note.textContent = !conversation?.joined ? "" : others < 1 ? "Only you are here" : others === 1 ? "You and one more" : `You and ${others} more`;
  }

  /** Opens the room that the address names; joins it first when it is new to us. */
  async function follow() {
    // Before the reader is in, the address waits.
    if (isFirst) return;
    const name = decode(location.hash);
    if (!name) return chat.open(null);
    if (chat.conversations.has(name)) return chat.open(name);
    try {
      await chat.join(name);
    } catch (error) {
      if (!(error instanceof Refusal)) return;
      showRoom();
    }
  }

  function showTitle() {
    const unread = chat.unread;
    document.title = (unread > 0 ? `(${unread}) ` : "") + (chat.current === null ? "Switchboard" : `${chat.current} · Switchboard`);
  }

  chat.addEventListener("entered", () => {
    app.hidden = false;
    paintAvatar(byId("my-avatar", HTMLElement), chat.name);
    byId("my-name", HTMLElement).textContent = chat.name;
    if (!isFirst) return;
    isFirst = false;
    const named = decode(location.hash);
    if (named) follow();
    // A desktop shows the list and a room; a phone begins with the list.
    else if (!narrow.matches) {
      const [first] = chat.conversations.keys();
      history.replaceState(null, "", address(first));
      chat.open(first ?? null);
    }
  });
  chat.addEventListener("refused", () => (app.hidden = true));
  chat.addEventListener("current", () => {
    showRoom();
    showTitle();
    if (!narrow.matches) return;
    // The list that had the focus is out of sight now.
    if (chat.conversation) title.focus({ preventScroll: true });
  });
  chat.addEventListener("members", showNote);
  chat.addEventListener("rooms", showTitle);
  addEventListener("popstate", follow);

  byId("back", HTMLButtonElement).addEventListener("click", () => chat.open(null));
  byId("leave-room", HTMLButtonElement).addEventListener("click", () => {
    if (chat.current === null) return;
    chat.part(chat.current);
    if (!narrow.matches) chat.open([...chat.conversations.keys()][0] ?? null);
  });
  byId("sign-out", HTMLButtonElement).addEventListener("click", () => chat.leave());

  document.addEventListener("keydown", (event) => {
    if (!event.altKey || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    const rooms = [...byId("joined-rooms", HTMLElement).querySelectorAll("[data-room]")].map((item) => /** @type {HTMLElement} */ (item).dataset.room ?? "");
    if (rooms.length === 0) return;
    event.preventDefault();
    const step = event.key === "ArrowDown" ? 1 : -1;
    const index = rooms.indexOf(chat.current ?? "");
    chat.open(rooms[(index + step + rooms.length) % rooms.length]);
  });
}

/** @param {string} [room] */
function address(room = "") {
  return `#/${encodeURIComponent(room)}`;
}

/** @param {string} hash */
function decode(hash) {
  try {
    return decodeURIComponent(hash.replace(/^#\/?/u, ""));
  } catch {
    return "";
  }
}

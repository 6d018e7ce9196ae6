// The connection's state as a lamp with words, and a countdown to the next attempt.

import { Connection } from "../model/connection.js";
import { byId } from "./elements.js";

/** @type {Record<import("../model/connection.js").State, string>} */
const WORDS = {
  connecting: "Connecting…",
  open: "Connected",
  reconnecting: "Reconnecting…",
  offline: "You are offline",
  closed: "Disconnected",
  missing: "The server is not there",
};

/** @param {Connection} connection */
export function showConnection(connection) {
  const root = byId("connection", HTMLElement);
  const text = byId("connection-text", HTMLElement);
  const countdown = byId("connection-countdown", HTMLElement);
  const retry = byId("connection-retry", HTMLButtonElement);
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let ticking;

  function show() {
    const { state, nextAttemptAt } = connection;
    root.hidden = false;
    root.dataset.state = state;
    const waits = nextAttemptAt > 0;
    text.textContent = waits && state === "reconnecting" ? "Connection lost." : WORDS[state];
    retry.hidden = !(waits || state === "closed" || state === "missing");
    clearInterval(ticking);
    if (waits) ticking = setInterval(tick, 250);
    tick();
  }

  // Outside the live region: a screen reader hears that the connection is lost, not every second of it.
  function tick() {
    const { state, nextAttemptAt } = connection;
    const seconds = Math.max(1, Math.ceil((nextAttemptAt - Date.now()) / 1000));
    countdown.textContent = nextAttemptAt > 0 && state === "reconnecting" ? `Next try in ${seconds} s` : "";
  }

  connection.addEventListener("state", show);
  retry.addEventListener("click", () => connection.retry());
  show();
}

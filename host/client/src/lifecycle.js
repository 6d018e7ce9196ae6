/**
 * A connection's life as the client sees it: opening, open, broken, ended; and what follows from each.
 *
 * The transport reports by `incoming::…`; the application hears `open`, `close`, `end`, `error`, `timeout` and the events of
 * reconnecting. `close` comes with every connection that ends, `end` only when no other will follow.
 *
 * @import { Primus } from "./primus.js"
 * @import { ReadyState } from "../primus.d.ts"
 */

import { expectPing } from "./heartbeat.js";
import { idRequest } from "./protocol.js";
import { flushQueue } from "./queue.js";
import { CLOSED, OPEN, OPENING } from "./states.js";
import { hasStrategy } from "./strategy.js";

/**
 * Makes a client follow the reports of its transport and of its recovery.
 *
 * @param {Primus} primus
 */
export function followConnection(primus) {
  primus.on("outgoing::open", () => changeState(primus, OPENING, "opening"));
  primus.on("incoming::open", () => opened(primus));
  primus.on("incoming::error", (error) => failed(primus, asError(error)));
  primus.on("incoming::end", () => broken(primus));

  primus.recovery
    .on("reconnect scheduled", primus.emits("reconnect scheduled"))
    .on("reconnect timeout", primus.emits("reconnect timeout"))
    .on("reconnected", primus.emits("reconnected"))
    .on("reconnect", (attempt, done) => {
      primus.emit("outgoing::reconnect");
      primus.emit("reconnect", attempt, done);
    })
    .on("reconnect failed", (error, attempt) => {
      primus.wanted = false;
      primus.emit("end");
      primus.emit("reconnect failed", error, attempt);
    });
}

/**
 * Starts the wait for the first connection. Reconnecting has its own deadline.
 *
 * @param {Primus} primus
 */
export function expectOpen(primus) {
  const { timeout } = primus.options;
  if (!timeout || primus.recovery.reconnecting()) return;

  primus.timers.setTimeout("connect", () => {
    if (primus.readyState === OPEN || primus.recovery.reconnecting()) return;
    primus.emit("outgoing::end");
    primus.emit("timeout");
    if (primus.readyState === OPENING) giveUpOrRetry(primus);
  }, timeout);
}

/**
 * Sets the state and tells of it, if it is another one.
 *
 * @param {Primus} primus
 * @param {ReadyState} state
 * @param {"opening" | "open" | "end"} word
 */
export function changeState(primus, state, word) {
  if (primus.readyState === state) return;
  primus.readyState = state;
  primus.emit("readyStateChange", word);
}

/** @param {Primus} primus */
function opened(primus) {
  primus.timers.clear("connect");
  primus.recovery.reconnected();
  primus.writable = primus.readable = true;
  if (!primus.online) {
    primus.online = true;
    primus.emit("online");
  }
  // A listener may have ended it at this news.
  if (!primus.wanted) return;
  changeState(primus, OPEN, "open");
  expectPing(primus);
  flushQueue(primus);
  // Whoever asked for the id, on this connection or on one that broke before it answered.
  if (primus.listenerCount("incoming::id")) primus._write(idRequest);
  primus.emit("open");
}

/**
 * @param {Primus} primus
 * @param {Error} error
 */
function failed(primus, error) {
  if (primus.recovery.reconnecting()) {
    changeState(primus, CLOSED, "end");
    primus.recovery.reconnected(error);
    return;
  }
  const connecting = primus.readyState === OPENING;
  primus.timers.clear("connect");
  primus.emit("error", error);
  // A listener may have ended it, or opened another.
  if (connecting && primus.readyState === OPENING) giveUpOrRetry(primus);
}

/** @param {Primus} primus */
function broken(primus) {
  if (primus.disconnect) {
    primus.disconnect = false;
    primus.end();
    return;
  }

  const { readyState } = primus;
  if (readyState === OPENING && !primus.recovery.reconnecting()) {
    giveUpOrRetry(primus);
    return;
  }
  changeState(primus, CLOSED, "end");
  if (primus.recovery.reconnecting()) {
    primus.recovery.reconnect();
    return;
  }
  if (readyState !== OPEN) return;

  primus.writable = primus.readable = false;
  primus.timers.clear();
  primus.emit("close");
  if (primus.readyState !== CLOSED) return;
  if (primus.wanted && hasStrategy(primus, "disconnect")) {
    primus.recovery.reconnect();
  } else {
    primus.wanted = false;
    primus.emit("outgoing::end");
    primus.emit("end");
  }
}

/**
 * The first connection could not be made: tries again, or ends, as the strategy says.
 *
 * @param {Primus} primus
 */
function giveUpOrRetry(primus) {
  if (hasStrategy(primus, "timeout")) {
    primus.timers.clear("connect");
    changeState(primus, CLOSED, "end");
    primus.recovery.reconnect();
    return;
  }
  // Without a network the failure says nothing about the server: its return is worth another try.
  const { wanted, online } = primus;
  primus.end();
  primus.wanted = wanted && !online;
}

/**
 * @param {any} error What the transport gave: an error, its text, or an object that describes it.
 * @returns {Error}
 */
function asError(error) {
  if (error instanceof Error) return error;
  if (typeof error === "string") return new Error(error);
  return Object.assign(new Error(error?.message || error?.reason || "The connection failed"), error);
}

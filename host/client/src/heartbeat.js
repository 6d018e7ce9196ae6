/**
 * The heartbeat: the server pings, the client answers, and takes a server that falls silent for lost.
 *
 * @import { Primus } from "./primus.js"
 */

/**
 * Answers pings from now on.
 *
 * @param {Primus} primus
 */
export function answerPings(primus) {
  primus.on("incoming::ping", (/** @type {number} */ time) => {
    primus.online = true;
    expectPing(primus);
    primus.emit("outgoing::pong", time);
    primus._write(`primus::pong::${time}`);
  });
}

/**
 * Starts the wait for the next ping anew. When none comes within `pingTimeout`, the connection is given up as if it had broken.
 *
 * @param {Primus} primus
 */
export function expectPing(primus) {
  const { pingTimeout } = primus.options;
  if (!pingTimeout) return;

  primus.timers.setTimeout("heartbeat", () => {
    if (!primus.online) return;
    primus.online = false;
    primus.emit("offline");
    primus.emit("outgoing::end");
    primus.emit("incoming::end");
  }, pingTimeout);
}

/**
 * The queue of messages that were written while there was no connection.
 *
 * It lives in `primus.buffer`, a plain array of messages before encoding, because plugins look into it.
 *
 * @import { Primus } from "./primus.js"
 */

/**
 * Appends a message; a full queue loses its oldest.
 *
 * @param {Primus} primus
 * @param {any} message
 */
export function enqueue(primus, message) {
  const { buffer, options } = primus;
  buffer.push(message);
  if (buffer.length > options.queueSize) buffer.splice(0, buffer.length - options.queueSize);
}

/**
 * Writes the queued messages in their order.
 *
 * @param {Primus} primus
 */
export function flushQueue(primus) {
  for (const message of primus.buffer.splice(0)) primus._write(message);
}

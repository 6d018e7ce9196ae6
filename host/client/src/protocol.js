/**
 * The control messages `primus::<name>::<value>`, which travel through the parser but past transformers and listeners.
 *
 * Answers pings, notes ids and the server's final close, and tells of what belongs to a move (`departure.js`). Whatever else begins with `primus::` is a message of a newer
 * protocol: it is ignored and never reaches the application.
 *
 * @import { Primus } from "./primus.js"
 */

const pattern = /^primus::([^:]*)::([^]*)$/;

/** The question for the connection's id. */
export const idRequest = "primus::id::";

/** The question by what another connection may take this one's place. */
export const ticketRequest = "primus::ticket::";

/**
 * Acts on a control message.
 *
 * @param {Primus} primus
 * @param {unknown} message
 * @returns {boolean} Whether it was one.
 */
export function receiveControl(primus, message) {
  if (typeof message !== "string" || !message.startsWith("primus::")) return false;

  const [, name, value] = pattern.exec(message) ?? [];
  if (name === "ping") primus.emit("incoming::ping", Number(value));
  else if (name === "id") primus.emit("incoming::id", value);
  else if (name === "ticket" || name === "left" || name === "moved") primus.emit(`incoming::${name}`, value);
  else if (name === "server" && value === "close") primus.disconnect = true;
  return true;
}

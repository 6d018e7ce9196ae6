/**
 * Message transformers: functions that see every message on its way in or out, and may change or keep it.
 *
 * A transformer is called with `packet` (`{ data }`) and, if it declares a second parameter, with `next(error?, false?)`,
 * which it calls later. Returning `false`, or passing it to `next`, keeps the message.
 *
 * @import { Primus } from "./primus.js"
 */

/**
 * Runs the transformers of one direction over a message, then hands it on.
 *
 * @param {Primus} primus Whose transformers.
 * @param {any} connection What the transformers get as `this`, and the message goes on to.
 * @param {"incoming" | "outgoing"} direction
 * @param {any} data
 * @param {any} [raw] The message as it came, before it was decoded.
 */
export function runTransformers(primus, connection, direction, data, raw) {
  const packet = { data };
  const fns = /** @type {Function[]} */ (primus.transformers[direction]);

  /** @param {number} from */
  const run = (from) => {
    for (let index = from; index < fns.length; index += 1) {
      const transformer = fns[index];
      if (transformer.length > 1) {
        transformer.call(connection, packet, (/** @type {any} */ error, /** @type {any} */ verdict) => {
          if (error) connection.emit("error", error);
          else if (verdict !== false) run(index + 1);
        });
        return;
      }
      if (transformer.call(connection, packet) === false) return;
    }
    if (direction === "outgoing") connection._write(packet.data);
    else if (!primus.receivers.some((receive) => receive(packet.data))) connection.emit("data", packet.data, raw);
  };
  run(0);
}

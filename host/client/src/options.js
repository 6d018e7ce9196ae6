/**
 * The options of a client: what an application may give, with what holds when it doesn't.
 *
 * @import { Options, PrimusOptions } from "../primus.d.ts"
 */

import { strategyNames } from "./strategy.js";

/**
 * Fills in the defaults, in a copy.
 *
 * @param {PrimusOptions} given
 * @param {{ pingTimeout: number | false, authorization: boolean }} definition
 * @returns {Options}
 */
export function normalize(given, definition) {
  const { queueSize = Infinity, timeout = 10_000, pingTimeout = definition.pingTimeout, reconnect = {}, transport = {} } = given;
  const { headStart = 1_000 } = given;
  const strategy = strategyNames(given.strategy, definition.authorization);
  return { ...given, queueSize, timeout, pingTimeout, reconnect, transport, headStart, strategy };
}

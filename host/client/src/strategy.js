/**
 * When a client reconnects by itself.
 *
 * - `disconnect`: the connection broke;
 * - `online`: the network came back;
 * - `timeout`: the first connection could not be made. Off by default where the server authorizes, because a refused
 *   client can't tell a refusal from a dead server and would knock for ever.
 */

/**
 * Brings the `strategy` option into its one form: lower case names, joined by commas.
 *
 * @param {string | readonly string[] | false | undefined} given
 * @param {boolean} authorization Whether the server authorizes its clients.
 * @returns {string}
 */
export function strategyNames(given, authorization) {
  if (given === false) return "";
  const names = typeof given === "string" ? given.split(",") : given ?? [];
  if (names.length) return names.map((name) => name.trim().toLowerCase()).join(",");
  return authorization ? "disconnect,online" : "disconnect,online,timeout";
}

/**
 * @param {{ options: { strategy: string } }} primus
 * @param {"disconnect" | "online" | "timeout"} name
 * @returns {boolean}
 */
export function hasStrategy(primus, name) {
  return primus.options.strategy.split(",").includes(name);
}

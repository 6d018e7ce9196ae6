/**
 * The browser's word on the network: `offline` ends the connection at once, `online` brings it back. Another network may let other
 * transports through: what worked in the former one is forgotten.
 *
 * @import { Primus } from "./primus.js"
 */

import { forgetAll } from "./memory.js";
import { hasStrategy } from "./strategy.js";

/** @returns {boolean} Whether this runtime tells about its network. */
export function hasNetworkEvents() {
  return "onLine" in (globalThis.navigator ?? {}) && typeof globalThis.addEventListener === "function";
}

/** @returns {boolean} False only where the runtime knows that there is no network. */
export function isOnline() {
  return globalThis.navigator?.onLine !== false;
}

/**
 * Follows the network until the returned function is called.
 *
 * @param {Primus} primus
 * @returns {() => void}
 */
export function followNetwork(primus) {
  const offline = () => {
    if (!primus.online) return;
    const { wanted } = primus;
    primus.online = false;
    primus.emit("offline");
    primus.end();
    primus.wanted = wanted;
  };
  const online = () => {
    forgetAll(primus);
    if (primus.online) return;
    primus.online = true;
    primus.emit("online");
    // A connection that the application or the server ended stays ended when the network returns.
    if (primus.wanted && hasStrategy(primus, "online")) primus.recovery.reconnect();
  };

  /** Where the runtime tells it: from Wi-Fi to mobile, say. It tells of changes of speed by the same event. */
  const { connection } = /** @type {{ connection?: EventTarget & { type?: string } }} */ (globalThis.navigator ?? {});
  let type = connection?.type;
  const changed = () => {
    if (connection?.type === type) return;
    type = connection?.type;
    forgetAll(primus);
  };

  globalThis.addEventListener("offline", offline);
  globalThis.addEventListener("online", online);
  connection?.addEventListener("change", changed);
  return () => {
    connection?.removeEventListener("change", changed);
    globalThis.removeEventListener("offline", offline);
    globalThis.removeEventListener("online", online);
  };
}

/**
 * What worked the last time: the name of the transport that opened, for a day, where a page can keep something.
 *
 * Knows names and storages. A storage that is full, forbidden or not there is no error: then nothing is remembered.
 *
 * @import { TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

/** How long it is remembered: networks change, and not every change is told. */
const LIFETIME_MS = 24 * 60 * 60 * 1000;

/**
 * The name of the transport that worked, if one did not long ago.
 *
 * @param {Primus} primus
 * @returns {string | undefined}
 */
export function recall(primus) {
  const kept = primus.worked ?? read(primus);
  return kept && kept.until > Date.now() ? kept.name : undefined;
}

/**
 * A transport has opened.
 *
 * @param {Primus} primus
 * @param {TransportPart} part
 */
export function remember(primus, { name }) {
  // With no choice there is nothing to remember; and what is known already is not known for longer: once a day, all are tried.
  if (primus.transports.length < 2 || recall(primus) === name) return;
  primus.worked = { name, until: Date.now() + LIFETIME_MS };
  attempt((storage) => storage.setItem(keyOf(primus), JSON.stringify(primus.worked)));
}

/**
 * A transport has failed: if it is the one that worked, it does no more.
 *
 * @param {Primus} primus
 * @param {TransportPart} part
 */
export function forget(primus, { name }) {
  if (recall(primus) === name) forgetAll(primus);
}

/**
 * The network is another one: what worked in the former says nothing.
 *
 * @param {Primus} primus
 */
export function forgetAll(primus) {
  primus.worked = null;
  attempt((storage) => storage.removeItem(keyOf(primus)));
}

/** @param {Primus} primus */
function read(primus) {
  return attempt((storage) => {
    const { name, until } = JSON.parse(storage.getItem(keyOf(primus)) ?? "{}");
    return typeof name === "string" && typeof until === "number" ? { name, until } : null;
  });
}

/** @param {Primus} primus */
function keyOf(primus) {
  return `primus.transport:${primus.url.origin}${primus.pathname}`;
}

/**
 * Calls with the page's storage: that of all its tabs, or else that of this one.
 *
 * @template T
 * @param {(storage: Storage) => T} use
 * @returns {T | undefined}
 */
function attempt(use) {
  // Outside of pages, Node has one that complains.
  if (typeof document === "undefined") return undefined;
  for (const name of /** @type {const} */ (["localStorage", "sessionStorage"])) {
    try {
      return use(globalThis[name]);
    } catch {
      // Forbidden or full.
    }
  }
  return undefined;
}

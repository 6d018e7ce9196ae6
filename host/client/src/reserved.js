/**
 * The names of events that are the client's own, which no message from the server may trigger.
 */

const names = [
  "open", "data", "error", "end", "close", "timeout", "online", "offline", "destroy", "readyStateChange",
  "reconnect", "reconnect scheduled", "reconnect timeout", "reconnect failed", "reconnected", "moved",
];

/**
 * Makes the `reserved` method of a client definition; plugins add their own names to `reserved.events`.
 *
 * @returns {((event: string) => boolean) & { events: Record<string, unknown> }}
 */
export function reservedEvents() {
  /** @type {Record<string, unknown>} */
  const events = Object.create(null);
  for (const name of names) events[name] = 1;

  const reserved = (/** @type {string} */ event) => /^(?:incoming|outgoing)::/.test(event) || event in events;
  return Object.assign(reserved, { events });
}

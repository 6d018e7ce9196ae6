// What the Node servers have in common: a port, and a role that the request's query tells.

/** The loopback port that the first argument names. */
export const port = Number(process.argv[2]);

/**
 * What a connection is for: `room` receives what `publish` sends, whoever has neither gets its messages back.
 *
 * @param {{ room?: string, publish?: string }} query
 * @returns {"receiver" | "publisher" | "echo"}
 */
export function role(query) {
  if (query.room) return "receiver";
  return query.publish ? "publisher" : "echo";
}

/**
 * The states of a client, with the numbers that Primus gives them.
 */

/** A connection is being made. */
export const OPENING = 1;
/** There is no connection. */
export const CLOSED = 2;
/** The connection is open. */
export const OPEN = 3;

/**
 * What `client.js` beside this defines for the client parts of `sse` and `long-polling`, whose text the plugins put behind its
 * own. A part is a module without imports, so its types are told here.
 */

/** One connection as a form sees it: requests, and what came in them. */
interface ResumableSession {
  /** The number of the last message that came. */
  readonly received: number;
  /** Whether the session has a name yet. */
  readonly opened: boolean;
  /** Whether no other transport is left to try. */
  readonly last: boolean;
  /**
   * Asks for messages. Throws when the answer is none that carries. The carrier is given up when nothing comes within so many
   * milliseconds; by default, twice as many as the server says.
   */
  get(query?: Record<string, string | number>, withinMs?: number): Promise<Response>;
  /** Something came on the carrier: it is not given up as long as this is said often enough. */
  alive(): void;
  /** The session's beginning. */
  open(opening: ResumableOpening): void;
  /** A message with its number. Throws when one before it is missing. */
  message(number: number, data: string | ArrayBuffer): void;
  /** The server's end of the session. */
  end(closing: { code: number; reason: string }): void;
}

interface ResumableOpening {
  session: string;
  heartbeat: number;
  timeout: number;
  max_message: number;
  ticket: string;
}

/** How messages stand in responses. */
interface ResumableForm {
  name: string;
  /** The path below the server's. */
  path: string;
  /** Whether the next request for messages doesn't come soon by itself, so that what came has to be acknowledged otherwise. */
  streams: boolean;
  /** Whether it works in this runtime. */
  supported(): boolean;
  /** Asks for messages and takes one response to its end. */
  carry(session: ResumableSession): Promise<void>;
}

declare function resumable(form: ResumableForm): import("../../../host/client/primus.d.ts").TransportPart;

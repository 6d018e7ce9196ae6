/** Types of what the rooms plugin adds to a client: `import type {} from "…/rooms"`. */

import "../../host/client/primus";

declare module "../../host/client/primus" {
  interface Primus {
    /** Asks to be let into a room; the promise is rejected with the server's reason. */
    join(room: string, fn?: (error: Error | null) => void): Promise<void>;
    leave(room: string, fn?: (error: Error | null) => void): Promise<void>;
    leaveAll(fn?: (error: Error | null) => void): Promise<void>;
    /** The rooms that the server has this client in. */
    rooms(fn?: (error: Error | null, rooms?: string[]) => void): Promise<string[]>;
  }

  interface PrimusOptions {
    rooms?: {
      /** How long the server's answer may take on an open connection, in milliseconds. Default: 10000. */
      timeout?: number;
    };
  }
}

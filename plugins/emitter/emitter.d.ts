/**
 * Types of what the emitter plugin adds to a client: `import type {} from "…/emitter"`.
 *
 * Its events are heard by `primus.on(event, (...args, reply) => …)`; `reply` is there if the server wants an answer.
 */

import "../../host/client/primus";

/** Answers an event, once. */
export interface Reply {
  (...data: any[]): void;
  /** Answers that it failed; the sender's request is rejected. */
  error(error: Error | string): void;
}

declare module "../../host/client/primus" {
  interface Primus {
    /** Sends an event; a function as the last argument gets the acknowledgement. */
    send(event: string, ...args: any[]): this;
    /** Sends an event, and promises the first value of its acknowledgement. */
    request<T = any>(event: string, ...args: any[]): Promise<T>;
  }

  interface PrimusOptions {
    emitter?: {
      /** How long a request waits for its acknowledgement, in milliseconds; `false`: for ever. Default: 10000. */
      timeout?: number | false;
    };
  }
}

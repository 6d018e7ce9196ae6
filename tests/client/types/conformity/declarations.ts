/** The declarations promise what the source keeps: the class must be assignable to what is declared of it. */

import type { EventEmitter as DeclaredEmitter, PrimusClient, Recovery as DeclaredRecovery, Timers as DeclaredTimers } from "../../../../host/client/primus";
import { EventEmitter } from "../../../../host/client/src/emitter.js";
import { Primus } from "../../../../host/client/src/primus.js";
import { Recovery } from "../../../../host/client/src/recovery.js";
import { Timers } from "../../../../host/client/src/timers.js";

export const client: PrimusClient = new Primus("https://server.test");
export const emitter: DeclaredEmitter = new EventEmitter();
export const recovery: DeclaredRecovery = new Recovery();
export const timers: DeclaredTimers = new Timers(client);

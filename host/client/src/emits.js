/**
 * Functions that emit an event when they are called, for handing to code that wants a callback.
 *
 * @import { EventEmitter } from "./emitter.js"
 */

/**
 * Makes a function that emits `event` with the given arguments and then those of the call.
 *
 * When the last of `args` is a function it is a parser: it is called with `(next, ...arguments of the call)`, with the
 * emitter as `this`. `next(error)` emits `error` instead; `next()` emits the arguments as they came; `next(undefined, null)`
 * emits none of them; `next(undefined, value)` emits `value`, or the items of it if it is an array.
 *
 * @param {EventEmitter} emitter
 * @param {string} event
 * @param {any[]} args
 * @returns {(...args: any[]) => boolean}
 */
export function emits(emitter, event, args) {
  const last = args[args.length - 1];
  if (typeof last !== "function") return (...called) => emitter.emit(event, ...args, ...called);

  const curried = args.slice(0, -1);
  return (...called) => {
    /**
     * @param {any} [error]
     * @param {any} [returned]
     */
    const next = (error, returned) => {
      if (error) {
        emitter.emit("error", error);
        return;
      }
      emitter.emit(event, ...curried, ...replaced(called, returned));
    };
    last.call(emitter, next, ...called);
    return true;
  };
}

/**
 * @param {any[]} called
 * @param {any} returned
 * @returns {any[]}
 */
function replaced(called, returned) {
  if (returned === undefined) return called;
  if (returned === null) return [];
  return Array.isArray(returned) ? returned : [returned];
}

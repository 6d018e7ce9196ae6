/**
 * A client's timers by name, so that one can be replaced or cleared without keeping its handle.
 */

/** The longest delay that a timer can hold; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

export class Timers {
  /** @type {Map<string, () => void>} */
  #cancel = new Map();

  /** @type {any} */
  #context;

  /** @param {any} context What the callbacks get as `this`. */
  constructor(context) {
    this.#context = context;
  }

  /**
   * Calls `fn` after `delayMs`. A timer of the same name is replaced.
   *
   * @param {string} name
   * @param {() => void} fn
   * @param {number} delayMs
   */
  setTimeout(name, fn, delayMs) {
    this.clear(name);
    const timer = setTimeout(() => {
      this.#cancel.delete(name);
      fn.call(this.#context);
    }, Math.min(delayMs, longestMs));
    this.#cancel.set(name, () => clearTimeout(timer));
  }

  /**
   * Calls `fn` every `periodMs`. A timer of the same name is replaced.
   *
   * @param {string} name
   * @param {() => void} fn
   * @param {number} periodMs
   */
  setInterval(name, fn, periodMs) {
    this.clear(name);
    const timer = setInterval(() => fn.call(this.#context), Math.min(periodMs, longestMs));
    this.#cancel.set(name, () => clearInterval(timer));
  }

  /**
   * @param {string} name
   * @returns {boolean}
   */
  active(name) {
    return this.#cancel.has(name);
  }

  /**
   * Clears the named timers (`"a"`, `"a", "b"` or `"a, b"`), or all of them.
   *
   * @param {...string} names
   */
  clear(...names) {
    const gone = names.length ? names.flatMap((name) => name.split(/[, ]+/)) : [...this.#cancel.keys()];
    for (const name of gone) {
      this.#cancel.get(name)?.();
      this.#cancel.delete(name);
    }
  }

  destroy() {
    this.clear();
  }
}

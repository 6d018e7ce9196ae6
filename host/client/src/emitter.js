/**
 * The event emitter under everything: listeners by event name, called in the order they were added.
 *
 * It never throws for an `error` event without listeners: `emit` then returns `false`, and the caller decides.
 * Lists of listeners are never changed in place, so an emit that is running sees the list it began with.
 */

/**
 * @typedef {(...args: any[]) => void} Listener
 * @typedef {{ fn: Listener, context: any, once: boolean }} Entry
 */

export class EventEmitter {
  /** @type {Map<string | symbol, readonly Entry[]>} */
  #entries = new Map();

  /**
   * Adds a listener. It is called with `context`, or else the emitter, as `this`.
   *
   * @param {string | symbol} event
   * @param {Listener} fn
   * @param {any} [context]
   * @returns {this}
   */
  on(event, fn, context) {
    this.#entries.set(event, [...this.#list(event), entry(fn, context ?? this, false)]);
    return this;
  }

  /**
   * Adds a listener that is removed before its first call.
   *
   * @param {string | symbol} event
   * @param {Listener} fn
   * @param {any} [context]
   * @returns {this}
   */
  once(event, fn, context) {
    this.#entries.set(event, [...this.#list(event), entry(fn, context ?? this, true)]);
    return this;
  }

  /**
   * Adds a listener in front of the others; Node's streams ask for it when they are piped into a client.
   *
   * @param {string | symbol} event
   * @param {Listener} fn
   * @returns {this}
   */
  prependListener(event, fn) {
    this.#entries.set(event, [entry(fn, this, false), ...this.#list(event)]);
    return this;
  }

  /**
   * @param {string | symbol} event
   * @param {Listener} fn
   * @param {any} [context]
   * @returns {this}
   */
  addListener(event, fn, context) {
    return this.on(event, fn, context);
  }

  /**
   * Removes a listener; without `fn`, all listeners of the event.
   *
   * @param {string | symbol} event
   * @param {Listener} [fn]
   * @returns {this}
   */
  off(event, fn) {
    const left = fn ? this.#list(event).filter((listener) => listener.fn !== fn) : [];
    if (left.length) this.#entries.set(event, left);
    else this.#entries.delete(event);
    return this;
  }

  /**
   * @param {string | symbol} event
   * @param {Listener} [fn]
   * @returns {this}
   */
  removeListener(event, fn) {
    return this.off(event, fn);
  }

  /**
   * Removes the listeners of one event, or of all.
   *
   * @param {string | symbol} [event]
   * @returns {this}
   */
  removeAllListeners(event) {
    if (event === undefined) this.#entries.clear();
    else this.#entries.delete(event);
    return this;
  }

  /**
   * Calls the listeners of an event.
   *
   * @param {string | symbol} event
   * @param {...any} args
   * @returns {boolean} Whether there was a listener.
   */
  emit(event, ...args) {
    const entries = this.#entries.get(event);
    if (!entries) return false;
    for (const listener of entries) {
      if (listener.once) this.#remove(event, listener);
      listener.fn.apply(listener.context, args);
    }
    return true;
  }

  /**
   * @param {string | symbol} event
   * @returns {Listener[]}
   */
  listeners(event) {
    return this.#list(event).map((listener) => listener.fn);
  }

  /**
   * @param {string | symbol} event
   * @returns {number}
   */
  listenerCount(event) {
    return this.#list(event).length;
  }

  /** @returns {(string | symbol)[]} */
  eventNames() {
    return [...this.#entries.keys()];
  }

  /**
   * @param {string | symbol} event
   * @returns {readonly Entry[]}
   */
  #list(event) {
    return this.#entries.get(event) ?? [];
  }

  /**
   * @param {string | symbol} event
   * @param {Entry} gone
   */
  #remove(event, gone) {
    const left = this.#list(event).filter((listener) => listener !== gone);
    if (left.length) this.#entries.set(event, left);
    else this.#entries.delete(event);
  }
}

/**
 * @param {Listener} fn
 * @param {any} context
 * @param {boolean} once
 * @returns {Entry}
 */
function entry(fn, context, once) {
  if (typeof fn !== "function") throw new TypeError("A listener must be a function");
  return { fn, context, once };
}

/**
 * @file Waiting for something to be true, bounded in time and without fixed sleeps.
 *
 * Knows promises and emitters. Knows nothing of servers, sockets or Primus.
 */

/** What a busy machine may need, in milliseconds; a test that waits longer has failed. */
export const DEADLINE = 30_000;

/**
 * Resolves with the arguments of the next `event`, or rejects after `deadline` milliseconds.
 *
 * @param {{ once(event: string, listener: (...args: any[]) => void): unknown }} emitter
 * @param {string} event
 * @param {number} [deadline]
 * @returns {Promise<any[]>}
 */
export function next(emitter, event, deadline = DEADLINE) {
  return within(deadline, `the event "${event}"`, (resolve) => {
    emitter.once(event, (...args) => resolve(args));
  });
}

/**
 * Resolves with the first truthy answer of `condition`, which is asked again every few milliseconds.
 *
 * @template T
 * @param {string} what What is waited for, as the end of the sentence "gave up waiting for …".
 * @param {() => T | Promise<T>} condition
 * @param {number} [deadline]
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, condition, deadline = DEADLINE) {
  const end = Date.now() + deadline;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`gave up waiting for ${what} after ${deadline} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/**
 * A promise with a deadline.
 *
 * @template T
 * @param {number} deadline
 * @param {string} what
 * @param {(resolve: (value: T) => void, reject: (error: Error) => void) => void} start
 * @returns {Promise<T>}
 */
export function within(deadline, what, start) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`gave up waiting for ${what} after ${deadline} ms`)),
      deadline,
    );
    start(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}

/** Messages in the order in which they came; each is taken once. */
export class Inbox {
  #messages = [];
  #waiting = [];
  #ended = '';

  /** How many messages have come and were not taken. */
  get length() {
    return this.#messages.length;
  }

  /** @param {unknown} message */
  put(message) {
    const taker = this.#waiting.shift();
    if (taker) taker.resolve(message);
    else this.#messages.push(message);
  }

  /** No more will come, for this reason: who waits is told. */
  end(reason) {
    this.#ended = reason;
    for (const taker of this.#waiting.splice(0)) taker.reject(new Error(`no message will come: ${reason}`));
  }

  /**
   * The next message, now or when it comes.
   *
   * @param {number} [deadline]
   * @returns {Promise<any>}
   */
  take(deadline = DEADLINE) {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return within(deadline, 'a message', (resolve, reject) => {
      if (this.#ended) reject(new Error(`no message will come: ${this.#ended}`));
      else this.#waiting.push({ resolve, reject });
    });
  }

  /** The next `count` messages. */
  async takeAll(count) {
    const messages = [];
    while (messages.length < count) messages.push(await this.take());
    return messages;
  }
}

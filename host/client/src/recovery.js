/**
 * Reconnecting with a randomised exponential back-off.
 *
 * Knows attempts, delays and deadlines. Knows nothing of sockets: it says when to connect by `reconnect`, and is told how
 * that went by `reconnected(error?)`. An attempt is either waiting for its delay (`backoff`) or connecting; never both, so
 * one call too many changes nothing.
 *
 * Events, each with the attempt's figures: `reconnect scheduled`, `reconnect` (figures, done), `reconnect timeout` (error,
 * figures), `reconnected`, `reconnect failed` (error, figures).
 *
 * @import { ReconnectAttempt, ReconnectOptions } from "../primus.d.ts"
 */

import { milliseconds } from "./duration.js";
import { EventEmitter } from "./emitter.js";
import { Timers } from "./timers.js";

/** @type {Required<ReconnectOptions>} */
const defaults = { max: Infinity, min: 500, retries: 10, factor: 2, "reconnect timeout": 30_000 };

export class Recovery extends EventEmitter {
  /** @type {ReconnectAttempt | null} The attempt under way. */
  attempt = null;

  #timers = new Timers(this);
  #limits;

  /** @param {ReconnectOptions} [options] */
  constructor(options) {
    super();
    const given = { ...defaults, ...options };
    this.#limits = {
      max: milliseconds(given.max),
      min: milliseconds(given.min),
      retries: Number(given.retries),
      factor: Number(given.factor),
      "reconnect timeout": milliseconds(given["reconnect timeout"]),
    };
  }

  /**
   * Schedules the next attempt, the first or another one. Does nothing while one is scheduled already.
   *
   * @returns {this}
   */
  reconnect() {
    const now = Date.now();
    const attempt = this.attempt ?? { ...this.#limits, attempt: 0, start: now, duration: 0, scheduled: 0, backoff: false };
    if (attempt.backoff) return this;

    this.#timers.clear();
    attempt.duration = now - attempt.start;
    if (attempt.attempt >= attempt.retries) {
      this.reset();
      this.emit("reconnect failed", new Error(`Gave up reconnecting after ${attempt.attempt} attempts`), attempt);
      return this;
    }

    attempt.attempt += 1;
    attempt.scheduled = delayMs(attempt);
    attempt.backoff = true;
    this.attempt = attempt;
    this.#timers.setTimeout("delay", () => this.#connect(attempt), attempt.scheduled);
    this.emit("reconnect scheduled", attempt);
    return this;
  }

  /** @returns {boolean} Whether attempts are being made. */
  reconnecting() {
    return this.attempt !== null;
  }

  /**
   * Says how the attempt went: with an error the next one is scheduled, without one all is well again.
   *
   * @param {any} [error]
   * @returns {this}
   */
  reconnected(error) {
    const attempt = this.attempt;
    if (!attempt) return this;
    if (error) return this.reconnect();

    this.reset();
    attempt.duration = Date.now() - attempt.start;
    this.emit("reconnected", attempt);
    return this;
  }

  /**
   * Forgets the attempts and stops making them.
   *
   * @returns {this}
   */
  reset() {
    this.attempt = null;
    this.#timers.clear();
    return this;
  }

  destroy() {
    this.reset();
    this.removeAllListeners();
  }

  /** @param {ReconnectAttempt} attempt */
  #connect(attempt) {
    attempt.backoff = false;
    attempt.duration = Date.now() - attempt.start;
    this.#timers.setTimeout("deadline", () => this.#expired(attempt), attempt["reconnect timeout"]);
    this.emit("reconnect", attempt, (/** @type {any} */ error) => this.reconnected(error));
  }

  /** @param {ReconnectAttempt} attempt */
  #expired(attempt) {
    const error = new Error("The attempt to reconnect took too long");
    attempt.duration = Date.now() - attempt.start;
    this.emit("reconnect timeout", error, attempt);
    this.reconnected(error);
  }
}

/**
 * The delay before an attempt: `min` grows by `factor` with every attempt, times a random number between 1 and 2, up to
 * `max`. The first attempt is randomised too, or else all clients of a restarted server would return in the same instant.
 *
 * @param {ReconnectAttempt} attempt
 * @returns {number}
 */
function delayMs({ min, max, factor, attempt }) {
  return Math.min(max, Math.round((1 + Math.random()) * min * factor ** (attempt - 1)));
}

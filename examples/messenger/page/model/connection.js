// The connection to the server: its state, as the reader should see it, and questions that are answered or fail.
//
// Knows the client that the server assembles (`Primus` with the emitter's `send`, `request` and `on`). Knows nothing of rooms or messages.

/** @typedef {"connecting" | "open" | "reconnecting" | "offline" | "closed" | "missing"} State */

/** The server's answer is no. */
export class Refusal extends Error {
  /** @param {{ code: string, message: string }} refusal */
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

/** No answer came: the connection was lost, or the server is silent. Nobody knows whether the question arrived. */
export class Unanswered extends Error {}

/** Short enough that a restarted server is found soon, long enough that a thousand pages don't storm it; the client randomises it. */
const BACKOFF = { min: 500, max: 15_000, retries: Infinity };

/** Emits `state` when the state or the time of the next attempt changed, `open` and `lost`. */
export class Connection extends EventTarget {
  /** @type {State} */
  state = "connecting";

  /** When the next attempt begins, in milliseconds of `Date.now`; 0 while one is under way. */
  nextAttemptAt = 0;

  /** @type {any} */
  #primus = null;

  /** @type {[string, (payload: any) => void][]} */
  #listeners = [];

  open() {
    const Primus = /** @type {any} */ (globalThis).Primus;
    if (!Primus) return this.#become("missing");

    const primus = (this.#primus = new Primus({ reconnect: BACKOFF, strategy: ["disconnect", "online", "timeout"] }));
    primus.on("open", () => {
      this.#become("open");
      this.dispatchEvent(new Event("open"));
    });
    primus.on("close", () => this.#lost());
    primus.on("reconnect scheduled", (/** @type {{ scheduled: number }} */ attempt) => {
      this.#become(navigator.onLine ? "reconnecting" : "offline", Date.now() + attempt.scheduled);
    });
    primus.on("reconnect", () => this.#become("reconnecting"));
    primus.on("offline", () => {
      this.#lost();
      this.#become("offline");
    });
    primus.on("online", () => {
      if (this.state === "offline") this.#become("reconnecting");
    });
    primus.on("end", () => this.#become(primus.online ? "closed" : "offline"));
    // The state says all that a reader can use of an error; without a listener the client would throw it.
    primus.on("error", () => {});
    for (const [event, listener] of this.#listeners) primus.on(event, listener);
  }

  /** Does not wait for the next attempt. */
  retry() {
    if (this.state === "missing") return location.reload();
    this.#primus.end();
    this.#become("reconnecting");
    this.#primus.open();
  }

  /** Ends the connection; it does not come back by itself. */
  close() {
    this.#primus?.end();
  }

  /**
   * Calls `listener` for each of the server's events of this name.
   *
   * @param {string} event
   * @param {(payload: any) => void} listener
   */
  on(event, listener) {
    this.#listeners.push([event, listener]);
    this.#primus?.on(event, listener);
  }

  /**
   * Tells the server something that needs no answer. Dropped when there is no connection.
   *
   * @param {string} event
   * @param {object} payload
   */
  tell(event, payload) {
    if (this.state === "open") this.#primus.send(event, payload);
  }

  /**
   * Asks the server and waits for its answer.
   *
   * @param {string} event
   * @param {object} payload
   * @returns {Promise<any>} rejects with a `Refusal` or with `Unanswered`
   */
  async ask(event, payload) {
    if (this.state !== "open") throw new Unanswered("There is no connection.");
    const answer = await this.#primus.request(event, payload).catch((/** @type {Error} */ cause) => {
      throw new Unanswered(cause.message, { cause });
    });
    if (answer?.error) throw new Refusal(answer.error);
    return answer;
  }

  #lost() {
    if (this.state !== "open") return;
    this.#become("reconnecting");
    this.dispatchEvent(new Event("lost"));
  }

  /**
   * @param {State} state
   * @param {number} [nextAttemptAt]
   */
  #become(state, nextAttemptAt = 0) {
    if (state === this.state && nextAttemptAt === this.nextAttemptAt) return;
    this.state = state;
    this.nextAttemptAt = nextAttemptAt;
    this.dispatchEvent(new Event("state"));
  }
}

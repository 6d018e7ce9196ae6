/**
 * The client's side of a session that outlives the responses that carry it: what `sse` and `long-polling` have in common.
 *
 * The documentation of the crate `resumable` tells the protocol. Down: one request at a time carries messages; when its response
 * breaks, the next one says what came. Up: one request at a time takes all that was written meanwhile, and is sent again as it was
 * until it is answered. How messages stand in responses is the form's business.
 */

/** After how many bytes, or milliseconds, what came is acknowledged by a request of its own. */
const ACKNOWLEDGE_BYTES = 65_536;
const ACKNOWLEDGE_MS = 5_000;

/** The messages of one request are about so many bytes; a longer message goes alone. */
const BATCH_BYTES = 262_144;

/** An answer comes within so many milliseconds, and as much as the slowest line takes for the request. */
const ANSWER_MS = 20_000;
const SLOWEST_BYTES_PER_MS = 4;

/** How long a response that was given up may take to end. */
const ABORT_MS = 250;

/** The delays before the next attempt at a request that failed. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2_000;

/** What a session has until it is told: how long nothing may carry it. */
const TIMEOUT_MS = 10_000;

/**
 * A transport part of a form.
 *
 * @param {ResumableForm} form
 * @returns {import("../../../host/client/primus.d.ts").TransportPart}
 */
function resumable(form) {
  return {
    name: form.name,
    // A response is no connection that could take another one's place.
    succeeds: false,

    supported() {
      const works = typeof fetch === "function" && typeof AbortController === "function" && typeof TextDecoder === "function";
      return works && form.supported();
    },

    open({ url, options, last }, events) {
      const connection = new ResumableConnection(form, url, options.transport, last ?? true, events);
      connection.start();
      return connection;
    },
  };
}

// Of use to the part whose text follows.
void resumable;

/** A request that was answered, but not with what it is for. */
class ResumableRefusal extends Error {
  /**
   * @param {number} status
   * @param {string} [text]
   */
  constructor(status, text) {
    super(text || `The server answered with status ${status}`);
    this.status = status;
  }

  /** Whether the same request may be answered otherwise later: what is between says so, or a server that is about to go. */
  get passes() {
    return this.status >= 500 || this.status === 408 || this.status === 429;
  }
}

/** @implements {ResumableSession} */
class ResumableConnection {
  received = 0;
  last;
  #form;
  #events;
  /** @type {URL} */
  #url;
  /** @type {RequestInit} */
  #init;
  #session = "";
  #timeoutMs = TIMEOUT_MS;
  #heartbeatMs = 0;
  /** Nothing is reported any more. */
  #over = false;
  /** By what it can be moved. @type {string | undefined} */
  ticket;
  /** Neither sends nor receives, until it is moved or released. */
  #held = false;
  /** Told when nothing is under way any more. @type {(() => void) | null} */
  #quiet = null;
  #carrying = false;
  #retired = false;

  /** Ends the wait for the response. @type {(error: Error) => void} */
  #leave = () => {};
  /** @type {AbortController | null} What gives the carrier up. */
  #carrier = null;
  /** @type {any} */
  #silence;
  /** How often something has come on a carrier. */
  #contact = 0;

  /** @type {Uint8Array[]} Frames that are not known to have arrived. */
  #frames = [];
  /** The number of the first of them. */
  #first = 1;
  #posting = false;

  /** What the server knows that came. */
  #acknowledged = 0;
  #unacknowledgedBytes = 0;
  /** @type {any} */
  #acknowledgement;

  /**
   * @param {ResumableForm} form
   * @param {string} url
   * @param {Record<string, any>} transport
   * @param {boolean} last
   * @param {import("../../../host/client/primus.d.ts").TransportEvents} events
   */
  constructor(form, url, transport, last, events) {
    this.#form = form;
    this.last = last;
    this.#events = events;
    this.#url = new URL(url);
    const { username, password } = this.#url;
    const credentials = btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    const authorization = username ? { authorization: `Basic ${credentials}` } : {};
    // `fetch` takes no URL with credentials.
    this.#url.username = this.#url.password = "";
    this.#url.pathname = this.#url.pathname.replace(/\/$/, "") + form.path;
    this.#init = {
      cache: "no-store",
      redirect: "error",
      headers: { ...authorization, ...transport.headers },
      ...(transport.credentials ? { credentials: transport.credentials } : {}),
    };
  }

  get opened() {
    return this.#session !== "";
  }

  get ready() {
    return this.opened && !this.#over && !this.#held;
  }

  /** Begins to connect. */
  start() {
    void this.#carry();
  }

  /** @param {any} data */
  send(data) {
    const isText = typeof data === "string";
    const bytes = isText ? new TextEncoder().encode(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : bytesOf(data);
    const frame = new Uint8Array(5 + bytes.length);
    const view = new DataView(frame.buffer);
    view.setUint8(0, isText ? 0 : 1);
    view.setUint32(1, bytes.length);
    frame.set(bytes, 5);
    this.#frames.push(frame);
    void this.#post();
  }

  close() {
    if (this.#over) return;
    this.#stop();
    // What was written last goes first.
    if (this.opened && !this.#posting) void this.#farewell();
  }

  /** Stops sending and receiving; the answer is the word by which the server knows what has come. */
  hold() {
    return new Promise((/** @type {(word: string) => void} */ resolve) => {
      this.#held = true;
      this.#quiet = () => resolve(String(this.received));
      this.#settle();
    });
  }

  /** Goes on. */
  release() {
    this.#held = false;
    this.#quiet = null;
    if (this.#over) return;
    if (!this.#carrying) this.start();
    void this.#post();
  }

  /** The session goes on by another connection: this one ends without a word. */
  retire() {
    this.#retired = true;
    this.#stop();
  }

  /** Tells of the quiet that was asked for, once all that was sent is answered, and nothing is received. */
  #settle() {
    if (!this.#quiet || this.#posting || this.#frames.length) return;
    if (this.#carrying) this.#giveUp();
    else this.#quiet();
  }

  /**
   * @param {Record<string, string | number>} [query]
   * @param {number} [withinMs]
   */
  async get(query = {}, withinMs = 2 * this.#heartbeatMs) {
    const carrier = new AbortController();
    this.#carrier = carrier;
    if (withinMs) this.#expect(withinMs);
    /** @type {Record<string, string | number>} */
    const named = this.opened ? { _session: this.#session, _ack: this.received } : { _v: 1 };
    this.#told(this.received);
    return this.#request({ ...named, ...query }, { signal: carrier.signal });
  }

  alive() {
    this.#contact += 1;
    if (this.opened) this.#expect(2 * this.#heartbeatMs);
  }

  /** @param {ResumableOpening} opening */
  open({ session, heartbeat, timeout, ticket }) {
    if (this.#over || this.opened) return;
    this.ticket = ticket;
    this.#session = session;
    this.#timeoutMs = timeout;
    this.#heartbeatMs = heartbeat;
    this.alive();
    this.#events.open();
    void this.#post();
  }

  /**
   * @param {number} number
   * @param {string | ArrayBuffer} data
   */
  message(number, data) {
    // What comes once more after the silence is for whoever carries on.
    if (this.#over || number <= this.received || this.#isQuiet()) return;
    if (number > this.received + 1) throw new Error(`Message ${number} came after message ${this.received}`);
    this.received = number;
    this.#unacknowledgedBytes += typeof data === "string" ? data.length : data.byteLength;
    if (this.#form.streams) this.#acknowledgeSoon();
    this.#events.message(data);
  }

  /** @param {{ code: number, reason: string }} closing */
  end({ code, reason }) {
    this.#report({ code, reason, clean: true });
  }

  /** One response after the other, until the session is over. */
  async #carry() {
    const attempts = new Attempts();
    this.#carrying = true;
    while (!this.#over && !this.#isQuiet()) {
      const before = this.#contact;
      try {
        await new Promise((resolve, reject) => {
          this.#leave = reject;
          this.#form.carry(this).then(() => resolve(undefined), reject);
        });
        attempts.succeeded();
      } catch (error) {
        if (this.#over || this.#isQuiet()) break;
        if (!this.opened || !mayPass(error)) return this.#fail(error);
        // A response that brought something before it broke.
        if (this.#contact > before) attempts.succeeded();
        if (attempts.failed(this.#timeoutMs)) return this.#fail(error);
        await attempts.pause();
      } finally {
        clearTimeout(this.#silence);
      }
    }
    this.#carrying = false;
    this.#settle();
  }

  /**
   * Gives the carrier up after so many milliseconds without a word.
   *
   * @param {number} withinMs
   */
  #expect(withinMs) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#giveUp(), withinMs);
  }

  /** Gives the carrier up. */
  #giveUp() {
    const leave = this.#leave;
    this.#carrier?.abort();
    // A runtime may lose sight of the signal while a response lasts (Node's does). What such a response still brings is numbered.
    setTimeout(() => leave(new Error("The response did not end")), ABORT_MS);
  }

  /** Whether it is held, and all that was sent has arrived: then it receives no more. */
  #isQuiet() {
    return this.#held && !this.#posting && !this.#frames.length;
  }

  /** Sends what waits, one request after the other. */
  async #post() {
    if (this.#posting || !this.opened || this.#isQuiet()) return;
    this.#posting = true;
    // What is written in one go is one request.
    await Promise.resolve();
    const attempts = new Attempts();
    while (this.#frames.length || this.#owesAcknowledgement()) {
      const message = body(this.#first, this.#frames.slice(0, fitting(this.#frames)));
      const acknowledged = this.received;
      // An answer that never comes is one that was lost: the request is sent again.
      const abort = new AbortController();
      const late = setTimeout(() => abort.abort(), ANSWER_MS + message.length / SLOWEST_BYTES_PER_MS);
      try {
        const answer = await this.#request(
          { _session: this.#session, _ack: acknowledged },
          {
            method: "POST",
            headers: { ...this.#init.headers, "content-type": "application/octet-stream" },
            body: message,
            signal: abort.signal,
          },
        );
        const { received } = await answer.json();
        this.#told(acknowledged);
        this.#arrived(received);
        attempts.succeeded();
      } catch (error) {
        if (!mayPass(error) || attempts.failed(this.#timeoutMs)) {
          this.#posting = false;
          this.#frames = [];
          return this.#fail(error);
        }
        await attempts.pause();
      } finally {
        clearTimeout(late);
      }
    }
    this.#posting = false;
    this.#settle();
    if (this.#over && !this.#retired) void this.#farewell();
  }

  /**
   * Forgets what has arrived.
   *
   * @param {number} received
   */
  #arrived(received) {
    const count = Math.max(0, Math.min(received - this.#first + 1, this.#frames.length));
    this.#frames.splice(0, count);
    this.#first += count;
  }

  #owesAcknowledgement() {
    return !this.#over && !this.#held && this.#form.streams && this.#unacknowledgedBytes >= ACKNOWLEDGE_BYTES;
  }

  #acknowledgeSoon() {
    if (this.#unacknowledgedBytes >= ACKNOWLEDGE_BYTES) {
      void this.#post();
    } else {
      this.#acknowledgement ??= setTimeout(() => {
        this.#unacknowledgedBytes = ACKNOWLEDGE_BYTES;
        void this.#post();
      }, ACKNOWLEDGE_MS);
    }
  }

  /**
   * The server knows what came up to this number.
   *
   * @param {number} number
   */
  #told(number) {
    this.#acknowledged = Math.max(this.#acknowledged, number);
    if (this.#acknowledged < this.received) return;
    this.#unacknowledgedBytes = 0;
    clearTimeout(this.#acknowledgement);
    this.#acknowledgement = undefined;
  }

  /**
   * @param {Record<string, string | number>} query
   * @param {RequestInit} init
   */
  async #request(query, init) {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    const response = await fetch(url, { ...this.#init, ...init });
    if (response.ok) return response;
    const text = await response.text();
    throw new ResumableRefusal(response.status, errorOf(text));
  }

  /** Tells the server, which would otherwise wait for the next request. */
  async #farewell() {
    try {
      await this.#request({ _session: this.#session, _close: 1 }, { method: "POST", keepalive: true });
    } catch {
      // Then it waits.
    }
  }

  /** @param {any} error */
  #fail(error) {
    if (this.#over) return;
    const gone = error instanceof ResumableRefusal && error.status === 410;
    // A session that is over is a connection that is closed: nothing failed.
    if (!gone) this.#events.error(error);
    this.#report({ code: 1006, reason: error.message, clean: false });
  }

  /** @param {import("../../../host/client/primus.d.ts").CloseInfo} info */
  #report(info) {
    if (this.#over) return;
    this.#stop();
    this.#events.close(info);
  }

  #stop() {
    this.#over = true;
    clearTimeout(this.#silence);
    clearTimeout(this.#acknowledgement);
    this.#giveUp();
  }
}

/** Attempts at one thing that may fail for a while. */
class Attempts {
  #delayMs = 0;
  /** Since when it has failed. */
  #since = 0;

  succeeded() {
    this.#delayMs = this.#since = 0;
  }

  /**
   * It has failed once more.
   *
   * @param {number} withinMs
   * @returns {boolean} Whether it has failed for so long.
   */
  failed(withinMs) {
    this.#since ||= Date.now();
    this.#delayMs = this.#delayMs ? Math.min(2 * this.#delayMs, LONGEST_DELAY_MS) : FIRST_DELAY_MS;
    return Date.now() - this.#since > withinMs;
  }

  pause() {
    return new Promise((resolve) => setTimeout(resolve, this.#delayMs * (0.5 + Math.random() / 2)));
  }
}

/** @param {any} error */
function mayPass(error) {
  return !(error instanceof ResumableRefusal) || error.passes;
}

/** @param {ArrayBufferView} view */
function bytesOf(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * How many of the frames go into one request.
 *
 * @param {readonly Uint8Array[]} frames
 */
function fitting(frames) {
  let bytes = 0;
  const beyond = frames.findIndex((frame, index) => {
    bytes += frame.length;
    return index > 0 && bytes > BATCH_BYTES;
  });
  return beyond < 0 ? frames.length : beyond;
}

/**
 * @param {number} first
 * @param {readonly Uint8Array[]} frames
 */
function body(first, frames) {
  if (!frames.length) return new Uint8Array();
  const whole = new Uint8Array(frames.reduce((length, frame) => length + frame.length, 8));
  const view = new DataView(whole.buffer);
  view.setUint32(0, Math.floor(first / 2 ** 32));
  view.setUint32(4, first % 2 ** 32);
  let at = 8;
  for (const frame of frames) {
    whole.set(frame, at);
    at += frame.length;
  }
  return whole;
}

/** @param {string} text */
function errorOf(text) {
  try {
    return String(JSON.parse(text).error);
  } catch {
    return text.trim();
  }
}

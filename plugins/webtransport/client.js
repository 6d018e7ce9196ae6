/**
 * The WebTransport transport of the client: messages on one stream of an HTTP/3 session.
 *
 * The server's page is asked where the sessions are, and for the hash of a certificate that no authority has signed. Each message
 * stands behind its length, as `frame.rs` of the plugin has it.
 *
 * @import { TransportConnection, TransportEvents, TransportPart } from "../../host/client/primus.d.ts"
 */

/** How long the session may take while there are other transports to try, in milliseconds: many networks let no UDP pass. */
const PATIENCE_MS = 3_000;

/** How long it may take where it is the last. */
const LAST_PATIENCE_MS = 10_000;

/**
 * A message with its head: a variable-length integer (RFC 9000, section 16), which is twice the number of the bytes, and one more
 * for a binary message.
 *
 * @param {string | Uint8Array} message
 * @returns {Uint8Array}
 */
function framed(message) {
  const binary = typeof message !== "string";
  const bytes = binary ? message : new TextEncoder().encode(message);
  const number = bytes.length * 2 + Number(binary);
  const log = number < 2 ** 6 ? 0 : number < 2 ** 14 ? 1 : number < 2 ** 30 ? 2 : 3;
  const size = 2 ** log;
  const frame = new Uint8Array(size + bytes.length);
  for (let at = size - 1, left = number; at >= 0; at -= 1, left = Math.floor(left / 256)) frame[at] = left % 256;
  frame[0] |= log * 64;
  frame.set(bytes, size);
  return frame;
}

/** Puts pieces of a stream together to messages. */
class Frames {
  /** What has come of a message that is not whole: its pieces and their bytes, so that a long one is copied once only. */
  #pieces = /** @type {Uint8Array[]} */ ([]);
  #length = 0;

  /**
   * @param {Uint8Array} piece
   * @param {(message: string | ArrayBuffer) => void} take
   */
  add(piece, take) {
    this.#pieces.push(piece);
    this.#length += piece.length;
    for (;;) {
      const head = this.#head();
      if (!head || this.#length < head.size + head.length) return;
      const bytes = this.#whole();
      const end = head.size + head.length;
      const payload = bytes.slice(head.size, end);
      this.#pieces = end < bytes.length ? [bytes.subarray(end)] : [];
      this.#length = bytes.length - end;
      if (head.binary) take(payload.buffer);
      // A byte order mark at its beginning belongs to it.
      else if (payload.length > 0) take(new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload));
    }
  }

  /** The head of the first message, or nothing while it is not whole. */
  #head() {
    if (this.#length === 0) return undefined;
    if (this.#pieces[0].length < 8) this.#whole();
    const bytes = this.#pieces[0];
    const size = 2 ** (bytes[0] >> 6);
    if (bytes.length < size) return undefined;
    let number = bytes[0] & 63;
    for (let at = 1; at < size; at += 1) number = number * 256 + bytes[at];
    return { size, length: Math.floor(number / 2), binary: number % 2 === 1 };
  }

  /** All that has come, as one piece. */
  #whole() {
    if (this.#pieces.length > 1) {
      const whole = new Uint8Array(this.#length);
      let at = 0;
      for (const piece of this.#pieces) {
        whole.set(piece, at);
        at += piece.length;
      }
      this.#pieces = [whole];
    }
    return this.#pieces[0];
  }
}

/**
 * @param {any} data
 * @returns {string | Uint8Array}
 */
function bytesOf(data) {
  if (typeof data === "string") return data;
  return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
}

/**
 * One connection.
 *
 * @implements {TransportConnection}
 */
class Connection {
  #abort = new AbortController();
  #events;
  /** @type {WebTransport | undefined} */
  #session;
  /** @type {WritableStreamDefaultWriter<Uint8Array> | undefined} */
  #writer;
  #over = false;

  /**
   * @param {string} url
   * @param {number} patience In milliseconds.
   * @param {TransportEvents} events
   */
  constructor(url, patience, events) {
    this.#events = events;
    // Later: nothing may be reported before the caller has the connection.
    void Promise.resolve().then(() => this.#run(new URL(url), patience));
  }

  get ready() {
    return this.#writer !== undefined;
  }

  /** @param {any} data */
  send(data) {
    if (!this.#writer) throw new Error("The WebTransport session is not open");
    // A failure is the session's, which tells of it.
    this.#writer.write(framed(bytesOf(data))).catch(() => {});
  }

  close() {
    this.#over = true;
    this.#abort.abort();
    this.#leave();
  }

  /**
   * @param {URL} url
   * @param {number} patience
   */
  async #run(url, patience) {
    try {
      const late = new Error("The WebTransport session did not open in time");
      const timer = setTimeout(() => this.#abort.abort(late), patience);
      /** @type {ReadableStreamDefaultReader<Uint8Array>} */
      let reader;
      try {
        reader = await this.#unless(this.#connect(url));
      } finally {
        clearTimeout(timer);
      }
      if (this.#over) return;
      this.#events.open();
      const frames = new Frames();
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        frames.add(read.value, (message) => void (this.#over || this.#events.message(message)));
      }
      this.#end({ clean: true });
    } catch (error) {
      if (this.#over) return;
      // A session that was open has only ended; one that never was has failed.
      if (!this.ready) this.#events.error(error);
      this.#end({ reason: String(/** @type {any} */ (error)?.message ?? error), clean: false });
    }
  }

  /**
   * @param {URL} url
   * @returns {Promise<ReadableStreamDefaultReader<Uint8Array>>}
   */
  async #connect(url) {
    const path = url.pathname.replace(/\/$/, "");
    const asked = `${url.origin}${path}/webtransport${url.search}`;
    const answer = await fetch(asked, { signal: this.#abort.signal, cache: "no-store" });
    if (!answer.ok) throw new Error(`There are no WebTransport sessions here: the server answers ${answer.status}`);
    const { port, hashes } = await answer.json();
    this.#abort.signal.throwIfAborted();
    const serverCertificateHashes = hashes.map((/** @type {string} */ hash) => ({
      algorithm: "sha-256",
      value: Uint8Array.from(hash.match(/../g) ?? [], (digits) => parseInt(digits, 16)),
    }));
    const options = hashes.length > 0 ? { serverCertificateHashes } : {};
    const session = new WebTransport(`https://${url.hostname}:${port}${url.pathname}${url.search}`, options);
    this.#session = session;
    // Its failure is told by `ready`, or by the stream.
    session.closed.catch(() => {});
    await session.ready;
    const stream = await session.createBidirectionalStream();
    this.#abort.signal.throwIfAborted();
    const writer = stream.writable.getWriter();
    // The server sees the stream with its first bytes.
    await writer.write(framed(""));
    this.#writer = writer;
    return stream.readable.getReader();
  }

  /**
   * What `promise` comes to, unless it is aborted before.
   *
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  #unless(promise) {
    const { signal } = this.#abort;
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      promise.then(resolve, reject);
    });
  }

  /** @param {import("../../host/client/primus.d.ts").CloseInfo} info */
  #end(info) {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
    this.#events.close(info);
  }

  #leave() {
    this.#writer = undefined;
    try {
      this.#session?.close();
    } catch {
      // It never opened.
    }
  }
}

/** @type {TransportPart} */
const webtransport = {
  name: "webtransport",
  stream: true,

  supported() {
    return typeof WebTransport !== "undefined" && typeof fetch !== "undefined";
  },

  open({ url, last }, events) {
    return new Connection(url, last ? LAST_PATIENCE_MS : PATIENCE_MS, events);
  },
};

export default webtransport;

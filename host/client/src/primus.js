/**
 * The client: one logical connection to a Switchboard (or Primus 8) server, over as many real ones as it takes.
 *
 * Knows the order of things: options, hooks, and the verbs of the public API. Each of these lives in a file of its own; start
 * with `lifecycle.js` for what happens between `open` and `end`. Every step passes through an event (`outgoing::…`,
 * `incoming::…`) and an overridable method, because that is what plugins build on.
 *
 * @import { Definition, Options, PrimusOptions, ParsedUrl, ReadyState, Receiver, TransportConnection, Transformer, UriOptions } from "../primus.d.ts"
 */

import { EventEmitter } from "./emitter.js";
import { emits } from "./emits.js";
import { answerPings } from "./heartbeat.js";
import { changeState, expectOpen, followConnection } from "./lifecycle.js";
import { followNetwork, isOnline } from "./network.js";
import { normalize } from "./options.js";
import { codersNamed } from "./parser.js";
import { pipe } from "./pipe.js";
import { idRequest, receiveControl } from "./protocol.js";
import { enqueue, flushQueue } from "./queue.js";
import { Recovery } from "./recovery.js";
import { CLOSED, OPEN } from "./states.js";
import { Timers } from "./timers.js";
import { runTransformers } from "./transformers.js";
import { driveTransports, usable } from "./transports.js";
import { buildUri, defaultUrl, formatQuery, parseQuery, parseUrl } from "./url.js";

/** An emitter whose prototype also has what a definition sets (see `core.js`). */
const Defined = /** @type {new () => EventEmitter & Definition} */ (/** @type {any} */ (EventEmitter));

export class Primus extends Defined {
  /** @type {any[]} Messages that wait for a connection. */
  buffer = [];
  writable = true;
  readable = true;
  /** @type {ReadyState} */
  readyState = CLOSED;
  /** @type {any} What the transport talks over, while there is a connection. */
  socket = null;
  /** The name of the transport that carries the messages, while the connection is open. */
  transportName = "";
  /** @type {{ name: string, until: number } | null | undefined} The transport that worked the last time; see `memory.js`. */
  worked;
  /** The server said that it closes for good. */
  disconnect = false;
  /** The connection is being left for another one: what is written waits for that. */
  leaving = false;
  /** The application wants a connection: it opened one, and neither it nor the server ended it. */
  wanted = false;
  destroyed = false;
  online = isOnline();
  /** @type {{ incoming: Transformer[], outgoing: Transformer[] }} */
  transformers = { incoming: [], outgoing: [] };
  /** @type {Receiver[]} Take their messages out after the transformers, before `data`; see `Receiver`. */
  receivers = [];
  /** @type {TransportConnection | null} */
  connection = null;
  /** @type {() => void} */
  #leaveNetwork = () => {};

  /**
   * @param {string | PrimusOptions} [url]
   * @param {PrimusOptions} [options]
   */
  constructor(url, options) {
    super();
    const given = (typeof url === "object" ? url : options) ?? {};
    const address = (typeof url === "object" ? undefined : url) || given.url || given.uri || defaultUrl();
    if ("ping" in given || "pong" in given) {
      throw new Error("The options `ping` and `pong` are gone: the server pings, and `pingTimeout` is the wait for it");
    }

    /** @type {Options} */
    this.options = normalize(given, this);
    /** @type {ParsedUrl} */
    this.url = this.parse(address);
    this.transport = this.options.transport;
    this.timers = new Timers(this);
    this.recovery = new Recovery(this.options.reconnect);
    if (given.parser !== undefined) Object.assign(this, codersNamed(this, given.parser));
    if (given.websockets !== undefined) this.AVOID_WEBSOCKETS = !given.websockets;
    if (given.network !== undefined) this.NETWORK_EVENTS = given.network;

    this.initialise(this.options);
    // A moment later, so that the application can add its listeners first.
    if (!this.options.manual && this.readyState === CLOSED) this.timers.setTimeout("open", () => this.open(), 0);
  }

  /**
   * Sets up the client's own listeners, then its transport, then its extensions in their order.
   *
   * @param {Options} options
   */
  initialise(options) {
    followConnection(this);
    answerPings(this);
    this.on("incoming::data", (raw) => this.#decode(raw));
    this.client();
    for (const extension of Object.values(this.ark)) extension.call(this, this, options);
    if (this.NETWORK_EVENTS) this.#leaveNetwork = followNetwork(this);
  }

  /** Connects the client with a transport. */
  client() {
    if (!usable(this).length) {
      this.critical(new Error("No transport works here; in Node before 22, install the package `ws` (CommonJS) or give the option `WebSocket`"));
    }
    driveTransports(this);
  }

  /**
   * Opens the connection. Only for a client that is not connected and doesn't reconnect.
   *
   * @returns {this}
   */
  open() {
    if (this.destroyed) return this;
    this.wanted = true;
    this.timers.clear("open");
    expectOpen(this);
    this.emit("outgoing::open");
    return this;
  }

  /**
   * Sends a message; while there is no connection it is queued.
   *
   * @param {any} data
   * @returns {boolean} False only for a destroyed client.
   */
  write(data) {
    if (this.destroyed) return false;
    this.transforms(this, this, "outgoing", data);
    return true;
  }

  /**
   * Sends a message past the transformers.
   *
   * @param {any} data
   * @returns {boolean} Whether it went to the transport; else it was queued.
   */
  _write(data) {
    if (this.destroyed) return false;
    if (!this.connected()) {
      enqueue(this, data);
      return false;
    }
    this.encoder(data, (error, packet) => {
      if (error) this.emit("error", error);
      else if (packet) this.emit("outgoing::data", packet);
    });
    return true;
  }

  /** Sends what was queued, if it goes out now. */
  flush() {
    if (this.connected()) flushQueue(this);
  }

  /**
   * Whether a message that is written now goes out now. A connection that is closing or being left takes none, although it is open.
   *
   * @returns {boolean}
   */
  connected() {
    return this.readyState === OPEN && this.connection?.ready !== false && !this.leaving;
  }

  /**
   * Passes a message through the transformers of a direction, and on.
   *
   * @param {Primus} primus
   * @param {any} connection
   * @param {"incoming" | "outgoing"} direction
   * @param {any} data
   * @param {any} [raw]
   * @returns {this}
   */
  transforms(primus, connection, direction, data, raw) {
    runTransformers(primus, connection, direction, data, raw);
    return this;
  }

  /**
   * Ends the connection and all attempts to make one.
   *
   * @param {any} [data] A last message.
   * @returns {this}
   */
  end(data) {
    if (this.destroyed) return this;
    this.wanted = false;
    const reconnecting = this.recovery.reconnecting();
    const idle = this.readyState === CLOSED && !this.timers.active("connect") && !this.timers.active("open");
    if (idle && !reconnecting) return this;
    if (!idle && data !== undefined) this.write(data);

    this.recovery.reset();
    if (idle) {
      this.emit("end");
      return this;
    }
    this.writable = this.readable = false;
    this.timers.clear();
    changeState(this, CLOSED, "end");
    this.emit("outgoing::end");
    this.emit("close");
    this.emit("end");
    return this;
  }

  /**
   * Ends the connection, tells by `destroy`, and lets go of everything. The client can't be used again.
   *
   * @returns {boolean} False if it was destroyed already.
   */
  destroy() {
    if (this.destroyed) return false;
    this.end();
    this.destroyed = true;
    this.#leaveNetwork();
    this.timers.destroy();
    this.recovery.destroy();
    this.buffer = [];
    this.receivers = [];
    this.transformers = { incoming: [], outgoing: [] };
    this.emit("destroy");
    this.removeAllListeners();
    return true;
  }

  /**
   * Asks for the id of the connection's spark on the server.
   *
   * @param {(id: string) => void} fn
   * @returns {this}
   */
  id(fn) {
    const known = this.connection?.id ?? this.socket?.id;
    if (known) {
      fn(known);
      return this;
    }
    this.once("incoming::id", fn);
    if (this.readyState === OPEN) this._write(idRequest);
    return this;
  }

  /**
   * Adds a message transformer.
   *
   * @param {"incoming" | "outgoing"} direction
   * @param {Transformer} fn
   * @returns {this}
   */
  transform(direction, fn) {
    if (!Object.hasOwn(this.transformers, direction)) {
      return this.critical(new Error(`A transformer is for "incoming" or "outgoing", not ${JSON.stringify(direction)}`));
    }
    this.transformers[direction].push(fn);
    return this;
  }

  /**
   * The extension of that name, or all of them by name.
   *
   * @param {string} [name]
   * @returns {any}
   */
  plugin(name) {
    return name ? this.ark[name] : { ...this.ark };
  }

  /**
   * Makes a function that emits an event; see `emits.js`.
   *
   * @param {string} event
   * @param {...any} args
   * @returns {(...args: any[]) => boolean}
   */
  emits(event, ...args) {
    return emits(this, event, args);
  }

  /**
   * Writes every message into a stream; see `pipe.js`.
   *
   * @template T
   * @param {T} destination
   * @param {{ end?: boolean }} [options]
   * @returns {T}
   */
  pipe(destination, options) {
    return pipe(this, destination, options);
  }

  /**
   * Reports an error that must not be missed: as an `error` event, or else thrown.
   *
   * @param {Error} error
   * @returns {this}
   */
  critical(error) {
    if (this.emit("error", error)) return this;
    throw error;
  }

  /**
   * The URL that a transport opens; see `url.js`.
   *
   * @param {Partial<UriOptions>} [options]
   * @returns {string | UriOptions}
   */
  uri(options = {}) {
    return buildUri(this, options);
  }

  /**
   * @param {string} url
   * @returns {ParsedUrl}
   */
  parse(url) {
    return parseUrl(url);
  }

  /**
   * @param {string} text
   * @returns {Record<string, string>}
   */
  querystring(text) {
    return parseQuery(text);
  }

  /**
   * @param {Record<string, unknown>} values
   * @returns {string}
   */
  querystringify(values) {
    return formatQuery(values);
  }

  /** @param {any} raw */
  #decode(raw) {
    this.decoder(raw, (error, data) => {
      if (error) this.emit("error", error);
      else if (!this.protocol(data)) this.transforms(this, this, "incoming", data, raw);
    });
  }

  /**
   * Acts on a control message of the protocol.
   *
   * @param {unknown} message
   * @returns {boolean} Whether it was one.
   */
  protocol(message) {
    return receiveControl(this, message);
  }
}

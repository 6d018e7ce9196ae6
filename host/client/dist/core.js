var core = (() => {
  "use strict";
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

  // src/core.js
  var core_exports = {};
  __export(core_exports, {
    define: () => define,
    library: () => library,
    register: () => register
  });

  // src/emitter.js
  var EventEmitter = class {
    /** @type {Map<string | symbol, readonly Entry[]>} */
    #entries = /* @__PURE__ */ new Map();
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
      if (event === void 0) this.#entries.clear();
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
  };
  function entry(fn, context, once) {
    if (typeof fn !== "function") throw new TypeError("A listener must be a function");
    return { fn, context, once };
  }

  // src/memory.js
  var LIFETIME_MS = 24 * 60 * 60 * 1e3;
  function recall(primus) {
    const kept = primus.worked ?? read(primus);
    return kept && kept.until > Date.now() ? kept.name : void 0;
  }
  function remember(primus, { name }) {
    if (primus.transports.length < 2 || recall(primus) === name) return;
    primus.worked = { name, until: Date.now() + LIFETIME_MS };
    attempt((storage) => storage.setItem(keyOf(primus), JSON.stringify(primus.worked)));
  }
  function forget(primus, { name }) {
    if (recall(primus) === name) forgetAll(primus);
  }
  function forgetAll(primus) {
    primus.worked = null;
    attempt((storage) => storage.removeItem(keyOf(primus)));
  }
  function read(primus) {
    return attempt((storage) => {
      const { name, until } = JSON.parse(storage.getItem(keyOf(primus)) ?? "{}");
      return typeof name === "string" && typeof until === "number" ? { name, until } : null;
    });
  }
  function keyOf(primus) {
    return `primus.transport:${primus.url.origin}${primus.pathname}`;
  }
  function attempt(use) {
    if (typeof document === "undefined") return void 0;
    for (
      const name of
      /** @type {const} */
      ["localStorage", "sessionStorage"]
    ) {
      try {
        return use(globalThis[name]);
      } catch {
      }
    }
    return void 0;
  }

  // src/strategy.js
  function strategyNames(given, authorization) {
    if (given === false) return "";
    const names2 = typeof given === "string" ? given.split(",") : given ?? [];
    if (names2.length) return names2.map((name) => name.trim().toLowerCase()).join(",");
    return authorization ? "disconnect,online" : "disconnect,online,timeout";
  }
  function hasStrategy(primus, name) {
    return primus.options.strategy.split(",").includes(name);
  }

  // src/network.js
  function hasNetworkEvents() {
    return "onLine" in (globalThis.navigator ?? {}) && typeof globalThis.addEventListener === "function";
  }
  function isOnline() {
    return globalThis.navigator?.onLine !== false;
  }
  function followNetwork(primus) {
    const offline = () => {
      if (!primus.online) return;
      const { wanted } = primus;
      primus.online = false;
      primus.emit("offline");
      primus.end();
      primus.wanted = wanted;
    };
    const online = () => {
      forgetAll(primus);
      if (primus.online) return;
      primus.online = true;
      primus.emit("online");
      if (primus.wanted && hasStrategy(primus, "online")) primus.recovery.reconnect();
    };
    const { connection } = (
      /** @type {{ connection?: EventTarget & { type?: string } }} */
      globalThis.navigator ?? {}
    );
    let type = connection?.type;
    const changed = () => {
      if (connection?.type === type) return;
      type = connection?.type;
      forgetAll(primus);
    };
    globalThis.addEventListener("offline", offline);
    globalThis.addEventListener("online", online);
    connection?.addEventListener("change", changed);
    return () => {
      connection?.removeEventListener("change", changed);
      globalThis.removeEventListener("offline", offline);
      globalThis.removeEventListener("online", online);
    };
  }

  // src/parser.js
  function codersOf(part) {
    return { encoder: coder((value) => part.encode(value)), decoder: coder((data) => part.decode(data)) };
  }
  function codersNamed({ parsers }, name) {
    if (Object.hasOwn(parsers, name)) return parsers[name];
    const known = Object.keys(parsers).join(", ");
    throw new Error(`This client has no parser ${JSON.stringify(name)}, but: ${known}; the server's setting client_parsers adds others`);
  }
  function coder(convert) {
    return (data, fn) => {
      let result;
      try {
        result = convert(data);
      } catch (error) {
        fn(error);
        return;
      }
      fn(void 0, result);
    };
  }

  // src/emits.js
  function emits(emitter, event, args) {
    const last = args[args.length - 1];
    if (typeof last !== "function") return (...called) => emitter.emit(event, ...args, ...called);
    const curried = args.slice(0, -1);
    return (...called) => {
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
  function replaced(called, returned) {
    if (returned === void 0) return called;
    if (returned === null) return [];
    return Array.isArray(returned) ? returned : [returned];
  }

  // src/heartbeat.js
  function answerPings(primus) {
    primus.on("incoming::ping", (time) => {
      primus.online = true;
      expectPing(primus);
      primus.emit("outgoing::pong", time);
      primus._write(`primus::pong::${time}`);
    });
  }
  function expectPing(primus) {
    const { pingTimeout } = primus.options;
    if (!pingTimeout) return;
    primus.timers.setTimeout("heartbeat", () => {
      if (!primus.online) return;
      primus.online = false;
      primus.emit("offline");
      primus.emit("outgoing::end");
      primus.emit("incoming::end");
    }, pingTimeout);
  }

  // src/protocol.js
  var pattern = /^primus::([^:]*)::([^]*)$/;
  var idRequest = "primus::id::";
  var ticketRequest = "primus::ticket::";
  function receiveControl(primus, message) {
    if (typeof message !== "string" || !message.startsWith("primus::")) return false;
    const [, name, value] = pattern.exec(message) ?? [];
    if (name === "ping") primus.emit("incoming::ping", Number(value));
    else if (name === "id") primus.emit("incoming::id", value);
    else if (name === "ticket" || name === "left" || name === "moved") primus.emit(`incoming::${name}`, value);
    else if (name === "server" && value === "close") primus.disconnect = true;
    return true;
  }

  // src/queue.js
  function enqueue(primus, message) {
    const { buffer, options } = primus;
    buffer.push(message);
    if (buffer.length > options.queueSize) buffer.splice(0, buffer.length - options.queueSize);
  }
  function flushQueue(primus) {
    for (const message of primus.buffer.splice(0)) primus._write(message);
  }

  // src/states.js
  var OPENING = 1;
  var CLOSED = 2;
  var OPEN = 3;

  // src/lifecycle.js
  function followConnection(primus) {
    primus.on("outgoing::open", () => changeState(primus, OPENING, "opening"));
    primus.on("incoming::open", () => opened(primus));
    primus.on("incoming::error", (error) => failed(primus, asError(error)));
    primus.on("incoming::end", () => broken(primus));
    primus.recovery.on("reconnect scheduled", primus.emits("reconnect scheduled")).on("reconnect timeout", primus.emits("reconnect timeout")).on("reconnected", primus.emits("reconnected")).on("reconnect", (attempt2, done) => {
      primus.emit("outgoing::reconnect");
      primus.emit("reconnect", attempt2, done);
    }).on("reconnect failed", (error, attempt2) => {
      primus.wanted = false;
      primus.emit("end");
      primus.emit("reconnect failed", error, attempt2);
    });
  }
  function expectOpen(primus) {
    const { timeout } = primus.options;
    if (!timeout || primus.recovery.reconnecting()) return;
    primus.timers.setTimeout("connect", () => {
      if (primus.readyState === OPEN || primus.recovery.reconnecting()) return;
      primus.emit("outgoing::end");
      primus.emit("timeout");
      if (primus.readyState === OPENING) giveUpOrRetry(primus);
    }, timeout);
  }
  function changeState(primus, state, word) {
    if (primus.readyState === state) return;
    primus.readyState = state;
    primus.emit("readyStateChange", word);
  }
  function opened(primus) {
    primus.timers.clear("connect");
    primus.recovery.reconnected();
    primus.writable = primus.readable = true;
    if (!primus.online) {
      primus.online = true;
      primus.emit("online");
    }
    if (!primus.wanted) return;
    changeState(primus, OPEN, "open");
    expectPing(primus);
    flushQueue(primus);
    if (primus.listenerCount("incoming::id")) primus._write(idRequest);
    primus.emit("open");
  }
  function failed(primus, error) {
    if (primus.recovery.reconnecting()) {
      changeState(primus, CLOSED, "end");
      primus.recovery.reconnected(error);
      return;
    }
    const connecting = primus.readyState === OPENING;
    primus.timers.clear("connect");
    primus.emit("error", error);
    if (connecting && primus.readyState === OPENING) giveUpOrRetry(primus);
  }
  function broken(primus) {
    if (primus.disconnect) {
      primus.disconnect = false;
      primus.end();
      return;
    }
    const { readyState } = primus;
    if (readyState === OPENING && !primus.recovery.reconnecting()) {
      giveUpOrRetry(primus);
      return;
    }
    changeState(primus, CLOSED, "end");
    if (primus.recovery.reconnecting()) {
      primus.recovery.reconnect();
      return;
    }
    if (readyState !== OPEN) return;
    primus.writable = primus.readable = false;
    primus.timers.clear();
    primus.emit("close");
    if (primus.readyState !== CLOSED) return;
    if (primus.wanted && hasStrategy(primus, "disconnect")) {
      primus.recovery.reconnect();
    } else {
      primus.wanted = false;
      primus.emit("outgoing::end");
      primus.emit("end");
    }
  }
  function giveUpOrRetry(primus) {
    if (hasStrategy(primus, "timeout")) {
      primus.timers.clear("connect");
      changeState(primus, CLOSED, "end");
      primus.recovery.reconnect();
      return;
    }
    const { wanted, online } = primus;
    primus.end();
    primus.wanted = wanted && !online;
  }
  function asError(error) {
    if (error instanceof Error) return error;
    if (typeof error === "string") return new Error(error);
    return Object.assign(new Error(error?.message || error?.reason || "The connection failed"), error);
  }

  // src/options.js
  function normalize(given, definition) {
    const { queueSize = Infinity, timeout = 1e4, pingTimeout = definition.pingTimeout, reconnect = {}, transport = {} } = given;
    const { headStart = 1e3 } = given;
    const strategy = strategyNames(given.strategy, definition.authorization);
    return { ...given, queueSize, timeout, pingTimeout, reconnect, transport, headStart, strategy };
  }

  // src/pipe.js
  function pipe(source, destination, options) {
    const sink = sinkOf(destination);
    source.on("data", sink.write);
    if (options?.end !== false) {
      source.once("end", () => {
        source.off("data", sink.write);
        sink.end();
      });
    }
    sink.opened(source);
    return destination;
  }
  function sinkOf(destination) {
    if (typeof destination.getWriter !== "function") {
      return {
        write: (data) => destination.write(data),
        end: () => destination.end(),
        opened: (source) => destination.emit?.("pipe", source)
      };
    }
    const writer = destination.getWriter();
    const ignore = () => {
    };
    return {
      write: (data) => writer.write(data).catch(ignore),
      end: () => writer.close().catch(ignore),
      opened: ignore
    };
  }

  // src/duration.js
  var unitMs = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };
  var pattern2 = /^\s*(\d+(?:\.\d+)?)\s*(?:(ms|milliseconds?|msecs?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))?\s*$/i;
  function milliseconds(value) {
    const number = Number(value);
    if (!Number.isNaN(number)) return number;
    const match = pattern2.exec(String(value));
    if (!match) throw new RangeError(`Not a duration: ${JSON.stringify(value)} (write milliseconds, or text such as "30 seconds")`);
    const [, amount, , s, m, h, d] = match;
    const unit = s ? "s" : m ? "m" : h ? "h" : d ? "d" : "ms";
    return Number(amount) * unitMs[unit];
  }

  // src/timers.js
  var longestMs = 2 ** 31 - 1;
  var Timers = class {
    /** @type {Map<string, () => void>} */
    #cancel = /* @__PURE__ */ new Map();
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
    setTimeout(name, fn, delayMs2) {
      this.clear(name);
      const timer = setTimeout(() => {
        this.#cancel.delete(name);
        fn.call(this.#context);
      }, Math.min(delayMs2, longestMs));
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
    clear(...names2) {
      const gone = names2.length ? names2.flatMap((name) => name.split(/[, ]+/)) : [...this.#cancel.keys()];
      for (const name of gone) {
        this.#cancel.get(name)?.();
        this.#cancel.delete(name);
      }
    }
    destroy() {
      this.clear();
    }
  };

  // src/recovery.js
  var defaults = { max: Infinity, min: 500, retries: 10, factor: 2, "reconnect timeout": 3e4 };
  var Recovery = class extends EventEmitter {
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
        "reconnect timeout": milliseconds(given["reconnect timeout"])
      };
    }
    /**
     * Schedules the next attempt, the first or another one. Does nothing while one is scheduled already.
     *
     * @returns {this}
     */
    reconnect() {
      const now = Date.now();
      const attempt2 = this.attempt ?? { ...this.#limits, attempt: 0, start: now, duration: 0, scheduled: 0, backoff: false };
      if (attempt2.backoff) return this;
      this.#timers.clear();
      attempt2.duration = now - attempt2.start;
      if (attempt2.attempt >= attempt2.retries) {
        this.reset();
        this.emit("reconnect failed", new Error(`Gave up reconnecting after ${attempt2.attempt} attempts`), attempt2);
        return this;
      }
      attempt2.attempt += 1;
      attempt2.scheduled = delayMs(attempt2);
      attempt2.backoff = true;
      this.attempt = attempt2;
      this.#timers.setTimeout("delay", () => this.#connect(attempt2), attempt2.scheduled);
      this.emit("reconnect scheduled", attempt2);
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
      const attempt2 = this.attempt;
      if (!attempt2) return this;
      if (error) return this.reconnect();
      this.reset();
      attempt2.duration = Date.now() - attempt2.start;
      this.emit("reconnected", attempt2);
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
    #connect(attempt2) {
      attempt2.backoff = false;
      attempt2.duration = Date.now() - attempt2.start;
      this.#timers.setTimeout("deadline", () => this.#expired(attempt2), attempt2["reconnect timeout"]);
      this.emit("reconnect", attempt2, (error) => this.reconnected(error));
    }
    /** @param {ReconnectAttempt} attempt */
    #expired(attempt2) {
      const error = new Error("The attempt to reconnect took too long");
      attempt2.duration = Date.now() - attempt2.start;
      this.emit("reconnect timeout", error, attempt2);
      this.reconnected(error);
    }
  };
  function delayMs({ min, max, factor, attempt: attempt2 }) {
    return Math.min(max, Math.round((1 + Math.random()) * min * factor ** (attempt2 - 1)));
  }

  // src/transformers.js
  function runTransformers(primus, connection, direction, data, raw) {
    const packet = { data };
    const fns = (
      /** @type {Function[]} */
      primus.transformers[direction]
    );
    const run = (from) => {
      for (let index = from; index < fns.length; index += 1) {
        const transformer = fns[index];
        if (transformer.length > 1) {
          transformer.call(connection, packet, (error, verdict) => {
            if (error) connection.emit("error", error);
            else if (verdict !== false) run(index + 1);
          });
          return;
        }
        if (transformer.call(connection, packet) === false) return;
      }
      if (direction === "outgoing") connection._write(packet.data);
      else if (!primus.receivers.some((receive) => receive(packet.data))) connection.emit("data", packet.data, raw);
    };
    run(0);
  }

  // src/carriage.js
  var PIECE = 8192;
  var plain = { address: (url) => url, pack: (message) => message, unpack: (data) => data };
  var base64 = {
    address: (url) => `${url}${url.includes("?") ? "&" : "?"}_base64=1`,
    pack: (message) => typeof message === "string" ? message : btoa(characters(new Uint8Array(message))),
    unpack: (data) => typeof data === "string" ? Uint8Array.from(atob(data), (character) => character.charCodeAt(0)).buffer : data
  };
  function carriageOf(primus, part) {
    return part.carries === "text" && makesBytes(primus) ? base64 : plain;
  }
  function makesBytes(primus) {
    let packet;
    primus.encoder("", (_error, encoded) => {
      packet = encoded;
    });
    return ArrayBuffer.isView(packet) || Object.prototype.toString.call(packet) === "[object ArrayBuffer]";
  }
  function characters(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
    return text;
  }

  // src/race.js
  var TRUST = 4;
  var Race = class {
    #primus;
    #owner;
    /** Those that have not begun. @type {TransportPart[]} */
    #waiting;
    #trusted;
    /** @type {Set<Racer>} */
    #running = /* @__PURE__ */ new Set();
    /** Why the others have failed. @type {{ name: string, error: any }[]} */
    #failures = [];
    #over = false;
    /**
     * @param {Primus} primus
     * @param {TransportPart[]} parts The preferred first.
     * @param {string | undefined} trusted The one that worked the last time.
     * @param {Owner} owner
     */
    constructor(primus, parts, trusted, owner) {
      this.#primus = primus;
      this.#waiting = [...parts];
      this.#trusted = trusted;
      this.#owner = owner;
    }
    /** Lets the next one begin, and the one after it in a while. */
    next() {
      const part = this.#waiting.shift();
      if (this.#over || !part) return;
      const last = this.#waiting.length === 0;
      const headStartMs = this.#primus.options.headStart * (part.name === this.#trusted ? TRUST : 1);
      if (!last) this.#primus.timers.setTimeout("head-start", () => void (this.#mayBegin() && this.next()), headStartMs);
      this.#run(part, last);
    }
    /** Ends it; what is under way is closed. */
    stop() {
      this.#over = true;
      this.#primus.timers.clear("head-start");
      for (const { connection } of this.#running) connection?.close();
      this.#running.clear();
    }
    /** Whether the next one may begin beside others. A WebSocket that is to be avoided is for when all else has failed. */
    #mayBegin() {
      return !this.#primus.AVOID_WEBSOCKETS || this.#waiting[0]?.protocol !== "ws:" || this.#running.size === 0;
    }
    /**
     * @param {TransportPart} part
     * @param {boolean} last
     */
    #run(part, last) {
      const primus = this.#primus;
      const racer = { connection: null };
      let settled = null;
      const settle = () => {
        this.#running.delete(racer);
        this.stop();
        return settled = this.#owner.settled(
          part,
          /** @type {TransportConnection} */
          racer.connection
        );
      };
      const fail = (error, report) => {
        if (!this.#running.has(racer)) return;
        this.#owner.failed(part);
        this.#failures.push({ name: part.name, error });
        if (this.#running.size === 1 && !this.#waiting.length) return report(settle());
        this.#running.delete(racer);
        racer.connection?.close();
        if (this.#mayBegin()) this.next();
      };
      const events = {
        open: () => {
          if (this.#running.has(racer)) settle().open();
        },
        message: (data) => settled?.message(data),
        error: (error) => settled ? settled.error(error) : fail(error, (events2) => events2.error(this.#reason(error))),
        close: (info) => settled ? settled.close(info) : fail(info, (events2) => events2.close(info))
      };
      this.#running.add(racer);
      try {
        const url = carriageOf(primus, part).address(String(primus.uri({ protocol: part.protocol ?? "http:", query: true })));
        racer.connection = part.open({ url, options: primus.options, last }, events);
        this.#owner.opening(racer.connection);
      } catch (error) {
        primus.timers.setTimeout(`failure-${part.name}`, () => events.error(error), 0);
      }
    }
    /**
     * What is told when none is left: of several, why each did not open.
     *
     * @param {any} error That of the last one.
     * @returns {any}
     */
    #reason(error) {
      if (this.#failures.length < 2) return error;
      const reasons = this.#failures.map(({ name, error: error2 }) => `${name}: ${error2?.message || error2?.reason || "it was closed"}`);
      const failures = this.#failures.map(({ name, error: error2 }) => ({ transport: name, error: error2 }));
      return Object.assign(new Error(`No transport came through (${reasons.join("; ")})`, { cause: error }), { failures });
    }
  };

  // src/departure.js
  function departureFrom(primus, connection) {
    const { ticket } = connection;
    if (ticket === void 0) return stream(primus, connection);
    return {
      ticket: async () => ticket,
      hold: async () => await connection.hold?.() ?? "",
      release: () => connection.release?.(),
      retire: () => connection.retire?.(),
      ended: null
    };
  }
  function stream(primus, connection) {
    const awaited = /* @__PURE__ */ new Map();
    const wait = (event, fn) => {
      awaited.set(event, fn);
      primus.once(event, fn);
    };
    const over = () => {
      for (const [event, fn] of awaited) primus.off(event, fn);
      primus.leaving = false;
    };
    return {
      ticket: () => new Promise((resolve) => {
        wait("incoming::ticket", resolve);
        primus._write(ticketRequest);
      }),
      hold: () => new Promise((resolve, reject) => {
        wait("incoming::left", () => resolve(""));
        primus.leaving = true;
        primus.encoder("primus::leave::", (error, packet) => error ? reject(error) : connection.send(packet));
      }),
      release: over,
      retire: () => {
        over();
        connection.close();
      },
      ended: (fn) => wait("incoming::moved", fn)
    };
  }

  // src/succession.js
  var FIRST_DELAY_MS = 1e3;
  var FACTOR = 8;
  var LONGEST_DELAY_MS = 10 * 60 * 1e3;
  var PATIENCE_MS = 15e3;
  var MOVED = "primus::moved::";
  var Succession = class {
    #primus;
    #betterThan;
    #adopt;
    #delayMs = FIRST_DELAY_MS;
    /** Ends the attempt that is under way. */
    #abandon = () => {
    };
    /**
     * @param {Primus} primus
     * @param {(name: string) => TransportPart[]} betterThan The transports that are preferred to the one of that name.
     * @param {(part: TransportPart, connection: TransportConnection) => TransportEvents} adopt Makes a connection the client's, and
     *   gives what it is to report to.
     */
    constructor(primus, betterThan, adopt) {
      this.#primus = primus;
      this.#betterThan = betterThan;
      this.#adopt = adopt;
    }
    /** The connection has opened: looks for a better transport in a while, if there may be one. */
    opened() {
      this.#delayMs = FIRST_DELAY_MS;
      this.#schedule();
    }
    /** The connection is gone. */
    dropped() {
      this.#primus.timers.clear("succession");
      this.#abandon();
    }
    #candidates() {
      const { options, connection, transportName, transports } = this.#primus;
      const isStream = transports.some(({ name, stream: stream2 }) => name === transportName && stream2);
      if (options.upgrade === false || !connection || !(connection.ticket || isStream)) return [];
      return this.#betterThan(transportName).filter(({ succeeds }) => succeeds !== false);
    }
    #schedule() {
      if (!this.#candidates().length) return;
      const delayMs2 = this.#delayMs * (1 + Math.random());
      this.#delayMs = Math.min(this.#delayMs * FACTOR, LONGEST_DELAY_MS);
      this.#primus.timers.setTimeout("succession", () => this.#try(this.#candidates()), delayMs2);
    }
    /** @param {TransportPart[]} parts Those that are left to try. */
    #try([part, ...others]) {
      const primus = this.#primus;
      const former = primus.connection;
      if (!part || !former) return this.#schedule();
      const departure = departureFrom(primus, former);
      let connection = null;
      let adopted = null;
      const early = [];
      let held = false;
      let over = false;
      const finish = () => {
        over = true;
        this.#abandon = () => {
        };
        primus.timers.clear("succession-patience");
      };
      const abandon = () => {
        if (over) return;
        finish();
        connection?.close();
        departure.release();
        if (held && primus.connection === former) primus.flush();
      };
      const fail = () => {
        if (over) return;
        abandon();
        if (primus.connection === former) this.#try(others);
      };
      this.#abandon = abandon;
      primus.timers.setTimeout("succession-patience", fail, PATIENCE_MS);
      const carriage = carriageOf(primus, part);
      const adopt = () => {
        if (over || !connection) return;
        finish();
        departure.retire();
        const events2 = adopted = this.#adopt(part, connection);
        for (const data of early) events2.message(data);
      };
      const hold = async () => {
        held = true;
        departure.ended?.(adopt);
        const word = await departure.hold();
        if (over) return;
        primus.encoder(`primus::move::${word}`, (error, packet) => {
          if (error) fail();
          else connection?.send(carriage.pack(packet));
        });
      };
      const answered = (data) => {
        if (departure.ended) return void early.push(data);
        primus.decoder(carriage.unpack(data), (error, message) => {
          if (error || message !== MOVED) fail();
          else adopt();
        });
      };
      const events = {
        open: () => void (over || hold().catch(fail)),
        message: (data) => {
          if (adopted) adopted.message(data);
          else if (!over) answered(data);
        },
        error: (error) => adopted ? adopted.error(error) : fail(),
        close: (info) => adopted ? adopted.close(info) : fail()
      };
      const open = (ticket) => {
        if (over) return;
        const url = carriage.address(String(primus.uri({ protocol: part.protocol ?? "http:", query: true })));
        connection = part.open({ url: `${url}&_move=${encodeURIComponent(ticket)}`, options: primus.options, last: true }, events);
      };
      departure.ticket().then(open).catch(fail);
    }
  };

  // src/transports.js
  function driveTransports(primus) {
    let current = null;
    let race = null;
    let pack;
    const show = (connection) => {
      primus.connection = connection;
      primus.socket = connection.socket ?? connection;
    };
    const drop = () => {
      const gone = current && primus.connection;
      race?.stop();
      primus.connection = primus.socket = race = current = null;
      primus.transportName = "";
      succession.dropped();
      gone?.close();
    };
    const follow = (part, connection) => {
      const carriage = carriageOf(primus, part);
      const events = {
        open: () => {
          if (current !== events) return;
          primus.transportName = part.name;
          remember(primus, part);
          primus.emit("incoming::open");
          if (current === events) succession.opened();
        },
        message: (data) => {
          if (current !== events) return;
          try {
            data = carriage.unpack(data);
          } catch (error) {
            primus.emit("error", error);
            return;
          }
          primus.emit("incoming::data", data);
        },
        error: (error) => {
          if (current === events) primus.emit("incoming::error", error);
        },
        close: (info) => {
          if (current !== events) return;
          drop();
          primus.emit("incoming::end", info);
        }
      };
      pack = carriage.pack;
      if (connection) show(connection);
      return current = events;
    };
    const succession = new Succession(
      primus,
      (name) => {
        const parts = usable(primus);
        return parts.slice(0, Math.max(0, parts.findIndex((part) => part.name === name)));
      },
      (part, connection) => {
        const from = primus.transportName;
        const events = follow(part, connection);
        primus.transportName = part.name;
        remember(primus, part);
        primus.flush();
        primus.emit("moved", part.name, from);
        return events;
      }
    );
    primus.on("outgoing::open", () => {
      drop();
      race = new Race(primus, preferred(primus), recall(primus), { opening: show, settled: follow, failed: (part) => forget(primus, part) });
      race.next();
    });
    primus.on("outgoing::reconnect", () => void primus.emit("outgoing::open"));
    primus.on("outgoing::end", drop);
    primus.on("outgoing::data", (message) => {
      try {
        primus.connection?.send(pack(message));
      } catch (error) {
        primus.emit("incoming::error", error);
      }
    });
  }
  function usable(primus) {
    const parts = primus.transports.filter((part) => part.supported(primus.options));
    if (!primus.AVOID_WEBSOCKETS) return parts;
    return [...parts.filter(({ protocol }) => protocol !== "ws:"), ...parts.filter(({ protocol }) => protocol === "ws:")];
  }
  function preferred(primus) {
    const parts = usable(primus);
    const worked = recall(primus);
    return [...parts.filter(({ name }) => name === worked), ...parts.filter(({ name }) => name !== worked)];
  }

  // src/url.js
  function defaultUrl() {
    const origin = globalThis.location?.origin;
    return origin && origin !== "null" ? origin : "http://127.0.0.1";
  }
  function parseUrl(text) {
    const base = defaultUrl();
    const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text);
    const url = hasScheme || /^(?:[/?]|$)/.test(text) ? new URL(text, base) : new URL(`${new URL(base).protocol}//${text}`);
    const auth = url.username ? url.username + (url.password ? `:${url.password}` : "") : "";
    return {
      protocol: url.protocol,
      slashes: true,
      auth,
      username: url.username,
      password: url.password,
      host: url.host,
      hostname: url.hostname,
      port: url.port,
      pathname: url.pathname,
      query: url.search,
      hash: url.hash,
      origin: url.origin,
      href: url.href
    };
  }
  function parseQuery(text) {
    const values = /* @__PURE__ */ Object.create(null);
    for (const [name, value] of new URLSearchParams(text)) values[name] ??= value;
    return values;
  }
  function formatQuery(values) {
    return Object.entries(values).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value ?? ""))}`).join("&");
  }
  function buildUri(primus, wanted) {
    const { url } = primus;
    const { parser = primus.parserName } = primus.options;
    const asked = parser === primus.parserName ? "" : `_parser=${encodeURIComponent(parser)}`;
    const withQuery = Boolean(wanted.query);
    const secure = wanted.secure ?? /^(?:https|wss):$/.test(url.protocol);
    const parts = {
      protocol: "http:",
      auth: url.auth,
      pathname: primus.pathname,
      ...wanted,
      secure,
      port: Number(wanted.port ?? url.port) || (secure ? 443 : 80),
      query: [withQuery ? url.query.slice(1) : "", asked, `_primuscb=${uniqueStamp()}`].filter(Boolean).join("&")
    };
    primus.emit("outgoing::url", parts);
    if (!withQuery) delete parts.query;
    if (parts.object) return parts;
    const scheme = parts.secure ? parts.protocol.replace(/:$/, "s:") : parts.protocol;
    const credentials = parts.auth ? `${parts.auth}@` : "";
    const query = withQuery ? `?${parts.query}` : "";
    return `${scheme}//${credentials}${url.host}${parts.pathname || ""}${query}`;
  }
  var lastStamp = 0;
  function uniqueStamp() {
    lastStamp = Math.max(Date.now(), lastStamp + 1);
    return lastStamp.toString(36);
  }

  // src/primus.js
  var Defined = (
    /** @type {new () => EventEmitter & Definition} */
    /** @type {any} */
    EventEmitter
  );
  var Primus = class extends Defined {
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
    #leaveNetwork = () => {
    };
    /**
     * @param {string | PrimusOptions} [url]
     * @param {PrimusOptions} [options]
     */
    constructor(url, options) {
      super();
      const given = (typeof url === "object" ? url : options) ?? {};
      const address = (typeof url === "object" ? void 0 : url) || given.url || given.uri || defaultUrl();
      if ("ping" in given || "pong" in given) {
        throw new Error("The options `ping` and `pong` are gone: the server pings, and `pingTimeout` is the wait for it");
      }
      this.options = normalize(given, this);
      this.url = this.parse(address);
      this.transport = this.options.transport;
      this.timers = new Timers(this);
      this.recovery = new Recovery(this.options.reconnect);
      if (given.parser !== void 0) Object.assign(this, codersNamed(this, given.parser));
      if (given.websockets !== void 0) this.AVOID_WEBSOCKETS = !given.websockets;
      if (given.network !== void 0) this.NETWORK_EVENTS = given.network;
      this.initialise(this.options);
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
      if (!idle && data !== void 0) this.write(data);
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
  };

  // src/reserved.js
  var names = [
    "open",
    "data",
    "error",
    "end",
    "close",
    "timeout",
    "online",
    "offline",
    "destroy",
    "readyStateChange",
    "reconnect",
    "reconnect scheduled",
    "reconnect timeout",
    "reconnect failed",
    "reconnected",
    "moved"
  ];
  function reservedEvents() {
    const events = /* @__PURE__ */ Object.create(null);
    for (const name of names) events[name] = 1;
    const reserved = (event) => /^(?:incoming|outgoing)::/.test(event) || event in events;
    return Object.assign(reserved, { events });
  }

  // src/core.js
  function define(config) {
    function Constructor(url, options) {
      return Reflect.construct(Primus, [url, options], new.target ?? Constructor);
    }
    const shared = {};
    const members = {
      constructor: Constructor,
      pathname: config.pathname,
      version: config.version,
      authorization: config.authorization,
      pingTimeout: config.pingTimeout,
      library: config.library,
      transportNames: config.transports,
      parserName: config.parser,
      transports: [],
      parsers: {},
      ark: {},
      $: shared,
      encoder: noParser,
      decoder: noParser,
      reserved: reservedEvents(),
      AVOID_WEBSOCKETS: false,
      NETWORK_EVENTS: hasNetworkEvents()
    };
    Constructor.prototype = Object.assign(Object.create(Primus.prototype), members);
    const statics = {
      OPENING,
      CLOSED,
      OPEN,
      EventEmitter,
      Stream: EventEmitter,
      $: shared,
      connect: (url, options) => Constructor(url, options)
    };
    return (
      /** @type {any} */
      Object.defineProperty(Object.assign(Constructor, statics), "name", { value: "Primus" })
    );
  }
  function register(Primus2, kind, name, part) {
    const { prototype } = Primus2;
    switch (kind) {
      case "transport":
        prototype.transports.push(part);
        prototype.transports.sort((a, b) => rank(prototype.transportNames, a) - rank(prototype.transportNames, b));
        break;
      case "parser":
        prototype.parsers[name] = codersOf(part);
        if (name === prototype.parserName) Object.assign(prototype, prototype.parsers[name]);
        break;
      case "extension":
        prototype.ark[name] = part;
        break;
      default:
        throw new Error(`Unknown kind of client part: ${kind} (${name})`);
    }
  }
  function library(Primus2, script) {
    script.call(
      /** @type {any} */
      globalThis,
      Primus2
    );
  }
  function rank(names2, { name }) {
    const index = names2.indexOf(name);
    return index < 0 ? names2.length : index;
  }
  function noParser(_data, fn) {
    fn(new Error("This client has no parser: the server's parser plugin brought no client part"));
  }
  return __toCommonJS(core_exports);
})();

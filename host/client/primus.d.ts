/**
 * The client that a Switchboard host serves as `primus.js` (UMD, global `Primus`) and `primus.mjs` (ES module).
 *
 * Its API is that of Primus 8's client, so what is written for one runs on the other.
 */

/** 1 opening, 2 closed, 3 open. */
export type ReadyState = 1 | 2 | 3;

/** A duration: milliseconds, or text such as `"500 ms"`, `"30 seconds"`. */
export type Duration = number | string;

export type StrategyName = "disconnect" | "online" | "timeout";

export interface ReconnectOptions {
  /** The longest delay before an attempt. Default: none. */
  max?: Duration;
  /** The delay that the back-off starts from. Default: 500 ms. */
  min?: Duration;
  /** The number of attempts. Default: 10. */
  retries?: number;
  /** How long an attempt may take. Default: 30 seconds. */
  "reconnect timeout"?: Duration;
  /** By how much the delay grows from attempt to attempt. Default: 2. */
  factor?: number;
}

/** The figures of an attempt to reconnect. All durations are milliseconds. */
export interface ReconnectAttempt {
  /** Number of this attempt, from 1. */
  attempt: number;
  retries: number;
  min: number;
  max: number;
  factor: number;
  "reconnect timeout": number;
  /** The delay before this attempt. */
  scheduled: number;
  /** When the first attempt was scheduled, as milliseconds since 1970. */
  start: number;
  /** Time since then. */
  duration: number;
  /** Whether the delay is still running. */
  backoff: boolean;
}

export interface PrimusOptions {
  /** The server, if it isn't given as the first argument. Default: the page's origin. */
  url?: string;
  /** The same as `url`. */
  uri?: string;
  reconnect?: ReconnectOptions;
  /** How long the first connection may take, in milliseconds; `false` or 0: any time. Default: 10000. */
  timeout?: number | false;
  /** How long to wait for a ping of the server, in milliseconds; `false`: for ever. Default: what the server was set to. */
  pingTimeout?: number | false;
  /** When to reconnect: names in an array or joined by commas, or `false` for never. Default: all (without `timeout` if the server authorizes). */
  strategy?: false | string | readonly (StrategyName | string)[];
  /** Don't open the connection until `open()` is called. Default: false. */
  manual?: boolean;
  /** The message format, of those that the client was assembled with. Default: the server's. */
  parser?: string;
  /** `false` uses WebSocket only if there is no other transport. */
  websockets?: boolean;
  /** Whether to follow the browser's `online` and `offline` events. Default: if it has them. */
  network?: boolean;
  /** Options for the transport; the websocket transport passes them to the constructor in Node. */
  transport?: Record<string, any>;
  /** How many messages may wait for a connection; beyond it the oldest is lost. Default: Infinity. */
  queueSize?: number;
  /**
   * How long a transport has for itself before the next one begins beside it, in milliseconds; what worked the last time has four
   * times as long. Default: 1000.
   */
  headStart?: number;
  /** Whether to look for a better transport than the one that works, and to move there. Default: true. */
  upgrade?: boolean;
  /** The WebSocket constructor to use. Default: the global one, or else that of the package `ws`. */
  WebSocket?: any;
  /** Options of plugins. */
  [plugin: string]: any;
}

/** The options after their defaults were filled in. */
export interface Options extends PrimusOptions {
  reconnect: ReconnectOptions;
  timeout: number | false;
  pingTimeout: number | false;
  /** Names joined by commas. */
  strategy: string;
  transport: Record<string, any>;
  queueSize: number;
  headStart: number;
}

export interface ParsedUrl {
  protocol: string;
  slashes: boolean;
  auth: string;
  username: string;
  password: string;
  host: string;
  hostname: string;
  port: string;
  pathname: string;
  /** With its `?`. */
  query: string;
  hash: string;
  origin: string;
  href: string;
}

/** What listeners of `outgoing::url` may change before a transport's URL is built. */
export interface UriOptions {
  /** For the insecure case, with its colon: `ws:`, `http:`. */
  protocol: string;
  secure: boolean;
  /** `name:password`, or empty. */
  auth: string;
  pathname: string;
  port: number;
  /** Without its `?`. */
  query?: string | boolean;
  /** Whether `uri()` gives these parts instead of the text. */
  object?: boolean;
}

export interface Packet {
  data: any;
}

/**
 * Sees a message on its way. With one parameter it is done when it returns, with two when it calls `next`.
 * Returning `false`, or passing it to `next`, keeps the message from going on.
 */
export type Transformer = (this: any, packet: Packet, next: (error?: any, verdict?: any) => void) => any;

/**
 * Takes an extension's own messages out of the stream of data, after all transformers: `true` for a message that
 * `data` listeners must not see.
 */
export type Receiver = (data: any) => boolean;

export type ReservedEvents = ((event: string) => boolean) & { events: Record<string, unknown> };

export type ErrorListener = (error: any) => void;

export declare class EventEmitter {
  on(event: string | symbol, fn: (...args: any[]) => void, context?: any): this;
  once(event: string | symbol, fn: (...args: any[]) => void, context?: any): this;
  addListener(event: string | symbol, fn: (...args: any[]) => void, context?: any): this;
  prependListener(event: string | symbol, fn: (...args: any[]) => void): this;
  off(event: string | symbol, fn?: (...args: any[]) => void): this;
  removeListener(event: string | symbol, fn?: (...args: any[]) => void): this;
  removeAllListeners(event?: string | symbol): this;
  emit(event: string | symbol, ...args: any[]): boolean;
  listeners(event: string | symbol): ((...args: any[]) => void)[];
  listenerCount(event: string | symbol): number;
  eventNames(): (string | symbol)[];
}

/** Why a transport did not open. */
export interface TransportFailure {
  /** Its name. */
  transport: string;
  error: any;
}

/** The client's own events and what their listeners get. */
export interface PrimusEvents {
  /** The connection is open: the first one, or another after a reconnect. */
  open: () => void;
  /** A message; `raw` is what it was decoded from. */
  data: (data: any, raw: any) => void;
  /** Something failed. When several transports were tried and none came through, `failures` says why each did not. */
  error: ErrorListener;
  /** A connection ended; another may follow. */
  close: () => void;
  /** The last connection ended; no other will follow by itself. */
  end: () => void;
  /** The first connection took longer than `timeout`. */
  timeout: () => void;
  online: () => void;
  offline: () => void;
  readyStateChange: (state: "opening" | "open" | "end") => void;
  destroy: () => void;
  "reconnect scheduled": (attempt: ReconnectAttempt) => void;
  reconnect: (attempt: ReconnectAttempt, done: (error?: any) => void) => void;
  "reconnect timeout": (error: Error, attempt: ReconnectAttempt) => void;
  reconnected: (attempt: ReconnectAttempt) => void;
  "reconnect failed": (error: Error, attempt: ReconnectAttempt) => void;
  /** The connection goes on by another transport; nothing was lost, and nothing else has changed. */
  moved: (to: string, from: string) => void;
  "incoming::open": () => void;
  "incoming::data": (raw: any) => void;
  "incoming::error": ErrorListener;
  "incoming::end": (info?: CloseInfo) => void;
  "incoming::ping": (time: number) => void;
  "incoming::id": (id: string) => void;
  "outgoing::open": () => void;
  "outgoing::reconnect": () => void;
  "outgoing::data": (packet: any) => void;
  "outgoing::end": () => void;
  "outgoing::pong": (time: number) => void;
  "outgoing::url": (parts: UriOptions) => void;
}

export interface Timers {
  setTimeout(name: string, fn: () => void, delayMs: number): void;
  setInterval(name: string, fn: () => void, periodMs: number): void;
  active(name: string): boolean;
  clear(...names: string[]): void;
}

export interface Recovery extends EventEmitter {
  attempt: ReconnectAttempt | null;
  reconnect(): this;
  reconnecting(): boolean;
  reconnected(error?: any): this;
  reset(): this;
}

export declare class Primus extends EventEmitter {
  static readonly OPENING: 1;
  static readonly CLOSED: 2;
  static readonly OPEN: 3;
  static readonly EventEmitter: typeof EventEmitter;
  static readonly Stream: typeof EventEmitter;
  /** Where plugins leave things for each other. */
  static readonly $: Record<string, any>;
  static connect(url?: string, options?: PrimusOptions): Primus;
  static connect(options: PrimusOptions): Primus;

  constructor(url?: string, options?: PrimusOptions);
  constructor(options: PrimusOptions);

  readonly url: ParsedUrl;
  readonly options: Options;
  readonly readyState: ReadyState;
  readonly online: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
  /** What the transport talks over, while there is a connection. */
  readonly socket: any;
  readonly transport: Record<string, any>;
  /** The name of the transport that carries the messages, while the connection is open; else empty. */
  readonly transportName: string;
  /** Messages that wait for a connection. */
  readonly buffer: any[];
  readonly timers: Timers;
  readonly recovery: Recovery;
  readonly transformers: { incoming: Transformer[]; outgoing: Transformer[] };
  readonly receivers: Receiver[];

  /** Set by the server that the client belongs to. */
  readonly pathname: string;
  readonly version: string;
  readonly authorization: boolean;
  /** Hash of the parts that this client was assembled from. */
  readonly library: string;
  readonly ark: Record<string, ExtensionPart>;
  readonly $: Record<string, any>;
  readonly reserved: ReservedEvents;

  /** Opens the connection of a client that is neither connected nor reconnecting. */
  open(): this;
  /** Sends a message; while there is no connection it is queued. */
  write(data: any): boolean;
  /** Ends the connection for good, after a last message if one is given. */
  end(data?: any): this;
  /** Ends the connection and lets go of everything; false if that was done before. */
  destroy(): boolean;
  /** Asks for the id of this connection's spark. */
  id(fn: (id: string) => void): this;
  transform(direction: "incoming" | "outgoing", fn: Transformer): this;
  /** All extensions by name. */
  plugin(): Record<string, ExtensionPart>;
  plugin(name: string): ExtensionPart | undefined;
  /** Makes a function that emits `event`; a last argument that is a function may change what is emitted. */
  emits(event: string, ...args: any[]): (...args: any[]) => boolean;
  /** Writes every message into a Node stream or a `WritableStream`, and ends it with the client unless `end` is false. */
  pipe<T>(destination: T, options?: { end?: boolean }): T;
  /** Reports an error as an `error` event, or throws it if nobody listens. */
  critical(error: Error): this;
  uri(options?: Partial<UriOptions>): string | UriOptions;
  parse(url: string): ParsedUrl;
  querystring(text: string): Record<string, string>;
  querystringify(values: Record<string, unknown>): string;

  on<E extends keyof PrimusEvents>(event: E, fn: PrimusEvents[E], context?: any): this;
  on(event: string | symbol, fn: (...args: any[]) => void, context?: any): this;
  once<E extends keyof PrimusEvents>(event: E, fn: PrimusEvents[E], context?: any): this;
  once(event: string | symbol, fn: (...args: any[]) => void, context?: any): this;
}

export default Primus;

declare global {
  /** The client of `primus.js` when it was loaded by a script element. */
  var Primus: PrimusConstructor;
}

/* For plugins: what their client parts are made of, and what those may use of a client. */

/** A client as its own parts and extensions see it. */
export interface PrimusInternals {
  /** Sends a message past the transformers; false if it was queued. */
  _write(data: any): boolean;
  /** Whether a message that is written now goes out now. */
  connected(): boolean;
  initialise(options: Options): void;
  client(): void;
  transforms(primus: any, connection: any, direction: "incoming" | "outgoing", data: any, raw?: any): this;
  protocol(message: unknown): boolean;
}

export type PrimusClient = Primus & PrimusInternals;

/** `Primus` is also a function that needs no `new`, and its prototype takes the parts. */
export type PrimusConstructor = typeof Primus & {
  (url?: string, options?: PrimusOptions): Primus;
  (options: PrimusOptions): Primus;
  prototype: Definition;
};

/** What `core.define` sets on the prototype of a client, and its parts add to. */
export interface Definition {
  pathname: string;
  version: string;
  authorization: boolean;
  pingTimeout: number | false;
  library: string;
  transportNames: readonly string[];
  parserName: string;
  transports: TransportPart[];
  /** By name; the one named `parserName` is also the client's own `encoder` and `decoder`. */
  parsers: Record<string, Coders>;
  ark: Record<string, ExtensionPart>;
  $: Record<string, any>;
  encoder: Coders["encoder"];
  decoder: Coders["decoder"];
  reserved: ReservedEvents;
  AVOID_WEBSOCKETS: boolean;
  NETWORK_EVENTS: boolean;
}

/** A parser in the form that Primus has it. */
export interface Coders {
  encoder(data: any, fn: (error: any, packet?: any) => void): void;
  decoder(raw: any, fn: (error: any, data?: any) => void): void;
}

/** What the host passes to `core.define`. */
export interface ClientConfig {
  pathname: string;
  version: string;
  /** Default of the option `pingTimeout`, in milliseconds. */
  pingTimeout: number | false;
  authorization: boolean;
  /** Name of the global variable. */
  global: string;
  /** Names of the transports, the preferred first. */
  transports: readonly string[];
  /** Name of the parser that the server takes for a client that asks for none. */
  parser: string;
  library: string;
}

/** Runs once for each new client, with the client as `this`, in the order of registration. */
export type ExtensionPart = (this: any, primus: any, options: Options) => void;

export interface ParserPart {
  name: string;
  /** Encodes a message; nothing is sent for an empty result. */
  encode(value: any): string | ArrayBuffer | Uint8Array | undefined;
  /** Decodes what the transport received: text, or binary as an `ArrayBuffer`. Throws what it can't. */
  decode(data: any): any;
}

export interface TransportPart {
  name: string;
  /** Protocol of the URL that it opens, for the insecure case. Default: `http:`. */
  protocol?: string;
  /** What it carries: with `"text"`, bytes are handed to it in base64. Default: text and bytes. */
  carries?: "text";
  /** Whether a connection of it can take the place of another transport's. Default: true. */
  succeeds?: boolean;
  /** Whether a connection of it is one stream, so that another can take its place without its help. Default: false. */
  stream?: boolean;
  /** Whether it works in this runtime. */
  supported(options: Options): boolean;
  /** Begins to connect. Events may only be reported after it has returned. */
  open(target: TransportTarget, events: TransportEvents): TransportConnection;
}

export interface TransportTarget {
  url: string;
  options: Options;
  /** Whether no other transport is left to try: it has to come through somehow. Default: true. */
  last?: boolean;
}

export interface TransportEvents {
  open(): void;
  message(data: string | ArrayBuffer): void;
  error(error: any): void;
  /** The connection is over. It comes once, after `error` if there was one. */
  close(info?: CloseInfo): void;
}

export interface CloseInfo {
  code?: number;
  reason?: string;
  clean?: boolean;
}

export interface TransportConnection {
  send(data: any): void;
  /** Closes at once; nothing is reported any more. */
  close(): void;
  /** False while messages can't be sent although no close was reported yet; they are queued then. */
  readonly ready?: boolean;
  /** What is shown as `primus.socket`; the connection itself if missing. */
  readonly socket?: any;
  /** The spark's id, where the transport knows it. */
  readonly id?: string;
  /** By what the server lets another connection take this one's place; then the three methods that follow are there. A stream has none. */
  readonly ticket?: string;
  /** Stops sending and receiving. The answer comes when all that was sent has arrived: it tells the server what has come. */
  hold?(): Promise<string>;
  /** Goes on after `hold`. */
  release?(): void;
  /** Another connection has taken its place: it ends without a word to the server. */
  retire?(): void;
}

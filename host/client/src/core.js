/**
 * The entry of the bundle: how the host puts a client together from the core and the parts of its plugins.
 *
 *     var Primus = core.define({ pathname: "/primus", … });
 *     core.register(Primus, "transport", "websocket", …);
 *     core.register(Primus, "parser", "json", …);
 *     core.register(Primus, "extension", "rooms", …);
 *     core.library(Primus, function (Primus) { … });
 *
 * @import { ClientConfig, PrimusConstructor } from "../primus.d.ts"
 */

import { EventEmitter } from "./emitter.js";
import { hasNetworkEvents } from "./network.js";
import { codersOf } from "./parser.js";
import { Primus as Client } from "./primus.js";
import { reservedEvents } from "./reserved.js";
import { CLOSED, OPEN, OPENING } from "./states.js";

/**
 * Makes the constructor of a client for one server. Each has its own prototype, so that several can live in one page.
 *
 * @param {ClientConfig} config
 * @returns {PrimusConstructor}
 */
export function define(config) {
  // Not a class, because applications may call it without `new`.
  /**
   * @param {any} [url]
   * @param {any} [options]
   * @returns {any}
   */
  function Constructor(url, options) {
    return Reflect.construct(Client, [url, options], new.target ?? Constructor);
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
    NETWORK_EVENTS: hasNetworkEvents(),
  };
  Constructor.prototype = Object.assign(Object.create(Client.prototype), members);
  const statics = {
    OPENING,
    CLOSED,
    OPEN,
    EventEmitter,
    Stream: EventEmitter,
    $: shared,
    connect: (/** @type {any} */ url, /** @type {any} */ options) => Constructor(url, options),
  };
  return /** @type {any} */ (Object.defineProperty(Object.assign(Constructor, statics), "name", { value: "Primus" }));
}

/**
 * Adds a plugin's part to a client.
 *
 * @param {PrimusConstructor} Primus
 * @param {"transport" | "parser" | "extension"} kind
 * @param {string} name The plugin's name for it.
 * @param {any} part A `TransportPart`, a `ParserPart` or an `ExtensionPart`.
 */
export function register(Primus, kind, name, part) {
  const { prototype } = Primus;
  switch (kind) {
    case "transport":
      // The configuration says which transports there are, in the order of preference.
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

/**
 * Runs a plugin's library, once, with the constructor. As a plain script it expects the global object as `this`.
 *
 * @param {PrimusConstructor} Primus
 * @param {(Primus: PrimusConstructor) => void} script
 */
export function library(Primus, script) {
  script.call(/** @type {any} */ (globalThis), Primus);
}

/**
 * @param {readonly string[]} names
 * @param {{ name: string }} part
 * @returns {number}
 */
function rank(names, { name }) {
  const index = names.indexOf(name);
  return index < 0 ? names.length : index;
}

/**
 * @param {any} _data
 * @param {(error: Error) => void} fn
 */
function noParser(_data, fn) {
  fn(new Error("This client has no parser: the server's parser plugin brought no client part"));
}

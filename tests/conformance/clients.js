/**
 * @file Every way in which a program becomes a Primus client, behind one interface.
 *
 * The npm package makes clients in two ways: a constructor for Node (`Primus.createSocket`) and the text of a library for
 * browsers. Both are tried for each transformer whose wire is WebSocket, and the first for the other transformers. The client
 * that the server under test serves itself is tried too: as a browser runs it, and as Node does. All of them speak the parser
 * that the server's settings name.
 */

import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import vm from 'node:vm';

import WebSocket from 'ws';

import { Connection } from './connection.js';
import { implementation } from './server.js';

const require = createRequire(import.meta.url);
const Primus = require('primus');

/** The packages that make clients: Primus, the older one, and the older one with emitter, rooms and multiplex in it. */
const packages = { primus: Primus, 'primus-6': require('primus-6'), 'primus.io': require('primus.io') };

/** What the older ones would find beside them. */
const olderPeers = { 'engine.io-client': 'engine.io-client-3' };

/** Fast reconnects, so that a restart of the server is over soon; otherwise the defaults. */
const quickly = { reconnect: { min: 5, max: 100, factor: 1.2, retries: 500, 'reconnect timeout': 2_000 } };

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {string} [transformer] Of the reference, where it has one.
 * @property {Partial<import('./server.js').Settings>} [settings] What else the server has to have.
 * @property {boolean} headers Whether it can send headers of its own, as Node can and browsers can't.
 * @property {(server: import('./server.js').Server) => Promise<any>} constructorFor
 */

/** The npm client as a constructor for Node. @returns {Kind} */
export const inNodeOver = (transformer) => ({
  name: `npm client, ${transformer}, in Node`,
  transformer,
  headers: true,
  constructorFor: async (server) => Primus.createSocket(detached(transformer, server.settings)),
});

/** A client of an older package in Node. @returns {Kind} */
export const olderInNodeOver = (transformer, name) => ({
  name: `npm ${name}, ${transformer}, in Node`,
  transformer,
  headers: true,
  constructorFor: async (server) =>
    inNode(libraryText(transformer, server.settings, { name, forNode: true }), (peer) => require(olderPeers[peer] ?? peer)),
});

/** Those whose wire is WebSocket. @type {Kind[]} */
export const kinds = [
  ...['websockets', 'faye', 'uws'].flatMap((transformer) => [
    inNodeOver(transformer),
    {
      name: `npm client, ${transformer}, as a browser runs it`,
      transformer,
      headers: false,
      constructorFor: async (server) => inBrowser(libraryText(transformer, server.settings)),
    },
  ]),
  {
    name: 'the served client, as a browser runs it',
    transformer: 'websockets',
    headers: false,
    constructorFor: async (server) => inBrowser(await servedText(server)),
  },
  {
    name: 'the served client, in Node',
    transformer: 'websockets',
    headers: true,
    constructorFor: async (server) => inNode(await servedText(server)),
  },
];

/** The served client where there is no WebSocket (ours only). @type {Kind[]} */
export const kindsOverHttp = implementation === 'reference' ? [] : [
  ['sse', 'sse'],
  ['long-polling', 'long_polling'],
].flatMap(([transport, library]) => {
  const settings = {
    plugins: ['json', library, 'conformance_app'],
    // So long it tries to go on with its session when the server is down.
    tables: { [transport]: { disconnect_ms: 3_000 } },
  };
  return [
    {
      name: `the served client over ${transport}, as a browser runs it`,
      headers: false,
      settings,
      constructorFor: async (server) => inBrowser(await servedText(server)),
    },
    {
      name: `the served client over ${transport}, in Node`,
      headers: true,
      settings,
      constructorFor: async (server) => inNode(await servedText(server)),
    },
  ];
});

/**
 * Makes a client of `kind` that connects to `server` and is ended with the test `t`. It isn't open yet.
 *
 * @param {import('node:test').TestContext} t
 * @param {Kind} kind
 * @param {import('./server.js').Server} server
 * @param {{ query?: string, options?: object }} [with]
 */
export async function connecting(t, kind, server, { query = '', options = {} } = {}) {
  const Constructor = await kind.constructorFor(server);
  const connection = new Connection(new Constructor(`${server.url}${query}`, { ...quickly, ...options }));
  t.after(() => connection.end());
  return connection;
}

/** Like `connecting`, but resolves when it is open. */
export async function connected(t, kind, server, how) {
  const connection = await connecting(t, kind, server, how);
  await connection.event('open');
  return connection;
}

/** What `new Primus` and `createSocket` need to build a client without a server. */
function detached(transformer, { parser = 'json', pathname, pingInterval, emitter }) {
  return {
    // The server part of `uws` can't be loaded without its binary, so its client part stands alone.
    transformer: transformer === 'uws' ? require('primus/transformer').extend({ client: require('primus/transformers/websockets/client') }) : transformer,
    parser,
    pathname,
    pingInterval,
    plugin: emitter ? { emitter: require('primus-emitter') } : {},
  };
}

/** The text of the library that Primus, or another of the packages, builds for browsers. */
export function libraryText(transformer, settings, { name = 'primus', forNode = false } = {}) {
  // primus.io has the emitter in it.
  const primus = new packages[name](new EventEmitter(), detached(transformer, name === 'primus.io' ? { ...settings, emitter: false } : settings));
  clearInterval(primus.heartbeatInterval);
  return primus.library(forNode);
}

/** The text of the client that the server under test serves. */
async function servedText(server) {
  const response = await fetch(server.at('/primus.js'));
  if (response.status !== 200) throw new Error(`primus.js was answered with ${response.status}`);
  return response.text();
}

/** Runs a library as a page would: in a realm of its own, with a WebSocket that takes no headers, and no `require`. */
export function inBrowser(text) {
  class BrowserWebSocket extends WebSocket {
    constructor(url, ...protocols) {
      super(url, ...protocols);
    }
  }
  const realm = vm.createContext({
    WebSocket: BrowserWebSocket,
    ArrayBuffer,
    Uint8Array,
    TextEncoder,
    TextDecoder,
    AbortController,
    ReadableStream,
    DataView,
    atob,
    btoa,
    fetch,
    URL,
    URLSearchParams,
    console,
    queueMicrotask,
    setTimeout,
    clearTimeout,
    setInterval,
    clearInterval,
  });
  vm.runInContext(text, realm, { filename: 'primus.js' });
  return realm.Primus;
}

/** Runs a library as `require` would, with what it requires. */
export function inNode(text, required = require) {
  const module = { exports: {} };
  vm.runInThisContext(`(function (module, exports, require) {${text}\n})`, { filename: 'primus.js' })
    .call(module.exports, module, module.exports, required);
  return module.exports.Primus ?? module.exports;
}

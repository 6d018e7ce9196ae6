/**
 * @file How a client of the bench is connected: the clients of each transport behind one interface of values.
 *
 * Knows clients' libraries; nothing of numbers.
 */

import { createRequire } from 'node:module';

import WebSocket from 'ws';

const require = createRequire(import.meta.url);

/**
 * @typedef {object} Listener
 * @property {() => void} opened
 * @property {(value: any) => void} received
 * @property {(why: string) => void} closed Once, also where it never opened.
 */

/** Milliseconds that clients wait where they would give up by themselves: a busy machine is not a fault of the server. */
const PATIENCE = 60_000;

/** Which plugins each needs besides the parser. */
export const needs = {
  websocket: ['websocket'],
  primus: ['websocket'],
  'engine.io polling': ['engine-io'],
  'engine.io websocket': ['engine-io'],
  'sockjs websocket': ['sockjs'],
  'sockjs xhr-streaming': ['sockjs'],
};

/** Those whose sessions live by requests that only the plugin understands: where it is away, they end. */
export const goesWith = {
  'engine.io polling': ['engine-io'],
  'sockjs xhr-streaming': ['sockjs'],
};

/**
 * Connects. The answer sends values and closes.
 *
 * @param {keyof typeof needs} carrier
 * @param {number} port
 * @param {Record<string, string>} query
 * @param {Listener} listener
 * @returns {{ send(value: unknown): void, close(): void }}
 */
export function connect(carrier, port, query, listener) {
  const url = `http://127.0.0.1:${port}/primus?${new URLSearchParams(query)}`;
  const once = { ...listener, closed: onlyOnce(listener.closed) };
  switch (carrier) {
    case 'websocket':
      return overWebSocket(url, once);
    case 'primus':
      return overPrimus(url, once);
    case 'engine.io polling':
      return overEngine(port, ['polling'], query, once);
    case 'engine.io websocket':
      return overEngine(port, ['websocket'], query, once);
    case 'sockjs websocket':
      return overSockJS(url, 'websocket', once);
    case 'sockjs xhr-streaming':
      return overSockJS(url, 'xhr-streaming', once);
    default:
      throw new Error(`there is no carrier ${carrier}`);
  }
}

function overWebSocket(url, { opened, received, closed }) {
  const socket = new WebSocket(url.replace('http', 'ws'), { perMessageDeflate: false });
  socket.on('open', opened);
  socket.on('message', (data) => take(data, received, (text) => socket.send(text)));
  socket.on('unexpected-response', (request, response) => {
    closed(`refused with ${response.statusCode}`);
    request.destroy();
  });
  socket.on('error', (error) => closed(`error: ${error.message}`));
  socket.on('close', (code) => closed(`closed with ${code}`));
  return { send: (value) => socket.send(JSON.stringify(value)), close: () => socket.close() };
}

function overPrimus(url, { opened, received, closed }) {
  const Primus = require('primus');
  const Client = Primus.createSocket({ transformer: 'websockets', parser: 'json', pathname: '/primus' });
  const primus = new Client(url, { strategy: false, timeout: PATIENCE });
  primus.on('open', opened);
  primus.on('data', received);
  primus.on('error', (error) => closed(`error: ${error.message}`));
  primus.on('end', () => closed('ended'));
  primus.on('close', () => closed('closed'));
  return { send: (value) => primus.write(value), close: () => primus.end() };
}

function overEngine(port, transports, query, { opened, received, closed }) {
  const { Socket } = require('engine.io-client');
  const socket = new Socket(`http://127.0.0.1:${port}`, { path: '/primus', query, transports });
  socket.on('open', opened);
  socket.on('message', (data) => take(data, received, (text) => socket.send(text)));
  socket.on('error', (error) => closed(`refused with ${error.description ?? error.message}`));
  socket.on('close', (reason) => closed(`closed: ${reason}`));
  return { send: (value) => socket.send(JSON.stringify(value)), close: () => socket.close() };
}

function overSockJS(url, transport, { opened, received, closed }) {
  const SockJS = require('sockjs-client');
  require('sockjs-client/lib/info-receiver').timeout = PATIENCE;
  const socket = new SockJS(url, null, { transports: [transport], timeout: PATIENCE });
  socket.onopen = opened;
  socket.onmessage = ({ data }) => take(data, received, (text) => socket.send(text));
  socket.onclose = ({ code, reason }) => closed(`closed with ${code} ${reason}`);
  return { send: (value) => socket.send(JSON.stringify(value)), close: () => socket.close() };
}

/** Hands a message on; the heartbeat is answered here. */
function take(data, received, reply) {
  const value = JSON.parse(data.toString());
  if (typeof value !== 'string' || !value.startsWith('primus::')) return received(value);
  if (value.startsWith('primus::ping::')) reply(JSON.stringify(value.replace('ping', 'pong')));
}

function onlyOnce(call) {
  let called = false;
  return (argument) => {
    if (called) return;
    called = true;
    call(argument);
  };
}

/**
 * @file Clients of each transport that are written by hand, one request or frame at a time: for tests of what clients may not do.
 *
 * Knows the wire of each transport as far as a text needs it. Knows nothing of what is tested.
 */

import http from 'node:http';
import net from 'node:net';

import { Peer, TEXT, frame } from './frames.js';
import { next, until, within } from './waiting.js';

/** How long one answer may take, in milliseconds. */
const ANSWER = 30_000;

const form = { 'content-type': 'application/x-www-form-urlencoded' };
const get = (path) => ({ method: 'GET', path });
const post = (path, body = '', headers = {}) => ({ method: 'POST', path, body, headers });

let sessions = 0;

/**
 * A transport whose sessions are carried by requests: what the requests are, and the keys of its table in plugins.toml.
 *
 * @typedef {object} Requests
 * @property {string} table
 * @property {{ message: string, pending: string, idle: Record<string, number> }} keys What bounds a message, what waits, and the
 *   time without a carrier, with a short one.
 * @property {(session: string) => object} open The first request of a session; where the client chooses its name, of this one.
 * @property {(body: string, session: string) => string | undefined} named The name in what has come of the answer so far.
 * @property {(session: string, text: string, number: number) => object} up A request with a message, the `number`th from 0 on.
 * @property {(session: string) => object} down A request for messages.
 */

/** @type {Record<string, Requests>} */
export const requests = {
  'engine-io': {
    table: 'engine-io',
    keys: { message: 'max_payload_bytes', pending: 'max_pending_bytes', idle: { ping_interval_ms: 100, ping_timeout_ms: 100 } },
    open: () => get('/?EIO=4&transport=polling'),
    named: (body) => /"sid":"([^"]+)"/.exec(body)?.[1],
    up: (session, text) => post(`/?EIO=4&transport=polling&sid=${session}`, `4${text}`),
    down: (session) => get(`/?EIO=4&transport=polling&sid=${session}`),
  },
  sockjs: {
    table: 'sockjs',
    keys: { message: 'max_message_bytes', pending: 'max_pending_bytes', idle: { disconnect_ms: 100 } },
    open: (session) => post(`/000/${session}/xhr`),
    named: (body, session) => (body === 'o\n' ? session : undefined),
    up: (session, text) => post(`/000/${session}/xhr_send`, JSON.stringify([text])),
    down: (session) => post(`/000/${session}/xhr_streaming`),
  },
  browserchannel: {
    table: 'browserchannel',
    keys: { message: 'max_message_bytes', pending: 'max_pending_bytes', idle: { session_timeout_ms: 100 } },
    open: () => post('/bind?VER=8&RID=1000&CVER=1&t=1', 'count=0', form),
    named: (body) => /\["c","([^"]+)"/.exec(body)?.[1],
    up: (session, text, number) =>
      post(`/bind?VER=8&SID=${session}&RID=${1001 + number}&AID=0`, `count=1&ofs=${number}&req0__S=${encodeURIComponent(text)}`, form),
    down: (session) => get(`/bind?VER=8&RID=rpc&SID=${session}&AID=0&CI=0&TYPE=xmlhttp`),
  },
  sse: {
    table: 'sse',
    keys: { message: 'max_message_bytes', pending: 'max_pending_bytes', idle: { disconnect_ms: 100 } },
    open: () => get('/sse?_v=1'),
    named: (body) => /"session":"([^"]+)"/.exec(body)?.[1],
    up: (session, text) => post(`/sse?_session=${session}`, text),
    down: (session) => get(`/sse?_session=${session}`),
  },
  'long-polling': {
    table: 'long-polling',
    keys: { message: 'max_message_bytes', pending: 'max_pending_bytes', idle: { disconnect_ms: 100 } },
    open: () => get('/poll?_v=1'),
    named: (body) => /"session":"([^"]+)"/.exec(body)?.[1],
    up: (session, text) => post(`/poll?_session=${session}`, text),
    down: (session) => get(`/poll?_session=${session}&_ack=0`),
  },
};

/** One session that requests carry. */
export class Session {
  #number = 0;

  /** @param {Requests} way */
  constructor(way, server, name) {
    this.way = way;
    this.server = server;
    this.name = name;
  }

  /** Opens one; nothing carries it then. @returns {Promise<Session>} */
  static async open(way, server) {
    const { session, status, body } = await Session.ask(way, server);
    if (!session) throw new Error(`no session is opened, but answered with ${status}: ${body}`);
    return session;
  }

  /** The answer to the first request of a session, and the session if there is one. */
  static async ask(way, server, headers = {}) {
    const chosen = `limits-${(sessions += 1)}`;
    const { method, path, body = '', headers: own = {} } = way.open(chosen);
    return within(ANSWER, `the answer to ${method} ${path}`, (resolve, reject) => {
      const sent = http.request(options(server, method, path, { ...own, ...headers }), (response) => {
        let text = '';
        const answer = (session) => ({ status: response.statusCode, body: text, session });
        response.setEncoding('utf8').on('error', reject);
        response.on('data', (data) => {
          text += data;
          const name = way.named(text, chosen);
          if (response.statusCode !== 200 || name === undefined) return;
          resolve(answer(new Session(way, server, name)));
          // A stream would go on.
          if (!response.complete) sent.destroy();
        });
        response.on('end', () => resolve(answer()));
      });
      sent.on('error', reject).end(body);
    });
  }

  /** Sends a message; the answer. */
  say(value) {
    return request(this.server, this.up(value));
  }

  /** The request that sends a message. */
  up(value) {
    const up = this.way.up(this.name, JSON.stringify(value), this.#number);
    this.#number += 1;
    return up;
  }

  /** A connection on which messages are asked for. */
  async listen(t) {
    const { method, path, body = '' } = this.way.down(this.name);
    const socket = await dial(t, this.server);
    socket.write(`${method} /primus${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    return socket;
  }
}

/** A connection that sends what it is told to, whose errors are ends like others. */
export async function dial(t, { host, port }) {
  const socket = net.connect(port, host);
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await next(socket, 'connect');
  return socket;
}

function options(server, method, path, headers) {
  return { host: server.host, port: server.port, path: `/primus${path}`, method, headers, agent: false };
}

/** One request, on a connection of its own. */
export function request(server, { method, path, body = '', headers = {} }) {
  return within(ANSWER, `the answer to ${method} ${path}`, (resolve, reject) => {
    const sent = http.request(options(server, method, path, headers), (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (data) => (text += data)).on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
    });
    sent.on('error', reject).end(body);
  });
}

/**
 * A transport whose sessions are a connection.
 *
 * @typedef {object} Connections
 * @property {string} table Of plugins.toml.
 * @property {string} message The key that bounds a message.
 * @property {(t: object, server: object, headers?: object) => Promise<{ socket: net.Socket, refusal?: string }>} open Connects; what
 *   a client that is refused is told.
 * @property {(text: string) => Buffer} packed The bytes of a message.
 */

/** A way over a WebSocket. */
const overWebSocket = (table, message, path, packed) => ({
  table,
  message,
  async open(t, server, headers = {}) {
    const { socket, answer } = await Peer.handshake(t, server, { path: `/primus${path}`, headers });
    return answer.status === 101 ? { socket } : { socket, refusal: `${answer.status} ${answer.body}` };
  },
  packed: (text) => frame(TEXT, packed(text)),
});

/** @type {Record<string, Connections>} */
export const connections = {
  websocket: overWebSocket('websocket', 'max_message_bytes', '', (text) => text),
  'engine-io by WebSocket': overWebSocket('engine-io', 'max_payload_bytes', '/?EIO=4&transport=websocket', (text) => `4${text}`),
  'sockjs by WebSocket': overWebSocket('sockjs', 'max_message_bytes', '/000/limits/websocket', (text) => JSON.stringify([text])),
  tcp: {
    table: 'tcp',
    message: 'max_message_bytes',
    async open(t, server) {
      const address = /listening plugin="tcp" address=\S+:(\d+)/;
      const port = await until('its address', () => server.lines(address).map((line) => address.exec(line)[1])[0]);
      const socket = await dial(t, { host: server.host, port });
      // Whoever is let in is answered.
      socket.write('"here"\n');
      const [word] = await next(socket, 'data');
      return String(word).includes('"error"') ? { socket, refusal: String(word) } : { socket };
    },
    packed: (text) => Buffer.from(`${text}\n`),
  },
};

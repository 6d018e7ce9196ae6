/**
 * @file What a client may cost, where no test of a transport's own shows it: Engine.IO's limits, and, of every transport that requests
 * carry, what becomes of clients that send a byte now and then, don't read, or are gone without a word.
 */

import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { Peer, TEXT, frame } from './frames.js';
import { ours, startFor } from './server.js';
import { Inbox, next, until } from './waiting.js';

const plugins = ['json', 'websocket', 'engine_io', 'sockjs', 'browserchannel', 'sse', 'long_polling', 'conformance_app'];

/** A server with all transports and some limits. */
const limited = (t, tables, settings = {}) => startFor(t, { plugins, ...settings, tables });

/** One request, on a connection of its own. */
function request(server, path, { method = 'GET', body = '', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port: server.port, path: `/primus${path}`, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (data) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode, body: text }));
    });
    sent.on('error', reject).end(body);
  });
}

const post = (server, path, body, headers = {}) => request(server, path, { method: 'POST', body, headers });

/** Opens a session of Engine.IO; the path of its requests. */
async function engineIo(server) {
  const { body } = await request(server, '/?EIO=4&transport=polling');
  return `/?EIO=4&transport=polling&sid=${JSON.parse(body.slice(1)).sid}`;
}

const command = (command, more = {}) => JSON.stringify({ command, ...more });

/** A plain client that is told which others go. */
async function watching(t, server) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on('message', (data) => {
    const message = JSON.parse(data.toString());
    if (!String(message).startsWith('primus::ping::')) inbox.put(message);
    else socket.send(data.toString().replace('ping', 'pong'));
  });
  await next(socket, 'open');
  socket.send(command('watch'));
  socket.send('"watching"');
  assert.equal(await inbox.take(), 'watching');
  return {
    /** Resolves when the client of this id has gone. */
    gone: (id) => until(`the end of ${id}`, async () => (await inbox.take()).disconnected === id),
  };
}

/** A connection that sends what it is told to, a byte at a time, until it is ended. */
function trickle(t, server, bytes) {
  const socket = net.connect(server.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (data) => (answer += data));
  const ended = next(socket, 'close');
  ended.catch(() => {});
  let at = 0;
  const timer = setInterval(() => socket.write(bytes[at++ % bytes.length]), 50);
  socket.on('error', () => {}).on('close', () => clearInterval(timer));
  t.after(() => {
    clearInterval(timer);
    socket.destroy();
  });
  return { ended: ended.then(() => answer), socket };
}

describe('Engine.IO', ours, () => {
  test('a body that is too long is refused, and a message of a WebSocket that is ends it with 1009', async (t) => {
    const server = await limited(t, { 'engine-io': { max_payload_bytes: 1_000 } });
    const session = await engineIo(server);
    assert.equal((await post(server, session, `4"${'x'.repeat(1_500)}"`)).status, 413);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus/?EIO=4&transport=websocket`);
    t.after(() => socket.terminate());
    await next(socket, 'open');
    socket.send(`4"${'x'.repeat(1_500)}"`);
    assert.equal((await next(socket, 'close'))[0], 1009);
  });

  test('an address has so many sessions and no more, until one is over', async (t) => {
    const server = await limited(t, { 'engine-io': { max_sessions_per_address: 2 } });
    const session = await engineIo(server);
    await engineIo(server);
    const { status, body } = await request(server, '/?EIO=4&transport=polling');
    assert.deepEqual([status, body], [503, '{"code":4,"message":"Forbidden"}']);
    assert.equal((await post(server, session, '1')).status, 200);
    await until('its place', async () => (await request(server, '/?EIO=4&transport=polling')).status === 200);
  });

  test('what waits for a client that asks for nothing costs so much and no more', async (t) => {
    const server = await limited(t, { 'engine-io': { max_pending_bytes: 100_000 } });
    const session = await engineIo(server);
    const flood = `4${command('flood', { count: 5, size: 10_000 })}`;
    await until('the limit', async () => (await post(server, session, flood)).body.includes('"code":1'));
  });

  test('a session that nothing carries ends in time', async (t) => {
    const server = await limited(t, { 'engine-io': { ping_interval_ms: 100, ping_timeout_ms: 100 } });
    const watcher = await watching(t, server);
    const session = await engineIo(server);
    await watcher.gone(new URLSearchParams(session).get('sid'));
  });
});

describe('of each transport that requests carry', ours, () => {
  test('so many requests of a session may be under way', async (t) => {
    const server = await limited(t, { server: { max_exchanges: 2 } });
    const session = await engineIo(server);
    const open = () => {
      const socket = net.connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      t.after(() => socket.destroy());
      socket.write(`POST /primus${session} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n4`);
      return socket;
    };
    open();
    open();
    await until('the refusal of a third', async () => (await post(server, session, '3')).status === 429);
  });

  test('a head that does not come whole is waited for so long', async (t) => {
    const server = await limited(t, { server: { head_timeout: '500ms' } });
    await trickle(t, server, 'GET / HTTP/1.1\r\nx-long: and so on ').ended;
  });

  test('a body that does not come whole is waited for so long, whosever it is', async (t) => {
    const server = await limited(t, { server: { body_timeout: '500ms' } });
    const paths = [
      await engineIo(server),
      '/000/slow/xhr_send',
      '/bind?VER=8&RID=1',
      '/long-polling',
      '/sse',
    ];
    await post(server, '/000/slow/xhr', '');
    for (const path of paths) {
      const { ended, socket } = trickle(t, server, 'x');
      socket.write(`POST /primus${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n`);
      const answer = await ended;
      assert.match(answer, /^HTTP\/1\.1 4\d\d /, path);
    }
  });
});

describe('of each transport over WebSockets', { concurrency: 3, ...ours }, () => {
  const ways = [
    ['websocket', '', (text) => text],
    ['engine-io', '/?EIO=4&transport=websocket', (text) => `4${text}`],
    ['sockjs', '/000/silent/websocket', (text) => JSON.stringify([text])],
  ];

  for (const [name, path, packed] of ways) {
    test(`${name}: who sends a byte now and then, and answers nothing, is ended in time`, async (t) => {
      const server = await limited(t, {}, { pingInterval: 500 });
      const peer = await Peer.handshake(t, server, { path: `/primus${path}` });
      const long = frame(TEXT, packed(JSON.stringify('x'.repeat(10_000))));
      let at = 0;
      const timer = setInterval(() => peer.socket.write(long.subarray(at, ++at)), 50);
      t.after(() => clearInterval(timer));
      peer.socket.on('error', () => {});
      await next(peer.socket, 'close');
    });
  }
});

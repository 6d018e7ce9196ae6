/**
 * @file What a client may cost: each limit, of each transport that has it. What becomes of clients that vanish is in
 * `vanished.test.js`; webtransport, which Node has no client for, is limited in its crate's `tests/http3.rs`.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { constants, deflateRawSync } from 'node:zlib';

import WebSocket from 'ws';

import { PING, TEXT, frame } from './frames.js';
import { ours, startFor } from './server.js';
import { Inbox, next, until } from './waiting.js';
import { Session, connections, dial, request, requests } from './ways.js';

const plugins = ['json', 'websocket', 'engine_io', 'sockjs', 'browserchannel', 'sse', 'long_polling', 'tcp', 'conformance_app'];

/** A server with all transports and some limits. No heartbeat ends a session by itself. */
const limited = (t, tables = {}, settings = {}) =>
  startFor(t, { plugins, pingInterval: 0, ...settings, tables: { ...tables, tcp: { listen: '127.0.0.1:0', ...tables.tcp } } });

/** Longer than any test: a session lives so long without a carrier. */
const patient = (keys) => Object.fromEntries(Object.keys(keys.idle).map((key) => [key, 600_000]));

/** Many bytes for a client. */
const flood = { command: 'flood', count: 20, size: 100_000 };

/** A plain client that is told when any other goes. */
async function watching(t, server) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on('message', (data) => {
    const text = data.toString();
    if (text.startsWith('"primus::ping::')) socket.send(text.replace('ping', 'pong'));
    else inbox.put(JSON.parse(text));
  });
  await next(socket, 'open');
  socket.send('{"command":"watch"}');
  socket.send('"watching"');
  assert.equal(await inbox.take(), 'watching');
  const goings = () => until('the end of a session', async () => (await inbox.take()).disconnected);
  return { gone: goings };
}

/** Operators see once that more waited than may: by a line, and by the count. */
async function isToldOnce(server, limit) {
  await until('the line', () => server.lines(new RegExp(`more than ${limit} waits`)).length > 0);
  const metrics = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
  assert.match(metrics, /^switchboard_sparks_overflowed_total 1$/m);
  assert.equal(server.lines(/waits for it/).length, 1);
}

/** The bytes of a server's memory. */
function resident({ pid }) {
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

/** Writes a byte of `bytes` now and then until the connection has ended, which it resolves with what came. */
async function trickle(t, socket, bytes) {
  let answer = '';
  socket.on('data', (data) => (answer += data.toString('latin1')));
  let at = 0;
  const timer = setInterval(() => {
    socket.write(bytes.subarray(at, at + 1));
    at = (at + 1) % bytes.length;
  }, 50);
  t.after(() => clearInterval(timer));
  await next(socket, 'close');
  clearInterval(timer);
  return answer;
}

for (const [name, way] of Object.entries(requests)) {
  const { table, keys } = way;

  describe(`${name}, by requests`, { concurrency: 2, ...ours }, () => {
    test(`a message is not longer than ${keys.message}`, async (t) => {
      const server = await limited(t, { [table]: { [keys.message]: 1_000, ...patient(keys) } });
      const watcher = await watching(t, server);
      const session = await Session.open(way, server);
      const { status } = await session.say('x'.repeat(1_500));
      // Only Engine.IO's session goes on.
      if (name === 'engine-io') assert.equal(status, 413);
      else await watcher.gone();
    });

    test('an address has so many sessions and no more, until one is over', async (t) => {
      const server = await limited(t, { [table]: { max_sessions_per_address: 2, ...patient(keys) } });
      const session = await Session.open(way, server);
      await Session.open(way, server);
      const { status, body } = await Session.ask(way, server);
      assert.equal(status, 503);
      // The protocol of Engine.IO has no words for it.
      assert.match(body, name === 'engine-io' ? /"Forbidden"/ : /max_sessions_per_address/);
      await session.say({ command: 'close' });
      const last = await session.listen(t);
      last.resume();
      await until('its place', async () => (await Session.ask(way, server)).session);
      assert.equal(server.lines(/WARN.*max_sessions_per_address/).length, 1, 'one line for all refusals of a minute');
    });

    test(`what waits for a client that asks for nothing is not more than ${keys.pending}`, async (t) => {
      const server = await limited(t, { [table]: { [keys.pending]: 100_000, ...patient(keys) } });
      const watcher = await watching(t, server);
      const session = await Session.open(way, server);
      await session.say(flood);
      await watcher.gone();
      await isToldOnce(server, keys.pending);
    });

    test(`one message may always wait, though it is longer than ${keys.pending}`, async (t) => {
      const server = await limited(t, { [table]: { [keys.pending]: 1_000, ...patient(keys) } });
      const session = await Session.open(way, server);
      await session.say('x'.repeat(300_000));
      const socket = await session.listen(t);
      let count = 0;
      socket.on('data', (data) => (count += data.toString().split('x').length - 1));
      await until('all of it', () => count >= 300_000);
    });

    test('not more than max_exchanges of its requests are under way', async (t) => {
      const server = await limited(t, { server: { max_exchanges: 2 }, [table]: patient(keys) });
      const session = await Session.open(way, server);
      const { method, path } = session.up('never');
      const answers = [];
      for (let count = 0; count < 3; count += 1) {
        const socket = await dial(t, server);
        socket.on('data', (data) => answers.push(data.toString()));
        socket.write(`${method} /primus${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n4`);
      }
      await until('the refusal of one of them', () => answers.length > 0);
      assert.match(answers[0], /^HTTP\/1\.1 429 .*max_exchanges/s);
    });

    test('a session that nothing carries ends in time', async (t) => {
      const server = await limited(t, { [table]: keys.idle });
      const watcher = await watching(t, server);
      await Session.open(way, server);
      await watcher.gone();
    });

    test('who sends a request a byte now and then is refused in time', async (t) => {
      const server = await limited(t, { server: { body_timeout: '500ms' }, [table]: patient(keys) });
      const session = await Session.open(way, server);
      const { method, path } = session.up('never');
      const socket = await dial(t, server);
      socket.write(`${method} /primus${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n`);
      assert.match(await trickle(t, socket, Buffer.alloc(1_000, 'x')), /^HTTP\/1\.1 4\d\d /);
    });

    test('who does not read what was asked for is ended when too much waits', async (t) => {
      const bounds = { server: { max_message: 100_000, max_buffered: 200_000 }, [table]: { [keys.pending]: 200_000, ...patient(keys) } };
      const server = await limited(t, bounds);
      const watcher = await watching(t, server);
      const session = await Session.open(way, server);
      const socket = await session.listen(t);
      socket.pause();
      let isGone = false;
      const flooding = (async () => {
        // Sockets take some megabytes by themselves.
        while (!isGone && (await session.say(flood)).status < 400);
      })();
      await watcher.gone();
      isGone = true;
      await flooding;
    });

    test('who listens and answers no ping is ended in time', async (t) => {
      const server = await limited(t, { [table]: patient(keys) }, { pingInterval: 500 });
      const watcher = await watching(t, server);
      const session = await Session.open(way, server);
      (await session.listen(t)).resume();
      await watcher.gone();
    });
  });
}

for (const [name, way] of Object.entries(connections)) {
  const { table } = way;

  describe(name, { concurrency: 2, ...ours }, () => {
    test(`a message is not longer than ${way.message}`, async (t) => {
      const server = await limited(t, { [table]: { [way.message]: 1_000 } });
      const { socket } = await way.open(t, server);
      socket.resume().write(way.packed(`"${'x'.repeat(3_000)}"`));
      await next(socket, 'close');
    });

    test('an address has so many sessions and no more, until one is over', async (t) => {
      const server = await limited(t, { [table]: { max_sessions_per_address: 2 } });
      const { socket } = await way.open(t, server);
      await way.open(t, server);
      const { refusal } = await way.open(t, server);
      assert.match(refusal, table === 'engine-io' ? /^503 .*"Forbidden"/ : /max_sessions_per_address/);
      if (name !== 'tcp') assert.match(refusal, /^503 /);
      socket.destroy();
      await until('its place', async () => !(await way.open(t, server)).refusal);
      assert.equal(server.lines(/WARN.*max_sessions_per_address/).length, 1, 'one line for all refusals of a minute');
    });

    test('who sends a message a byte now and then, and answers nothing, is ended in time', async (t) => {
      const server = await limited(t, {}, { pingInterval: 500 });
      const { socket } = await way.open(t, server);
      await trickle(t, socket, way.packed(JSON.stringify('x'.repeat(10_000))));
    });

    test('who does not read is ended when more than max_buffered waits', async (t) => {
      const server = await limited(t, { server: { max_message: 100_000, max_buffered: 200_000 } });
      const watcher = await watching(t, server);
      const { socket } = await way.open(t, server);
      socket.pause();
      // Sockets take some megabytes by themselves.
      const timer = setInterval(() => socket.write(way.packed(JSON.stringify(flood))), 20);
      t.after(() => clearInterval(timer));
      await watcher.gone();
    });
  });
}

describe('what a WebSocket says by itself', ours, () => {
  test('who pings and does not read is ended when more than twice max_buffered waits', async (t) => {
    const server = await limited(t, { server: { max_message: 100_000, max_buffered: 200_000 } });
    const watcher = await watching(t, server);
    const { socket } = await connections.websocket.open(t, server);
    socket.pause();
    const pings = Buffer.concat(Array(1_000).fill(frame(PING, 'x'.repeat(120))));
    const timer = setInterval(() => socket.write(pings), 20);
    t.after(() => clearInterval(timer));
    await watcher.gone();
  });

  test('a compressed message that is not whole takes no more memory than has come', async (t) => {
    const server = await limited(t, {}, { compression: true });
    const before = resident(server);
    const bomb = deflateRawSync(Buffer.alloc(8_000_000), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    const sockets = [];
    for (let count = 0; count < 50; count += 1) sockets.push((await connections.websocket.open(t, server, headers)).socket);
    const answers = sockets.map((socket) => next(socket, 'data'));
    // Each is asked for a sign of life behind its part of a message.
    for (const socket of sockets) socket.write(Buffer.concat([frame(TEXT, bomb, { reserved: 4, open: true }), frame(PING)]));
    await Promise.all(answers);
    assert.ok(resident(server) - before < 100_000_000, `${resident(server) - before} bytes more`);
  });
});

describe('whose address it is', ours, () => {
  test('a trusted proxy tells it, and an IPv6 address counts with its /64', async (t) => {
    const server = await limited(t, { server: { trusted_proxies: ['127.0.0.1'] }, websocket: { max_sessions_per_address: 1 } });
    const from = async (address) => (await connections.websocket.open(t, server, { 'X-Forwarded-For': address })).refusal;
    assert.equal(await from('2001:db8::1'), undefined);
    assert.match(await from('2001:db8::2'), /^503 /);
    assert.equal(await from('2001:db8:0:1::1'), undefined);
    assert.equal(await from('192.0.2.1'), undefined);
    assert.equal(await from('192.0.2.2'), undefined);
  });

  test('nobody else is believed', async (t) => {
    const server = await limited(t, { websocket: { max_sessions_per_address: 1 } });
    const from = async (address) => (await connections.websocket.open(t, server, { 'X-Forwarded-For': address })).refusal;
    assert.equal(await from('192.0.2.1'), undefined);
    assert.match(await from('192.0.2.2'), /^503 /);
  });
});

describe('of every request', ours, () => {
  test('a head that does not come whole is waited for so long', async (t) => {
    const server = await limited(t, { server: { head_timeout: '500ms' } });
    await trickle(t, await dial(t, server), Buffer.from('GET / HTTP/1.1\r\nx-long: and so on '));
  });

  test('a body that is longer than max_message is not read', async (t) => {
    const server = await limited(t, { server: { max_message: 3_000, max_buffered: 10_000 } });
    for (const [name, way] of Object.entries(requests)) {
      const session = await Session.open(way, server);
      assert.equal((await request(server, { ...session.up('x'), body: 'x'.repeat(5_000) })).status, 413, name);
    }
  });
});

/**
 * @file Parsers in one conversation: npm's clients with each of theirs, and ours with each of ours. What npm's do by themselves
 * is in the matrix.
 *
 * The application behind it sends every message on to all, as it came or, for those with another parser, made anew.
 */

import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { request } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import test from 'node:test';

import { inNode } from './clients.js';
import { ours, startFor } from './server.js';
import { Inbox, next, until, within, DEADLINE } from './waiting.js';

const Primus = createRequire(import.meta.url)('primus');

const parsers = ['json', 'ejson', 'binary', 'msgpack', 'cbor', 'raw'];

const start = (t, settings = {}) =>
  startFor(t, { plugins: ['websocket', ...parsers, 'conformance_relay'], ...settings });

const quickly = { reconnect: { min: 5, max: 50, retries: 500 } };

/** A client that is open, with the messages that it got. */
async function open(t, client) {
  const inbox = new Inbox();
  t.after(() => client.end());
  // A value from another realm has other prototypes: the copy is of this one.
  client.on('data', (data) => inbox.put(structuredClone(data)));
  await next(client, 'open');
  return { client, inbox };
}

/** npm's client with one of its parsers, in Node. */
function npmClient(t, server, parser, query = `?_parser=${parser}`) {
  const Socket = Primus.createSocket({ transformer: 'websockets', parser, pathname: '/primus', pingInterval: server.settings.pingInterval });
  return open(t, new Socket(`${server.url}${query}`, quickly));
}

/** The client that the server serves. */
async function served(server) {
  return (await fetch(server.at('/primus.js'))).text();
}

async function servedClient(t, server, parser) {
  const Served = inNode(await served(server));
  return open(t, new Served(server.url, { ...quickly, parser }));
}

/** What a WebSocket handshake with that parser is answered with. */
function upgrade(server, parser) {
  const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
  return within(DEADLINE, 'the answer to a handshake', (resolve, reject) => {
    const asked = request(server.at(`/?_parser=${parser}`), { headers });
    asked.on('error', reject);
    asked.on('upgrade', ({ statusCode, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers, body: '' });
    });
    asked.on('response', async (response) => {
      const body = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode, headers: response.headers, body });
    });
    asked.end();
  });
}

/** A value with `Uint8Array` for each form that bytes come in. */
function sameBytes(value) {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
  if (Array.isArray(value)) return value.map(sameBytes);
  if (Object.prototype.toString.call(value) !== '[object Object]') return value;
  return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, sameBytes(value)]));
}

test('clients with all parsers talk with each other', ours, async (t) => {
  const server = await start(t, { tables: { server: { client_parsers: parsers } } });
  const open = await Promise.all([
    ...['json', 'ejson', 'binary', 'msgpack'].map((parser) => npmClient(t, server, parser)),
    ...['json', 'ejson', 'binary', 'msgpack', 'cbor'].map((parser) => servedClient(t, server, parser)),
  ]);
  const [jsons, ejsons, binaries, msgpacks, ourJson, ourEjson, ourBinary, ourMsgpack, ourCbor] = open;
  const date = new Date(1_700_000_000_123);
  const text = 'Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)';
  const rich = [ejsons, msgpacks, ourEjson, ourMsgpack, ourCbor];
  const buffer = { type: 'Buffer', data: [1, 2, 3] };

  for (const sender of rich) {
    sender.client.write({ n: 1.5, date, bytes: Buffer.from([1, 2, 3]), list: ['ä', null, true] });
    for (const each of open) {
      const common = { n: 1.5, list: ['ä', null, true] };
      const got = sameBytes(await each.inbox.take());
      const { date: at, bytes, ...rest } = got;
      assert.deepEqual(rest, common);
      if (rich.includes(each)) assert.deepEqual([at, bytes], [date, new Uint8Array([1, 2, 3])]);
      else if ([jsons, ourJson].includes(each)) assert.deepEqual([at, bytes], [date.toISOString(), buffer]);
      else assert.deepEqual([at, bytes], [text, new Uint8Array([1, 2, 3])]);
    }
  }
  for (const sender of [jsons, binaries, ourJson, ourBinary]) {
    sender.client.write({ n: -7, list: [{ a: 'x'.repeat(70_000) }] });
    for (const each of open) assert.deepEqual(await each.inbox.take(), { n: -7, list: [{ a: 'x'.repeat(70_000) }] });
  }
});

test('a client without a format gets text and bytes, and nothing else', ours, async (t) => {
  const server = await start(t, { tables: { server: { client_parsers: ['raw'] } } });
  const [raw, other] = [await servedClient(t, server, 'raw'), await npmClient(t, server, 'msgpack')];
  raw.client.write('{"no":"json"}');
  assert.equal(await other.inbox.take(), '{"no":"json"}');
  raw.client.write(new Uint8Array([0xff, 0]));
  assert.deepEqual(new Uint8Array(await other.inbox.take()), new Uint8Array([0xff, 0]));
  other.client.write({ dropped: true });
  other.client.write('kept');
  other.client.write(Buffer.from([1]));
  assert.deepEqual([await raw.inbox.take(), await raw.inbox.take()], ['{"no":"json"}', new Uint8Array([0xff, 0]).buffer]);
  assert.equal(await raw.inbox.take(), 'kept');
  assert.deepEqual(await raw.inbox.take(), new Uint8Array([1]).buffer);
});

test('a parser that is not enabled is refused by its name', ours, async (t) => {
  const server = await start(t, { plugins: ['websocket', 'json', 'cbor', 'conformance_relay'] });
  const { status, headers, body } = await upgrade(server, 'msgpack');
  assert.deepEqual([status, headers['content-type']], [400, 'application/json']);
  assert.deepEqual(JSON.parse(body), { error: 'the parser "msgpack" is not enabled; enabled are: cbor, json' });
});

test('the configured parser is the one of clients that ask for none', ours, async (t) => {
  const server = await start(t, { tables: { server: { parser: 'msgpack' } } });
  assert.equal((await (await fetch(server.at('/spec'))).json()).parser, 'msgpack');
  const [asks, asksNot, ours] = [await npmClient(t, server, 'json'), await npmClient(t, server, 'msgpack', ''), await servedClient(t, server)];
  asks.client.write(['a']);
  for (const { inbox } of [asks, asksNot, ours]) assert.deepEqual(await inbox.take(), ['a']);
});

test('the served client has the parsers that it is to have, and no others', ours, async (t) => {
  const server = await start(t);
  const names = (text) => [...text.matchAll(/core\.register\(Primus, "parser", "(\w+)"/g)].map(([, name]) => name);
  assert.deepEqual(names(await served(server)), ['json']);
  const added = await start(t, { tables: { server: { parser: 'cbor', client_parsers: ['msgpack', 'json'] } } });
  assert.deepEqual(names(await served(added)).sort(), ['cbor', 'json', 'msgpack']);
  await assert.rejects(start(t, { tables: { server: { client_parsers: ['nowhere'] } } }), /server\.client_parsers\.0: no plugin brings the parser "nowhere" \(allowed: /);
});

test('a message of a parser whose plugin has gone is still understood', ours, async (t) => {
  const server = await start(t);
  const [staying, going] = [await npmClient(t, server, 'json'), await npmClient(t, server, 'msgpack')];
  rmSync(join(server.plugins, 'libmsgpack.so'));
  await until('the parser to be gone', async () => (await upgrade(server, 'msgpack')).status === 400);
  going.client.write({ at: new Date(0) });
  assert.deepEqual(await staying.inbox.take(), { at: '1970-01-01T00:00:00.000Z' });
  assert.deepEqual(await going.inbox.take(), { at: new Date(0) });
  staying.client.write([1]);
  assert.deepEqual(await going.inbox.take(), [1]);
});

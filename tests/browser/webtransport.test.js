/**
 * @file The served client over WebTransport in Chromium, with the server's own certificate, and where UDP does not get through.
 */

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startFor } from '../conformance/server.js';
import { Succession } from '../lifecycle/successors.js';
import { assertNoComplaints, launch, openPage } from './browser.js';

const page = join(dirname(fileURLToPath(import.meta.url)), 'page');

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch({ quic: true });
});
after(() => browser.close());

const plugins = ['json', 'ejson', 'binary', 'msgpack', 'cbor', 'raw', 'websocket', 'webtransport', 'conformance_app'];

/** A server whose client has these transports. */
function serving(t, transports, settings = {}) {
  const webtransport = { listen: '127.0.0.1:0', self_signed: true };
  const server = { client_transports: transports, ...settings };
  return startFor(t, { plugins, rooms: true, static: page, tables: { webtransport, server } });
}

/** A page whose client is open; it may connect to other ports of its host. */
async function opened(t, server) {
  const tab = await openPage(t, browser, { bypassCSP: true });
  await tab.goto(`${server.url}/index.html`);
  await tab.waitForFunction(() => window.events.includes('open'));
  t.after(() => assertNoComplaints(tab));
  return tab;
}

const write = (tab, ...messages) => tab.evaluate((messages) => messages.forEach((message) => window.primus.write(message)), messages);

async function received(tab, count) {
  await tab.waitForFunction((count) => window.received.length >= count, count);
  return tab.evaluate(() => window.received);
}

/** What the client is connected by. */
const transport = (tab) => tab.evaluate(() => window.primus.transportName);

for (const parser of ['json', 'ejson', 'binary', 'msgpack', 'cbor', 'raw']) {
  test(`every message comes back in order over WebTransport, by ${parser}`, async (t) => {
    const server = await serving(t, ['webtransport'], { parser });
    const tab = await opened(t, server);
    assert.equal(await transport(tab), 'webtransport');
    const messages = ['text', '\ufeffa', 'a\u2028b 👋', 'x'.repeat(70_000), 'y'.repeat(2_000_000)];
    if (parser !== 'raw') messages.push('', { object: [1, null, true] }, 7);
    for (let number = 0; number < 500; number += 1) messages.push(parser === 'raw' ? `${number}` : number);
    await write(tab, ...messages);
    assert.deepEqual(await received(tab, messages.length), messages);
    if (parser === 'json') return;
    await tab.evaluate(() => window.primus.write(new Uint8Array([0, 255, 128])));
    await received(tab, messages.length + 1);
    assert.deepEqual(await tab.evaluate(() => Array.from(new Uint8Array(window.received.at(-1)))), [0, 255, 128]);
  });
}

test('the server ends a session, and the client knows that it is not to come again', async (t) => {
  const server = await serving(t, ['webtransport']);
  const tab = await opened(t, server);
  await write(tab, { command: 'close', data: 'last words' });
  await tab.waitForFunction(() => window.events.includes('end'));
  assert.deepEqual(await received(tab, 1), ['last words']);
});

test('a client of a server that is restarted comes again', async (t) => {
  const server = await serving(t, ['webtransport']);
  const tab = await opened(t, server);
  await write(tab, 'before');
  await server.restart('SIGTERM');
  await tab.waitForFunction(() => window.events.filter((name) => name === 'open').length >= 2);
  assert.equal(await transport(tab), 'webtransport');
  await write(tab, 'after');
  assert.deepEqual((await received(tab, 2)).slice(0, 2), ['before', 'after']);
});

test('where no UDP gets through, the client takes a WebSocket instead', async (t) => {
  const server = await serving(t, ['webtransport', 'websocket']);
  const tab = await openPage(t, browser, { bypassCSP: true });
  // The port of somebody who never answers.
  await tab.route('**/primus/webtransport*', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), port: 9 } });
  });
  await tab.goto(`${server.url}/index.html`);
  await tab.waitForFunction(() => window.events.includes('open'));
  assert.equal(await transport(tab), 'websocket');
  await write(tab, 'anyway');
  assert.deepEqual(await received(tab, 1), ['anyway']);
});

/** A UDP port that nobody has. */
async function freePort() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

test('a new process takes over the port, and the client comes back to it', async (t) => {
  const webtransport = { listen: `127.0.0.1:${await freePort()}`, self_signed: true };
  const tables = { webtransport, server: { client_transports: ['webtransport'] } };
  const server = await Succession.startFor(t, { plugins, static: page, tables });
  const tab = await opened(t, server);
  for (let round = 0; round < 2; round += 1) {
    await server.upgrade();
    await tab.waitForFunction((count) => window.events.filter((event) => event === 'open').length >= count, 2 + round);
    assert.equal(await transport(tab), 'webtransport');
    await write(tab, `round ${round}`);
    assert.equal((await received(tab, 1 + round)).at(-1), `round ${round}`);
  }
  const listening = server.lines(/listening for WebTransport/).map((line) => /address=(\S+)/.exec(line)[1]);
  assert.deepEqual(listening, Array.from({ length: 3 }, () => webtransport.listen));
});

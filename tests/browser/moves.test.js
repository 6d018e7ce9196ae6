/**
 * @file Moving to WebTransport in Chromium while numbered messages flow both ways, and staying where it does not come through.
 */

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ours, startFor } from '../conformance/server.js';
import { launch, openPage } from './browser.js';
import { begin } from './numbers.js';

const page = join(dirname(fileURLToPath(import.meta.url)), 'page');
const plugins = ['json', 'msgpack', 'websocket', 'sse', 'long_polling', 'webtransport', 'conformance_app'];

/** Longer than what any of it takes on a busy machine. */
const PATIENCE = 60_000;

/** How many messages at least go each way, before and after. */
const MANY = 300;

const offers = '**/primus/webtransport*';

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch({ quic: true });
});
after(() => browser.close());

/** A server with WebTransport and one other transport for the client. */
function serving(t, other, settings = {}) {
  const tables = { webtransport: { listen: '127.0.0.1:0', self_signed: true }, server: { client_transports: ['webtransport', other] } };
  return startFor(t, { plugins, static: page, tables, ...settings });
}

/** A UDP port whose owner never answers: so it is where UDP is dropped on the way. */
async function silentPort(t) {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return socket.address().port;
}

/** A page whose client is open; until `unblocked`, it is sent to a port that never answers. */
async function blocked(t, server) {
  const port = await silentPort(t);
  const tab = await openPage(t, browser, { bypassCSP: true });
  tab.setDefaultTimeout(PATIENCE);
  tab.asked = 0;
  tab.misled = async (route) => {
    tab.asked += 1;
    try {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), port } });
    } catch {
      // The test is over.
    }
  };
  await tab.route(offers, tab.misled);
  await tab.goto(`${server.url}/index.html?headStart=1000`);
  await tab.waitForFunction(() => window.events.includes('open'));
  await tab.evaluate(() => {
    window.moves = [];
    window.primus.on('moved', (...names) => window.moves.push(names));
  });
  return tab;
}

const transportOf = (tab) => tab.evaluate(() => window.primus.transportName);
const idOf = (tab) => tab.evaluate(() => new Promise((resolve) => window.primus.id(resolve)));

/** Goes on for many messages more, and sees that each came once and in its order. */
async function finish(tab, teller) {
  const [echoes, news] = await tab.evaluate(() => ['echo', 'news'].map((name) => window.received.filter((data) => data[name]).length));
  await tab.waitForFunction(
    ([echoes, news, many]) =>
      window.received.filter(({ echo }) => echo).length > echoes + many && window.received.filter(({ news }) => news).length > news + many,
    [echoes, news, MANY],
  );
  const written = await tab.evaluate(() => (clearInterval(window.writing), window.written));
  const told = await teller.evaluate(() => (clearInterval(window.telling), window.told));
  await tab.waitForFunction(
    ([written, told]) => window.received.some(({ echo }) => echo === written) && window.received.some(({ news }) => news === told),
    [written, told],
  );
  const received = await tab.evaluate(() => window.received);
  const numbers = (name) => received.filter((data) => data[name]).map((data) => data[name]);
  const upTo = (last) => Array.from({ length: last }, (_, at) => at + 1);
  assert.deepEqual(numbers('echo'), upTo(written));
  assert.deepEqual(numbers('news'), upTo(told));
}

describe('moving to WebTransport in Chromium', { concurrency: false, ...ours }, () => {
  for (const [other, parser] of [['websocket', 'json'], ['sse', 'json'], ['long-polling', 'msgpack']]) {
    test(`from ${other}, by ${parser}, nothing is lost or comes twice`, async (t) => {
      const server = await serving(t, other, { parser });
      const [tab, teller] = [await blocked(t, server), await blocked(t, server)];
      assert.equal(await transportOf(tab), other);
      const id = await idOf(tab);
      await begin(tab, teller);
      await tab.unroute(offers, tab.misled);
      await tab.waitForFunction(() => window.moves.length > 0);
      assert.deepEqual(await tab.evaluate(() => window.moves), [['webtransport', other]]);
      await finish(tab, teller);
      assert.equal(await transportOf(tab), 'webtransport');
      assert.equal(await idOf(tab), id, 'it is the same spark');
      assert.deepEqual(await tab.evaluate(() => window.events), ['open']);
    });
  }

  test('where UDP is dropped it opens by another transport, tries in vain, and stays with nothing lost', async (t) => {
    const server = await serving(t, 'sse');
    const [tab, teller] = [await blocked(t, server), await blocked(t, server)];
    assert.equal(await transportOf(tab), 'sse');
    const id = await idOf(tab);
    const asked = tab.asked;
    await begin(tab, teller);
    await tab.waitForFunction(() => window.written > 0);
    while (tab.asked === asked) await tab.waitForResponse(offers);
    await finish(tab, teller);
    assert.equal(await transportOf(tab), 'sse');
    assert.equal(await idOf(tab), id, 'it is the same spark');
    assert.deepEqual(await tab.evaluate(() => [window.events, window.moves]), [['open'], []]);
  });
});

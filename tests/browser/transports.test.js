/**
 * @file Transports in a real browser: `EventSource` alone, falling back, and moving to a better one while messages flow.
 */

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Proxy } from '../conformance/proxy.js';
import { ours, startFor } from '../conformance/server.js';
import { assertNoComplaints, launch, openPage } from './browser.js';
import { begin } from './numbers.js';

const page = join(dirname(fileURLToPath(import.meta.url)), 'page');
const all = { plugins: ['json', 'websocket', 'sse', 'long_polling', 'conformance_app'], static: page };

/** Longer than what any of it takes on a busy machine. */
const PATIENCE = 60_000;

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

async function opened(t, url) {
  const tab = await openPage(t, browser);
  tab.setDefaultTimeout(PATIENCE);
  await tab.goto(`${url}/index.html`);
  await tab.waitForFunction(() => window.events.includes('open'));
  return tab;
}

const transportOf = (tab) => tab.evaluate(() => window.primus.transportName);

describe('transports in Chromium', { concurrency: false, ...ours }, () => {
  test('an EventSource alone reads, and goes on where it was when its stream breaks', async (t) => {
    const server = await startFor(t, { ...all, tables: { sse: { retry_ms: 10 } } });
    const proxy = await Proxy.before(t, server);
    const tab = await opened(t, server.url);
    const reader = await openPage(t, browser);
    await reader.goto(`${proxy.url}/module.html`);
    await reader.evaluate(() => {
      window.read = [];
      window.opened = 0;
      const events = new EventSource('/primus/sse');
      events.addEventListener('open', () => (window.opened += 1));
      events.onmessage = ({ data }) => data.startsWith('"primus::') || window.read.push(JSON.parse(data));
    });
    await reader.waitForFunction(() => window.opened > 0);
    let count = 0;
    const tell = () => tab.evaluate((value) => window.primus.write({ command: 'broadcast', value }), ++count);
    for (let round = 1; round <= 3; round += 1) {
      await tell();
      await reader.waitForFunction((last) => window.read.at(-1) === last, count);
      const before = await reader.evaluate(() => window.opened);
      proxy.cut();
      // While it is away.
      await tell();
      await reader.waitForFunction((before) => window.opened > before, before);
    }
    await tell();
    await reader.waitForFunction((last) => window.read.at(-1) === last, count);
    assert.deepEqual(await reader.evaluate(() => window.read), Array.from({ length: count }, (_, at) => at + 1));
  });

  test('where a WebSocket is refused the page falls back, remembers it, and moves when it can, with nothing lost', async (t) => {
    const server = await startFor(t, all);
    const proxy = await Proxy.before(t, server);
    proxy.upgrades = false;
    const teller = await opened(t, server.url);
    const tab = await opened(t, proxy.url);
    assert.equal(await transportOf(tab), 'sse');
    const kept = () => tab.evaluate(() => JSON.parse(localStorage.getItem(`primus.transport:${location.origin}/primus`))?.name);
    assert.equal(await kept(), 'sse');

    await tab.reload();
    await tab.waitForFunction(() => window.events.includes('open'));
    assert.equal(await transportOf(tab), 'sse');
    const id = await tab.evaluate(() => new Promise((resolve) => window.primus.id(resolve)));
    proxy.upgrades = true;
    await begin(tab, teller);
    await tab.waitForFunction(() => window.primus.transportName === 'websocket');
    const sofar = await tab.evaluate(() => window.written);
    await tab.waitForFunction((sofar) => window.written > sofar + 200, sofar);
    const written = await tab.evaluate(() => (clearInterval(window.writing), window.written));
    const told = await teller.evaluate(() => (clearInterval(window.telling), window.told));
    await tab.waitForFunction(
      ([written, told]) => {
        const last = (name) => window.received.findLast((data) => data[name])?.[name];
        return last('echo') === written && last('news') === told;
      },
      [written, told],
    );
    const received = await tab.evaluate(() => window.received);
    const echoes = received.filter(({ echo }) => echo).map(({ echo }) => echo);
    const news = received.filter(({ news }) => news).map(({ news }) => news);
    assert.deepEqual(echoes, Array.from({ length: written }, (_, at) => at + 1));
    // The first news may have been told before the page was open; none is missing or doubled since.
    assert.deepEqual(news, Array.from({ length: news.length }, (_, at) => told - news.length + at + 1));
    assert.equal(await tab.evaluate(() => new Promise((resolve) => window.primus.id(resolve))), id, 'it is the same spark');
    assert.equal(await kept(), 'websocket');
    assertNoComplaints(teller);
  });

  test('where streams are held back it takes long polling', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { client_transports: ['sse', 'long-polling'] } } });
    const proxy = await Proxy.before(t, server);
    proxy.buffers = true;
    const tab = await opened(t, proxy.url);
    assert.equal(await transportOf(tab), 'long-polling');
    await tab.evaluate(() => window.primus.write('echo'));
    await tab.waitForFunction(() => window.received[0] === 'echo');
  });
});

/**
 * @file The served client in a real browser, under a content security policy that allows scripts of its own origin only.
 */

import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ours, startFor } from '../conformance/server.js';
import { assertNoComplaints, launch, openPage } from './browser.js';

const page = join(dirname(fileURLToPath(import.meta.url)), 'page');

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A page whose client is open. */
async function opened(t, server, file = 'index.html') {
  const tab = await openPage(t, browser);
  await tab.goto(`${server.url}/${file}`);
  await happened(tab, 'open');
  t.after(() => assertNoComplaints(tab));
  return tab;
}

/** Resolves when the client has emitted `event` at least `times`. */
function happened(tab, event, times = 1) {
  return tab.waitForFunction(([event, times]) => window.events.filter((name) => name === event).length >= times, [event, times]);
}

/** Resolves with everything received, when it is at least `count` messages. */
async function received(tab, count) {
  await tab.waitForFunction((count) => window.received.length >= count, count);
  return tab.evaluate(() => window.received);
}

const write = (tab, ...messages) => tab.evaluate((messages) => messages.forEach((message) => window.primus.write(message)), messages);

describe('the served client in Chromium', () => {
  for (const [file, options] of [['index.html', {}], ['module.html', ours]]) {
    test(`${file}: opens, and gets its echoes, with no eval and no inline script`, options, async (t) => {
      const server = await startFor(t, { static: page });
      const tab = await opened(t, server, file);
      const messages = ['text', { object: [1, null, true] }, 'a\u2028b 👋', 7];
      await write(tab, ...messages);
      assert.deepEqual(await received(tab, messages.length), messages);
      assert.deepEqual(await tab.evaluate(() => window.violations), []);
      if (file === 'module.html') assert.equal(await tab.evaluate(() => window.sameExport), true);
    });
  }

  test('a broadcast reaches two pages', async (t) => {
    const server = await startFor(t, { static: page });
    const [one, other] = [await opened(t, server), await opened(t, server)];
    await write(one, { command: 'broadcast', value: 'to all' });
    assert.deepEqual(await received(one, 1), ['to all']);
    assert.deepEqual(await received(other, 1), ['to all']);
  });

  test('it survives a crash of the server, and sends what was written meanwhile, in order', async (t) => {
    const server = await startFor(t, { static: page });
    const tab = await opened(t, server);
    await server.end('SIGKILL');
    await happened(tab, 'close');
    await write(tab, 'one', { two: 2 }, 'three');
    // Closed, or opening once more where the first delay was short; but not open.
    assert.notEqual(await tab.evaluate(() => window.primus.readyState), 3);
    await happened(tab, 'reconnect scheduled');
    await server.start();
    await happened(tab, 'reconnected');
    assert.deepEqual(await received(tab, 3), ['one', { two: 2 }, 'three']);
    await write(tab, 'after');
    assert.equal((await received(tab, 4))[3], 'after');
  });

  test('it ends when the browser goes offline, and is back when it is online, with what was written meanwhile', async (t) => {
    const server = await startFor(t, { static: page });
    const tab = await opened(t, server);
    await tab.context().setOffline(true);
    await happened(tab, 'offline');
    await happened(tab, 'end');
    await write(tab, 'written offline', 'and this');
    assert.deepEqual(await tab.evaluate(() => window.received), []);
    await tab.context().setOffline(false);
    await happened(tab, 'online');
    assert.deepEqual(await received(tab, 2), ['written offline', 'and this']);
    assert.equal(await tab.evaluate(() => window.primus.readyState), 3);
  });

  test('it stays away when the server has ended it', async (t) => {
    const server = await startFor(t, { static: page });
    const tab = await opened(t, server);
    await write(tab, { command: 'close', data: 'bye' });
    await happened(tab, 'end');
    assert.deepEqual(await received(tab, 1), ['bye']);
    assert.deepEqual(await tab.evaluate(() => window.events), ['open', 'close', 'end']);
  });

  test('a page that is left is a disconnection', async (t) => {
    const server = await startFor(t, { static: page });
    const [watcher, leaver] = [await opened(t, server), await opened(t, server)];
    const id = await leaver.evaluate(() => new Promise((resolve) => window.primus.id(resolve)));
    await write(watcher, { command: 'watch' }, 'watching');
    await received(watcher, 1);
    await leaver.goto('about:blank');
    assert.deepEqual((await received(watcher, 2))[1], { disconnected: id });
  });
});

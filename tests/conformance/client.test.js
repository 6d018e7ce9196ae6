/**
 * @file What an application sees through a Primus client: every kind of client, one after the other, does all of it.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connected, connecting, kinds, kindsOverHttp } from './clients.js';
import { start, startFor } from './server.js';
import { until } from './waiting.js';

const encodings = {
  'an empty string': '',
  'a string': 'hello',
  'a string with quotes, a backslash and control characters': '"\\\u0000\u0007\n\t\u001f',
  'a string that looks like JSON': '{"a":1}',
  'line and paragraph separators': 'before\u2028between\u2029after',
  'an emoji and other letters': 'grüße, 世界, مرحبا, 👩‍👩‍👧‍👦',
  'a whole number': 42,
  'zero': 0,
  'a negative number': -7,
  'a fraction': 0.1,
  'a very large number': 1.7976931348623157e308,
  'a very small number': 5e-324,
  'the largest safe integer': Number.MAX_SAFE_INTEGER,
  'true': true,
  'false': false,
  'null': null,
  'an empty array': [],
  'an array of everything': [1, 'two', { three: 3 }, [4], null, true, 5.5],
  'an empty object': {},
  'an object': { a: 1, b: { c: [true, null] }, 'ключ': 'значение' },
  'an object with awkward keys': { '': 1, '__proto__x': 2, constructor: 3, 'a.b': 4, '\u2028': 5 },
  'a deep structure': Array.from({ length: 60 }).reduce((inner) => ({ inner }), 'bottom'),
  'a mebibyte of text': 'é'.repeat(512 * 1024),
  'a mebibyte of objects': Array.from({ length: 20_000 }, (_, number) => ({ number, text: 'some text of a message' })),
};

for (const kind of [...kinds, ...kindsOverHttp]) {
  describe(kind.name, { concurrency: false }, () => {
    /** @type {import('./server.js').Server} */
    let server;
    const settings = { transformer: kind.transformer, ...kind.settings };
    before(async () => {
      server = await start(settings);
    });
    after(() => server.remove());

    test('opens, and ends by itself', async (t) => {
      const client = await connected(t, kind, server);
      client.end();
      const observer = await connected(t, kind, server);
      await until('the server to notice', async () => (await observer.ask({ command: 'count' })).count === 1);
    });

    for (const [what, value] of Object.entries(encodings)) {
      test(`${what} is echoed as it was`, async (t) => {
        const client = await connected(t, kind, server);
        assert.deepEqual(await client.ask(value), value);
      });
    }

    test('half of a surrogate pair, which is no character, is echoed or replaced', async (t) => {
      const client = await connected(t, kind, server);
      assert.ok(['\ud83d', '\ufffd'].includes(await client.ask('\ud83d')));
    });

    test('messages written before it is open are sent, in order', async (t) => {
      const client = await connecting(t, kind, server);
      for (let number = 0; number < 100; number += 1) client.primus.write(number);
      assert.deepEqual(await client.inbox.takeAll(100), Array.from({ length: 100 }, (_, number) => number));
    });

    test('many messages keep their order', async (t) => {
      const client = await connected(t, kind, server);
      for (let number = 0; number < 2_000; number += 1) client.primus.write({ number });
      const answers = await client.inbox.takeAll(2_000);
      assert.deepEqual(answers.map(({ number }) => number), Array.from({ length: 2_000 }, (_, number) => number));
    });

    test('is told its id, which is its own and stays', async (t) => {
      const client = await connected(t, kind, server);
      const other = await connected(t, kind, server);
      const id = await client.id();
      assert.match(id, /^\S+$/);
      assert.equal(await client.id(), id);
      assert.equal((await client.ask({ command: 'whoami' })).id, id);
      assert.notEqual(await other.id(), id);
    });

    test('the query of its URL reaches the server, decoded', async (t) => {
      const client = await connected(t, kind, server, { query: '/?name=J%C3%BCrgen+M&token=a%26b%3Dc&empty=' });
      const { query } = await client.ask({ command: 'whoami' });
      assert.equal(query.name, 'Jürgen M');
      assert.equal(query.token, 'a&b=c');
      assert.equal(query.empty, '');
      assert.match(query._primuscb, /^[\w.-]+$/);
    });

    test('the server knows its address and headers', async (t) => {
      const client = await connected(t, kind, server);
      const { address, headers } = await client.ask({ command: 'whoami' });
      assert.equal(address.ip, '127.0.0.1');
      assert.ok(Number.isInteger(address.port) && address.port > 0);
      assert.equal(headers.host, `127.0.0.1:${server.port}`);
      if (kind.transformer) assert.equal(headers.upgrade.toLowerCase(), 'websocket');
    });

    if (kind.headers) {
      test('headers of its own reach the server', async (t) => {
        const options = { transport: { headers: { 'X-Flavour': 'vanilla' } } };
        const client = await connected(t, kind, server, { options });
        assert.equal((await client.ask({ command: 'whoami' })).headers['x-flavour'], 'vanilla');
      });
    }

    test('is ended for good by the server, after the last data', async (t) => {
      const client = await connected(t, kind, server);
      const events = [];
      for (const name of ['close', 'end', 'reconnect scheduled', 'reconnect']) client.primus.on(name, () => events.push(name));
      const ended = client.event('end');
      client.primus.write({ command: 'close', data: 'the last words' });
      assert.equal(await client.inbox.take(), 'the last words');
      await ended;
      assert.deepEqual(events, ['close', 'end']);
      assert.equal(client.primus.readyState, 2);
    });

    test('comes back when the server ends it with {reconnect: true}', async (t) => {
      const client = await connected(t, kind, server);
      const before = await client.id();
      const reconnected = client.event('reconnected');
      client.primus.write({ command: 'reconnect' });
      await reconnected;
      const after = await client.id();
      assert.notEqual(after, before);
      assert.equal(await client.ask('still there'), 'still there');
    });

    test('a broadcast reaches every connection once', async (t) => {
      const clients = await Promise.all(Array.from({ length: 5 }, () => connected(t, kind, server)));
      clients[0].primus.write({ command: 'broadcast', value: { to: 'all \u2028' } });
      for (const client of clients) {
        assert.deepEqual(await client.inbox.take(), { to: 'all \u2028' });
        assert.equal(await client.ask('the next one'), 'the next one');
      }
    });

    test('its disconnection is announced to the application', async (t) => {
      const watcher = await connected(t, kind, server);
      const client = await connected(t, kind, server);
      const id = await client.id();
      watcher.primus.write({ command: 'watch' });
      assert.equal(await watcher.ask('watching'), 'watching');
      client.end();
      assert.deepEqual(await watcher.inbox.take(), { disconnected: id });
    });

    test('a message written in the connection handler arrives first', async (t) => {
      const client = await connecting(t, kind, server, { query: '/?welcome=hello' });
      client.primus.write('echo');
      assert.deepEqual(await client.inbox.takeAll(2), ['hello', 'echo']);
    });

    test('messages that come before the connection handler is through wait for it', async (t) => {
      const gate = `gate-${kinds.indexOf(kind)}`;
      const keeper = await connected(t, kind, server);
      const client = await connected(t, kind, server, { query: `/?gate=${gate}` });
      client.primus.write('first');
      client.primus.write('second');
      // Its id is answered at once, behind the two messages: so they have come, and wait.
      await client.id();
      assert.equal(client.inbox.length, 0);
      assert.deepEqual(await keeper.ask({ command: 'release', gate }), { released: 1 });
      assert.deepEqual(await client.inbox.takeAll(2), ['first', 'second']);
    });

    test('is refused by the authorization, and never opens', async (t) => {
      const client = await connecting(t, kind, server, {
        query: '/?refuse=403:not+today',
        options: { strategy: 'disconnect' },
      });
      client.primus.on('open', () => assert.fail('opened'));
      await client.event('end');
      assert.equal(client.errors.length, 1);
    });

    test('data that is no JSON does not end the connection', async (t) => {
      const client = await connected(t, kind, server);
      client.primus.emit('outgoing::data', '{"broken":');
      client.primus.emit('outgoing::data', 'nonsense');
      assert.equal(await client.ask('and on it goes'), 'and on it goes');
    });

    test('the heartbeat keeps it open, and is answered', async (t) => {
      const beating = await startFor(t, { ...settings, pingInterval: 150 });
      const client = await connected(t, kind, beating, { options: { pingTimeout: 5_000 } });
      const pings = [];
      const pongs = [];
      client.primus.on('incoming::ping', (time) => pings.push(time));
      client.primus.on('outgoing::pong', (time) => pongs.push(time));
      client.primus.on('close', () => assert.fail('closed'));
      await until('four heartbeats', () => pings.length >= 4);
      assert.deepEqual(pongs, pings);
      assert.ok(pings.every((time) => Math.abs(time - Date.now()) < 60_000), 'a ping carries the time');
      assert.equal(await client.ask('alive'), 'alive');
      client.primus.removeAllListeners('close');
    });

    test('a server that has gone silent is left, and found again', async (t) => {
      const silent = await startFor(t, { ...settings, pingInterval: 0 });
      const client = await connected(t, kind, silent, { options: { pingTimeout: 150 } });
      const reconnected = client.event('reconnected');
      await client.event('offline');
      await reconnected;
      // The next silence may end it again at any moment: what counts is that it came back.
      assert.ok(client.primus.online);
    });

    test('survives a crash of the server: reconnects and sends what was queued, in order', async (t) => {
      const mortal = await startFor(t, settings);
      const client = await connected(t, kind, mortal);
      assert.equal(await client.ask('before'), 'before');
      const closed = client.event('close');
      await mortal.end('SIGKILL');
      await closed;
      for (const message of ['one', { two: 2 }, 'three']) client.primus.write(message);
      const reconnected = client.event('reconnected');
      await mortal.start();
      await reconnected;
      assert.deepEqual(await client.inbox.takeAll(3), ['one', { two: 2 }, 'three']);
      assert.equal(await client.ask('after'), 'after');
    });

    test('survives an orderly restart of the server', async (t) => {
      const mortal = await startFor(t, settings);
      const client = await connected(t, kind, mortal);
      const reconnected = client.event('reconnected');
      const { code } = await mortal.end('SIGTERM');
      assert.equal(code, 0);
      await mortal.start();
      await reconnected;
      assert.equal(await client.ask('after'), 'after');
    });
  });
}

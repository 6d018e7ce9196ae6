/**
 * @file How the served client chooses its transport, falls back, and moves to a better one; and that nothing is lost on the way.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { describe, test } from 'node:test';

import { inNode } from './clients.js';
import { Connection } from './connection.js';
import { Proxy } from './proxy.js';
import { ours, startFor } from './server.js';
import { until } from './waiting.js';

/** Longer than what any of it takes on a busy machine. */
const PATIENCE = 60_000;

const all = { plugins: ['json', 'websocket', 'sse', 'long_polling', 'conformance_app'] };
/** A busy machine is no reason to take another transport. */
const quickly = { reconnect: { min: 5, max: 100, factor: 1.2, retries: 500 }, timeout: 60_000, headStart: 20_000 };

async function served(server) {
  return inNode(await (await fetch(server.at('/primus.js'))).text());
}

/** A client of the server, through the proxy if there is one; it is open. */
async function connected(t, server, { proxy = server, ...options } = {}) {
  const Primus = await served(server);
  const client = new Connection(new Primus(proxy.url, { ...quickly, ...options }));
  t.after(() => client.end());
  await until('the client to open', () => client.primus.readyState === 3, PATIENCE);
  return client;
}

/**
 * Numbered messages in both directions until `enough`: each is echoed, and all echoes come once and in their order. Messages that
 * the server sends by itself, to all, are numbered too.
 */
async function numbered(client, enough, teller) {
  let written = 0;
  let told = 0;
  const echoes = [];
  const news = [];
  client.primus.on('data', (data) => {
    if (data.echo) echoes.push(data.echo);
    if (data.news) news.push(data.news);
  });
  while (!(await enough())) {
    for (let count = 0; count < 5; count += 1) client.primus.write({ echo: ++written });
    teller?.primus.write({ command: 'broadcast', value: { news: ++told } });
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await until('all echoes', () => echoes.length >= written && news.length >= told, PATIENCE);
  assert.deepEqual(echoes, Array.from({ length: written }, (_, index) => index + 1));
  assert.deepEqual(news, Array.from({ length: told }, (_, index) => index + 1));
  assert.ok(written > 20);
}

/** The id of the client's spark, as the server has it. What comes meanwhile is no answer. */
async function idOf(client) {
  let id;
  const find = (data) => {
    id ??= data.id;
  };
  client.primus.on('data', find);
  client.primus.write({ command: 'whoami' });
  await until('an answer', () => id, PATIENCE);
  client.primus.off('data', find);
  return id;
}

describe('choosing a transport', { concurrency: false, ...ours }, () => {
  test('the first in the order that works is taken, and the spec lists all', async (t) => {
    const server = await startFor(t, all);
    assert.equal((await connected(t, server)).primus.transportName, 'websocket');
    const spec = await (await fetch(server.at('/spec'))).json();
    assert.equal(spec.transformer, 'websockets');
    assert.deepEqual(spec.transports.toSorted(), ['long-polling', 'sse', 'websockets']);
  });

  test('one line of the configuration makes it another, while the server runs', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { client_transports: ['sse', 'websocket'] } } });
    assert.equal((await connected(t, server)).primus.transportName, 'sse');
    const Primus = await served(server);
    assert.deepEqual([...Primus.prototype.transportNames], ['sse', 'websocket']);
    assert.deepEqual(Primus.prototype.transports.map(({ name }) => name), ['sse', 'websocket']);
    writeFileSync(server.config, server.configuration({ server: { client_transports: ['long-polling'] } }));
    await until('another client', async () => (await served(server)).prototype.transportNames[0] === 'long-polling');
    assert.equal((await connected(t, server)).primus.transportName, 'long-polling');

    const mark = server.log.length;
    writeFileSync(server.config, server.configuration({ server: { client_transports: ['long-polling', 'websockt'] } }));
    const line = await server.line(/server\.client_transports\.1/, mark);
    assert.match(line, /plugins\.toml:\d+:\d+: server\.client_transports\.1: .*"websockt"/);
    assert.match(line, /did you mean `websocket`\? \(allowed: .*long-polling.*\)/);
    assert.deepEqual([...(await served(server)).prototype.transportNames], ['long-polling']);
  });

  test('a client of an older library goes on when its transport is disabled, and comes back by another one', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { client_transports: ['websocket', 'sse'] } } });
    const client = await connected(t, server);
    const id = await client.id();
    writeFileSync(server.config, server.configuration({ server: { client_transports: ['sse'] }, websocket: { enabled: false } }));
    await until('another library', async () => (await served(server)).prototype.library !== client.primus.library);
    await until('the transport to be gone', async () => (await fetch(server.at(''))).status !== 426);
    assert.equal(await client.ask('goes on'), 'goes on');
    assert.deepEqual([client.primus.transportName, await client.id()], ['websocket', id]);
    client.primus.write({ command: 'reconnect' });
    await until('another connection', () => client.primus.transportName === 'sse', PATIENCE);
    assert.equal(await client.ask('is back'), 'is back');
    assert.deepEqual(client.errors, []);
  });

  test('a server does not start with a transport that no plugin brings', async (t) => {
    await assert.rejects(
      startFor(t, { ...all, tables: { server: { client_transports: ['carrier-pigeon'] } } }),
      /server\.client_transports\.0: no plugin brings the client a transport "carrier-pigeon" \(allowed: /,
    );
  });

  test('without WebSockets it falls back, and goes on when one is let through', async (t) => {
    const server = await startFor(t, all);
    const proxy = await Proxy.before(t, server);
    proxy.upgrades = false;
    const client = await connected(t, server, { proxy });
    assert.equal(client.primus.transportName, 'sse');
    assert.equal(proxy.harm.upgrades, 1);
    assert.deepEqual(client.errors, []);
    const id = await client.id();
    proxy.upgrades = 403;
    await numbered(client, () => proxy.harm.upgrades >= 2);
    assert.equal(client.primus.transportName, 'sse', 'a vain attempt to move');
    await client.inbox.takeAll(client.inbox.length);
    proxy.upgrades = true;
    const moved = [];
    client.primus.on('moved', (...names) => moved.push(names));
    await until('the move', () => moved.length, PATIENCE);
    assert.deepEqual(moved, [['websocket', 'sse']]);
    assert.equal(client.primus.transportName, 'websocket');
    assert.equal(await client.ask('after'), 'after');
    assert.equal(await idOf(client), id, 'it is the same spark');
  });

  test('where streams are held back, it takes long polling, or streams that end where there is nothing else', async (t) => {
    for (const [client_transports, expected] of [[['sse', 'long-polling'], 'long-polling'], [['sse'], 'sse']]) {
      const server = await startFor(t, { ...all, tables: { server: { client_transports } } });
      const proxy = await Proxy.before(t, server);
      proxy.buffers = true;
      const client = await connected(t, server, { proxy });
      assert.equal(client.primus.transportName, expected);
      assert.ok(proxy.harm.buffered > 0);
      await numbered(client, () => proxy.asked.length > 20);
    }
  });
});

describe('nothing is lost or comes twice', { concurrency: false, ...ours }, () => {
  for (const transport of ['sse', 'long-polling']) {
    test(`when responses of ${transport} break and answers get lost`, async (t) => {
      const server = await startFor(t, { ...all, tables: { server: { client_transports: [transport] } } });
      const teller = await connected(t, server);
      const proxy = await Proxy.before(t, server);
      const client = await connected(t, server, { proxy });
      const id = await client.id();
      proxy.losesAnswers = { method: 'POST', percent: 30 };
      proxy.breaksAfter = 3_000;
      const { harm } = proxy;
      const enough = () => {
        if (harm.answers < 5 || harm.broken < 5) return false;
        // A response of long polling comes whole or not at all: what waits by now may be longer than what is let through.
        proxy.breaksAfter = Infinity;
        return true;
      };
      await numbered(client, enough, teller);
      assert.equal(await idOf(client), id, 'it is the same spark');
      assert.deepEqual(client.errors, []);
    });

    test(`when a client moves from ${transport} to a WebSocket under load`, async (t) => {
      const server = await startFor(t, all);
      const teller = await connected(t, server);
      const proxy = await Proxy.before(t, server);
      proxy.upgrades = false;
      const client = await connected(t, server, { proxy });
      if (transport === 'long-polling') {
        client.end();
        proxy.buffers = true;
      }
      const mover = transport === 'long-polling' ? await connected(t, server, { proxy }) : client;
      assert.equal(mover.primus.transportName, transport);
      proxy.buffers = false;
      proxy.upgrades = true;
      const id = await mover.id();
      let after = 0;
      await numbered(mover, () => mover.primus.transportName === 'websocket' && (after += 1) > 50, teller);
      assert.equal(await idOf(mover), id, 'it is the same spark');
      assert.deepEqual(mover.errors, []);
    });
  }

  test('whether the spark is on the shard of the new connection or on another one', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { client_transports: ['websocket', 'sse'], shards: 2 } } });
    const proxy = await Proxy.before(t, server);
    proxy.upgrades = false;
    const clients = await Promise.all(Array.from({ length: 12 }, () => connected(t, server, { proxy })));
    const ids = await Promise.all(clients.map((client) => client.id()));
    proxy.upgrades = true;
    const teller = await connected(t, server);
    let count = 0;
    const all_moved = () => clients.every(({ primus }) => primus.transportName === 'websocket');
    while (!all_moved()) {
      teller.primus.write({ command: 'broadcast', value: count += 1 });
      for (const { primus } of clients) primus.write({ mine: count });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const [index, client] of clients.entries()) {
      const got = await client.inbox.takeAll(2 * count);
      assert.deepEqual(got.filter((data) => typeof data === 'number'), Array.from({ length: count }, (_, at) => at + 1));
      assert.deepEqual(got.filter((data) => data.mine).map(({ mine }) => mine), Array.from({ length: count }, (_, at) => at + 1));
      assert.equal(await idOf(client), ids[index]);
    }
  });

  test('when the new connection breaks before it has taken over', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { client_transports: ['websocket', 'sse'] } } });
    const Primus = await served(server);
    const proxy = await Proxy.before(t, server);
    proxy.upgrades = false;
    const client = new Connection(new Primus(proxy.url, quickly));
    t.after(() => client.end());
    await client.event('open');
    const id = await client.id();
    // Its word never comes to the server: the first connections are cut as soon as they are open.
    let cut = 0;
    const websocket = Primus.prototype.transports.find(({ name }) => name === 'websocket');
    const { open } = websocket;
    websocket.open = (target, events) => {
      const connection = open.call(websocket, target, { ...events, open: () => {
        if (cut < 1) {
          cut += 1;
          connection.socket.close();
        } else events.open();
      } });
      return connection;
    };
    proxy.upgrades = true;
    await until('a connection that broke', () => cut === 1, PATIENCE);
    await numbered(client, () => client.primus.transportName === 'websocket');
    assert.equal(await idOf(client), id, 'it is the same spark');
  });
});

describe('sessions over HTTP', { concurrency: false, ...ours }, () => {
  test('an EventSource alone reads, and goes on where it was when its stream breaks', async (t) => {
    const server = await startFor(t, { plugins: ['json', 'sse', 'conformance_app'], tables: { sse: { max_stream_ms: 60_000 } } });
    const [first, status] = await stream(t, server, {});
    assert.equal(status, 200);
    const { id, data } = await first.event('open');
    const { session } = JSON.parse(data);
    assert.equal(id, `${session}.0`);
    const say = async (text) => {
      const answer = await fetch(`${server.at('/sse')}?_session=${session}`, { method: 'POST', body: text });
      assert.deepEqual(Object.keys(await answer.json()), ['received']);
    };
    await say('"one"');
    const one = await first.event('');
    assert.deepEqual(one, { event: '', id: `${session}.1`, data: '"one"' });
    first.end();
    await say('"two"');
    const [second] = await stream(t, server, { 'last-event-id': one.id });
    assert.deepEqual(await second.event(''), { event: '', id: `${session}.2`, data: '"two"' });
    const [gone, ok] = await stream(t, server, { 'last-event-id': `${session.split('~')[0]}~${'x'.repeat(22)}.1` });
    assert.equal(ok, 410, 'nobody else can read it');
    gone.end();
  });

  test('a name is good for its own transport only, and the public id for none', async (t) => {
    const server = await startFor(t, all);
    const [one] = await stream(t, server, {});
    const { session } = JSON.parse((await one.event('open')).data);
    const status = async (path) => (await fetch(server.at(path))).status;
    assert.equal(await status(`/poll?_session=${session}&_ack=0`), 410);
    assert.equal(await status(`/sse?_session=${session.split('~')[0]}`), 410);
    assert.equal(await status(`?_move=${session}`), 426, 'no WebSocket');
    const { WebSocket } = await import('ws');
    const answered = await new Promise((resolve) => {
      const socket = new WebSocket(`${server.at('').replace('http', 'ws')}?_move=${session}`);
      socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode));
      socket.on('open', () => {
        // The ticket is another secret: whoever has the session's name only can't move it.
        socket.send(JSON.stringify('primus::move::0'));
        socket.on('close', () => resolve('closed'));
      });
      socket.on('error', () => {});
    });
    assert.equal(answered, 'closed');
  });

  test('a session has so many requests under way', async (t) => {
    const server = await startFor(t, { ...all, tables: { server: { max_exchanges: 2 } } });
    const [one] = await stream(t, server, {});
    const { session } = JSON.parse((await one.event('open')).data);
    const slow = [1, 2].map(() => {
      const begin = () => {
        const request = http.request(`${server.at('/sse')}?_session=${session}`, { method: 'POST', headers: { 'content-length': 10 } });
        request.on('error', () => {});
        // It came together with one of those below.
        request.on('response', (response) => {
          response.resume();
          one.request = begin();
        });
        request.write('1');
        return request;
      };
      const one = { request: begin() };
      t.after(() => one.request.destroy());
      return one;
    });
    await until('both to be under way', async () => {
      const answer = await fetch(`${server.at('/sse')}?_session=${session}`, { method: 'POST' });
      return answer.status === 429 && /max_exchanges/.test(await answer.text());
    });
    slow[0].request.destroy();
    await until('room', async () => (await fetch(`${server.at('/sse')}?_session=${session}`, { method: 'POST' })).status === 200);
  });

  test('a body that is longer than max_message, and a message over max_message_bytes, are refused', async (t) => {
    const server = await startFor(t, { ...all, tables: { 'long-polling': { max_message_bytes: 1_000 }, server: { max_message: 5_000, max_buffered: 10_000 } } });
    const opened = new Uint8Array(await (await fetch(`${server.at('/poll')}?_v=1`)).arrayBuffer());
    const { session } = JSON.parse(new TextDecoder().decode(opened.subarray(13)));
    const post = (length) => fetch(`${server.at('/poll')}?_session=${session}`, { method: 'POST', body: 'x'.repeat(length) });
    assert.equal((await post(6_000)).status, 413);
    assert.equal((await post(1_000)).status, 200);
    assert.equal((await post(1_001)).status, 413);
    assert.equal((await post(1)).status, 410, 'it is over');
  });
});

/** An event stream, read by plain HTTP as an `EventSource` reads it, and its status. */
async function stream(t, server, headers) {
  const abort = new AbortController();
  t.after(() => abort.abort());
  const response = await fetch(server.at('/sse'), { headers: { accept: 'text/event-stream', ...headers }, signal: abort.signal });
  const events = [];
  const reading = (async () => {
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop();
      for (const part of parts) {
        const event = { event: '', id: '', data: undefined };
        for (const line of part.split('\n')) {
          const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
          if (field in event) event[field] = value;
        }
        if (event.data !== undefined) events.push(event);
      }
    }
  })().catch(() => {});
  const reader = {
    async event(name) {
      return until(`the event "${name}"`, () => {
        const at = events.findIndex(({ event }) => event === name);
        return at < 0 ? undefined : events.splice(at, 1)[0];
      });
    },
    end: () => abort.abort(),
    reading,
  };
  return [reader, response.status];
}

/**
 * @file Engine.IO: its own clients of both versions over each of their carriers, the Primus client with the transformer
 * `engine.io`, and what is on the wire where no client would show it.
 */

import assert from 'node:assert/strict';
import http from 'node:http';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { Connection } from './connection.js';
import { ours, start, startFor } from './server.js';
import { DEADLINE, Inbox, next, until, within } from './waiting.js';

const require = createRequire(import.meta.url);
const Primus = require('primus');
const clients = { 4: require('engine.io-client').Socket, 3: require('engine.io-client-3').Socket };

/** A server with Engine.IO and plain WebSockets; its requests come to two threads. */
const settings = {
  transformer: 'engine.io',
  plugins: ['json', 'websocket', 'engine_io', 'conformance_app'],
  tables: { server: { shards: 2 } },
};

/** The ways in which a client begins, and whether it moves. */
const carriers = [['polling'], ['websocket'], ['polling', 'websocket']];

/** An `engine.io-client` that is closed with the test. */
class Client {
  inbox = new Inbox();

  constructor(t, server, version, transports) {
    this.socket = new clients[version](server.url, { path: '/primus', transports });
    this.opened = next(this.socket, 'open');
    this.upgraded = transports.length > 1 ? next(this.socket, 'upgrade') : Promise.resolve();
    this.closed = within(2 * DEADLINE, 'the session to close', (resolve) => this.socket.once('close', resolve));
    for (const promise of [this.opened, this.upgraded, this.closed]) promise.catch(() => {});
    this.socket.on('message', (data) => {
      if (typeof data !== 'string') return this.inbox.put(Buffer.from(data));
      const message = JSON.parse(data);
      // The heartbeat of Primus is its client's business.
      if (!String(message).startsWith('primus::')) this.inbox.put(message);
    });
    t.after(() => this.socket.close());
  }

  static async open(t, server, version, transports) {
    const client = new Client(t, server, version, transports);
    await client.opened;
    return client;
  }

  send(value) {
    this.socket.send(JSON.stringify(value));
  }

  async ask(value) {
    this.send(value);
    return this.inbox.take();
  }
}

/** One request, on a connection of its own. */
function request(server, query, { method = 'GET', body = '', headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: server.port, path: `/primus/?${query}`, method, headers, agent: false };
    const sent = http.request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (data) => (text += data));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    });
    sent.on('error', reject).end(body);
  });
}

/** Opens a session by hand; `query` names it from then on. */
async function session(server, version = 4) {
  const { body } = await request(server, `EIO=${version}&transport=polling`);
  const open = JSON.parse(body.slice(body.indexOf('{')));
  return { open, query: `EIO=${version}&transport=polling&sid=${open.sid}` };
}

let server;
before(async () => {
  server = await start(settings);
});
after(() => server.remove());

for (const version of [4, 3]) {
  const which = version === 3 ? ours : {};
  for (const transports of carriers) {
    describe(`engine.io-client of version ${version}, ${transports.join(' then ')}`, which, () => {
      test('echoes texts in their order', async (t) => {
        const client = await Client.open(t, server, version, transports);
        const values = ['é€😀', '', { a: [1, null, 'x'.repeat(100_000)] }, ...Array.from({ length: 100 }, (_, number) => number)];
        for (const value of values) client.send(value);
        for (const value of values) assert.deepEqual(await client.inbox.take(), value);
      });

      test('is told its id, which is the session of its requests', async (t) => {
        const client = await Client.open(t, server, version, transports);
        assert.equal((await client.ask({ command: 'whoami' })).id, client.socket.id);
      });

      test('hears that the server closes, after the last data', async (t) => {
        const client = await Client.open(t, server, version, transports);
        await client.upgraded;
        client.send({ command: 'close', data: 'bye' });
        assert.equal(await client.inbox.take(), 'bye');
        await client.closed;
      });
    });
  }

  test(`a client of version ${version} moves to a WebSocket amid traffic, and nothing is lost or comes twice`, which, async (t) => {
    for (let round = 0; round < 10; round += 1) {
      const client = await Client.open(t, server, version, ['polling', 'websocket']);
      let moved = false;
      client.upgraded.then(() => (moved = true));
      let sent = 0;
      let left = 50;
      while (left > 0) {
        if (moved) left -= 1;
        client.send(sent);
        sent += 1;
        await new Promise(setImmediate);
        if (sent > 100_000) assert.fail('the client never moved');
      }
      for (let number = 0; number < sent; number += 1) assert.equal(await client.inbox.take(), number);
      client.socket.close();
    }
  });
}

describe('the npm client with the transformer engine.io', () => {
  const open = async (t, options) => {
    const Socket = Primus.createSocket({ transformer: 'engine.io', parser: 'json', pathname: '/primus' });
    const connection = new Connection(new Socket(`${server.url}?token=a%20b`, options));
    t.after(() => connection.end());
    await connection.event('open');
    return connection;
  };

  for (const transports of carriers) {
    test(`echoes over ${transports.join(' then ')}`, async (t) => {
      const connection = await open(t, { transport: { transports } });
      for (const value of ['text', 0, null, false, { deep: [{ é: '\u2028' }] }]) assert.deepEqual(await connection.ask(value), value);
      const identity = await connection.ask({ command: 'whoami' });
      assert.equal(identity.id, await connection.id());
      assert.equal(identity.query.token, 'a b');
    });
  }

  test('does not come back after a close for good, and does after any other', async (t) => {
    const connection = await open(t, { reconnect: { min: 5, max: 100 } });
    connection.primus.write({ command: 'reconnect' });
    await connection.event('reconnected');
    assert.equal(await connection.ask('again'), 'again');
    const ended = connection.event('end');
    connection.primus.write({ command: 'close' });
    await ended;
  });

  test('sits beside plain WebSockets', async (t) => {
    const connection = await open(t);
    const Plain = Primus.createSocket({ transformer: 'websockets', parser: 'json', pathname: '/primus' });
    const plain = new Connection(new Plain(server.url));
    t.after(() => plain.end());
    if (settings.plugins.includes('websocket') && !ours.skip) {
      await plain.event('open');
      connection.primus.write({ command: 'broadcast', value: 'to all' });
      assert.deepEqual([await connection.inbox.take(), await plain.inbox.take()], ['to all', 'to all']);
    }
  });
});

describe('on the wire', () => {
  test('the errors have the codes of the protocol', async () => {
    const cases = [
      ['EIO=4', {}, '{"code":0,"message":"Transport unknown"}'],
      ['EIO=4&transport=polling&sid=none', {}, '{"code":1,"message":"Session ID unknown"}'],
      ['EIO=4&transport=polling', { method: 'POST' }, '{"code":2,"message":"Bad handshake method"}'],
      ['EIO=4&transport=websocket', {}, '{"code":3,"message":"Bad request"}'],
    ];
    for (const [query, how, expected] of cases) {
      const { status, headers, body } = await request(server, query, how);
      assert.deepEqual([status, headers['content-type'], body], [400, 'application/json', expected], query);
    }
  });

  test('a version that is not spoken is refused', ours, async () => {
    const { status, body } = await request(server, 'EIO=2&transport=polling');
    assert.deepEqual([status, body], [400, '{"code":5,"message":"Unsupported protocol version"}']);
  });

  test('binary messages are base64 by polling', async () => {
    const { query } = await session(server);
    const { body } = await request(server, query, { method: 'POST', body: '4"one"\x1e4"two"', headers: { 'content-type': 'text/plain' } });
    assert.equal(body, 'ok');
    let received = '';
    while (!received.includes('"two"')) received += `${(await request(server, query)).body}\x1e`;
    assert.deepEqual(received.split('\x1e').filter((packet) => packet.startsWith('4')), ['4"one"', '4"two"']);
  });

  test('a session goes on over any connection, whichever thread takes it', ours, async () => {
    const sessions = await Promise.all(Array.from({ length: 20 }, () => session(server)));
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(sessions.map(async ({ query }, number) => {
        const poll = request(server, query);
        const posted = await request(server, query, { method: 'POST', body: `4${number * 100 + round}` });
        assert.deepEqual([posted.status, posted.body], [200, 'ok']);
        assert.equal((await poll).body, `4${number * 100 + round}`);
      }));
    }
  });

  test('a client that goes away while its request waits is gone', ours, async (t) => {
    const observer = await Client.open(t, server, 4, ['websocket']);
    observer.send({ command: 'watch' });
    await observer.ask('watching');
    const { open, query } = await session(server);
    const poll = () => http.request({ host: '127.0.0.1', port: server.port, path: `/primus/?${query}`, agent: false }).on('error', () => {});
    // The answer to a packet shows that the session is there, and that its request waits no more.
    const first = poll();
    const answered = within(DEADLINE, 'the echo', (resolve) => first.once('response', (response) => response.resume().on('end', resolve)));
    first.end();
    await request(server, query, { method: 'POST', body: '4"here"' });
    await answered;
    const second = poll();
    second.end();
    await next(second, 'finish');
    // Each thread takes its connections in their order: when it has answered these, it has the request.
    for (let other = 0; other < 30; other += 1) await request(server, 'EIO=4');
    second.destroy();
    const gone = await until('the news', async () => JSON.stringify(await observer.inbox.take()).includes(open.sid));
    assert.ok(gone);
    assert.equal((await request(server, query)).body, '{"code":1,"message":"Session ID unknown"}');
  });

  test('a second request that waits ends the session', async () => {
    const { query } = await session(server);
    const polls = await Promise.all([request(server, query), request(server, query)]);
    assert.ok(polls.some(({ status }) => status === 400));
    assert.equal((await request(server, query)).status, 400);
  });

  test('a client that does not answer pings is gone in time', ours, async (t) => {
    const strict = await startFor(t, {
      ...settings,
      tables: { ...settings.tables, 'engine-io': { ping_interval_ms: 50, ping_timeout_ms: 50 } },
    });
    const { query } = await session(strict);
    assert.match((await request(strict, query)).body, /^2$/);
    await until('the session to end', async () => (await request(strict, query)).body.includes('"code":1'));
  });
});

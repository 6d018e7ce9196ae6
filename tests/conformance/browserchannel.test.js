/**
 * @file BrowserChannel: npm's own client, the Primus client with the transformer `browserchannel`, and what is on the wire.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import { connected, inNodeOver, kinds } from './clients.js';
import { JsonClient } from './json-client.js';
import { ours, start, startFor } from './server.js';
import { DEADLINE, next, until, within } from './waiting.js';

const require = createRequire(import.meta.url);
const Primus = require('primus');
const { BCSocket } = require('browserchannel');

/** A server with BrowserChannel for its only transport. */
const settings = { transformer: 'browserchannel', plugins: ['json', 'browserchannel', 'conformance_app'] };

/** npm's client, that is closed with the test. */
class Client extends JsonClient {
  constructor(t, server, options = {}) {
    super(t, new BCSocket(server.at(''), options));
  }
}

/** The Primus client with the transformer `browserchannel`. */
const primus = inNodeOver('browserchannel');

/** One request, with its answer whole. */
function request(server, method, path, { body = '', headers = {} } = {}) {
  return within(DEADLINE, `the answer to ${method} ${path}`, (resolve, reject) => {
    const options = { host: '127.0.0.1', port: server.port, path: `/primus${path}`, method, headers, agent: false };
    const asked = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** A response that stays open. */
class Stream {
  text = '';
  ended = false;

  constructor(t, server, path) {
    const options = { host: '127.0.0.1', port: server.port, path: `/primus${path}`, agent: false };
    this.request = http.get(options, (response) => {
      this.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (text) => {
        this.text += text;
      });
      response.on('end', () => {
        this.ended = true;
      });
      response.on('error', () => {});
    });
    this.request.on('error', () => {});
    t.after(() => this.cut());
  }

  /** Resolves when the text has what is expected in it. */
  until(part) {
    return until(`a response with ${JSON.stringify(part)}`, () => this.text.includes(part));
  }

  cut() {
    this.request.destroy();
  }
}

/** The texts of a body of chunks, each behind its length in UTF-16 units. */
function chunksOf(body) {
  const chunks = [];
  for (let rest = body; rest; ) {
    const [head] = /^\d+\n/.exec(rest) ?? assert.fail(`no length at ${JSON.stringify(rest)}`);
    const text = rest.slice(head.length, head.length + Number(head));
    assert.equal(text.length, Number(head));
    chunks.push(JSON.parse(text));
    rest = rest.slice(head.length + text.length);
  }
  return chunks;
}

const form = { 'Content-Type': 'application/x-www-form-urlencoded' };

/** A session whose requests are written by hand. */
class Session {
  #rid = 1000;
  #sent = 0;
  /** The last array that has come. */
  last = 0;

  constructor(server) {
    this.server = server;
  }

  static async open(server, query = '') {
    const session = new Session(server);
    const { status, body } = await request(server, 'POST', `/bind?VER=8&RID=1000&CVER=1${query}&zx=a&t=1`, { body: 'count=0', headers: form });
    assert.equal(status, 200);
    // The greeting of the application may be there already.
    const [[[number, [kind, sid, prefix, version]]]] = chunksOf(body);
    assert.deepEqual([number, kind, prefix, version], [0, 'c', null, 8]);
    session.sid = sid;
    return session;
  }

  /** Sends messages; the answer. */
  async send(...values) {
    const maps = values.map((value, place) => `&req${place}__S=${encodeURIComponent(JSON.stringify(value))}`);
    const answer = await this.post(`count=${values.length}&ofs=${this.#sent}${maps.join('')}`);
    this.#sent += values.length;
    return answer;
  }

  async post(body, headers = form) {
    this.#rid += 1;
    return request(this.server, 'POST', `/bind?VER=8&SID=${this.sid}&RID=${this.#rid}&AID=${this.last}`, { body, headers });
  }

  path(query) {
    return `/bind?VER=8&RID=rpc&SID=${this.sid}&AID=${this.last}&${query}`;
  }

  /** The arrays of the next response that is not to go on. */
  async poll() {
    const { status, body } = await request(this.server, 'GET', this.path('CI=1&TYPE=xmlhttp'));
    assert.equal(status, 200);
    const arrays = chunksOf(body).flat();
    this.last = arrays.at(-1)[0];
    return arrays.map(([, content]) => content);
  }

  terminate() {
    return request(this.server, 'GET', `/bind?VER=8&SID=${this.sid}&RID=${this.#rid + 1}&TYPE=terminate`);
  }
}

const unknown = '<html><body><h1>Unknown SID</h1></body></html>';

/** A client that watches which others go. */
async function watching(t, server) {
  const watcher = await Client.open(t, server);
  watcher.send({ command: 'watch' });
  assert.equal(await watcher.ask('watching'), 'watching');
  return watcher;
}

for (const shards of [1, 2]) {
  describe(`npm browserchannel, with ${shards} ${shards === 1 ? 'shard' : 'shards'}`, { concurrency: false }, () => {
    /** @type {import('./server.js').Server} */
    let server;
    before(async () => {
      server = await start({ ...settings, tables: { server: { shards } } });
    });
    after(() => server.remove());

    test('messages come back as they were and in order', async (t) => {
      const client = await Client.open(t, server);
      const values = ['', 'é\u2028\u200d😀"\\\u0000\u001f', { a: [1, null] }, 'x'.repeat(100_000), '100% + 1', '</script>'];
      for (const value of values) assert.deepEqual(await client.ask(value), value);
      for (let number = 0; number < 500; number += 1) client.send({ number });
      const answers = await client.inbox.takeAll(500);
      assert.deepEqual(answers.map(({ number }) => number), Array.from({ length: 500 }, (_, number) => number));
    });

    test('more than a response may hold arrives whole', async (t) => {
      const client = await Client.open(t, server);
      client.send({ command: 'flood', count: 50, size: 20_000 });
      const messages = await client.inbox.takeAll(50);
      assert.ok(messages.every((message) => message.length === 20_000));
      assert.equal(await client.ask('and on it goes'), 'and on it goes');
    });

    test('the server’s close follows the last data', async (t) => {
      const client = await Client.open(t, server);
      client.send({ command: 'close', data: 'the last words' });
      assert.equal(await client.inbox.take(), 'the last words');
      assert.equal(await client.closed, 'Stopped by server');
    });

    test('the client’s close is noticed', async (t) => {
      const watcher = await watching(t, server);
      const client = await Client.open(t, server);
      const { id } = await client.ask({ command: 'whoami' });
      client.socket.close();
      await until('its disconnection', async () => (await watcher.inbox.take()).disconnected === id);
    });

    test('a client that comes anew takes the place of the one that it was', ours, async (t) => {
      const watcher = await watching(t, server);
      const client = await Client.open(t, server);
      const { id } = await client.ask({ command: 'whoami' });
      const again = await Client.open(t, server, { prev: client.socket });
      assert.notEqual((await again.ask({ command: 'whoami' })).id, id);
      await until('the end of the former', async () => (await watcher.inbox.take()).disconnected === id);
    });
  });
}

describe('the Primus client with browserchannel', { concurrency: false }, () => {
  /** @type {import('./server.js').Server} */
  let server;
  before(async () => {
    server = await start(settings);
  });
  after(() => server.remove());

  test('echoes every kind of value', async (t) => {
    const client = await connected(t, primus, server);
    const values = ['', '"\\\u0000\n\u2028', 0, -1.5, true, false, null, [], {}, { a: [1, 'é', { b: '😀' }] }, 'é'.repeat(300_000)];
    for (const value of values) assert.deepEqual(await client.ask(value), value);
  });

  test('keeps the order of many messages', async (t) => {
    const client = await connected(t, primus, server);
    for (let number = 0; number < 2_000; number += 1) client.primus.write({ number });
    const answers = await client.inbox.takeAll(2_000);
    assert.deepEqual(answers.map(({ number }) => number), Array.from({ length: 2_000 }, (_, number) => number));
  });

  test('is told its id, which is not the secret of its session', ours, async (t) => {
    const client = await connected(t, primus, server);
    const { id } = await client.ask({ command: 'whoami' });
    assert.equal(id, await client.id());
    const stolen = await request(server, 'POST', `/bind?VER=8&SID=${id}&RID=1`, { body: 'count=0', headers: form });
    assert.deepEqual([stolen.status, stolen.body], [400, unknown]);
  });

  test('has its query told', async (t) => {
    const client = await connected(t, primus, server, { query: '/?name=J%C3%BCrgen' });
    assert.equal((await client.ask({ command: 'whoami' })).query.name, 'Jürgen');
  });

  test('is refused by who authorizes', async (t) => {
    const closed = new Primus.createSocket({ transformer: 'browserchannel', parser: 'json', pathname: '/primus' });
    const client = new closed(`${server.url}/?refuse=403:no`, { strategy: false });
    t.after(() => client.end());
    client.on('open', () => assert.fail('it is let in'));
    await within(DEADLINE, 'the error', (resolve) => client.on('error', resolve));
  });

  test('gets a broadcast once', async (t) => {
    const clients = await Promise.all([0, 1, 2].map(() => connected(t, primus, server)));
    clients[0].primus.write({ command: 'broadcast', value: { to: 'all \u2028' } });
    for (const client of clients) {
      assert.deepEqual(await client.inbox.take(), { to: 'all \u2028' });
      assert.equal(await client.ask('the next one'), 'the next one');
    }
  });

  test('is ended for good by the server, after the last data', async (t) => {
    const client = await connected(t, primus, server);
    client.primus.on('reconnect scheduled', () => assert.fail('it comes again'));
    const ended = client.event('end');
    client.primus.write({ command: 'close', data: 'the last words' });
    assert.equal(await client.inbox.take(), 'the last words');
    await ended;
  });

  test('comes back when it is to, and after a restart', async (t) => {
    const mortal = await startFor(t, settings);
    const client = await connected(t, primus, mortal);
    const reconnected = client.event('reconnected');
    client.primus.write({ command: 'reconnect' });
    await reconnected;
    assert.equal(await client.ask('again'), 'again');
    // The client tries its session for some seconds more, and is told then that it is unknown.
    const back = next(client.primus, 'reconnected', 6 * DEADLINE);
    await mortal.restart();
    await back;
    assert.equal(await client.ask('after a restart'), 'after a restart');
  });

  test('answers the heartbeat', async (t) => {
    const beating = await startFor(t, { ...settings, pingInterval: 150 });
    const client = await connected(t, primus, beating, { options: { pingTimeout: 60_000 } });
    const pings = [];
    client.primus.on('incoming::ping', (time) => pings.push(time));
    await until('four heartbeats', () => pings.length >= 4);
  });
});

describe('the wire of browserchannel', { concurrency: false }, () => {
  /** @type {import('./server.js').Server} */
  let server;
  before(async () => {
    server = await start({ ...settings, tables: { server: { shards: 2 }, browserchannel: { response_limit_bytes: 4_096 } } });
  });
  after(() => server.remove());

  test('the trial before a session', async (t) => {
    const { status, headers, body } = await request(server, 'GET', '/test?VER=8&MODE=init&zx=1&t=1');
    assert.deepEqual([status, headers['content-type'], body], [200, 'text/plain', '[null,null]']);
    assert.match(headers['cache-control'], /no-cache/);
    assert.match(headers['cache-control'], /no-store/);
    const stream = new Stream(t, server, '/test?VER=8&TYPE=xmlhttp&zx=1&t=1');
    await until('the first piece alone', () => stream.text === '11111');
    assert.equal(stream.ended, false);
    await until('both pieces', () => stream.text === '111112' && stream.ended);
  });

  test('the trial of an old browser’s frame', async (t) => {
    const stream = new Stream(t, server, '/test?VER=8&TYPE=html&DOMAIN=a.example&zx=1&t=1');
    await stream.until('parent.m("11111")');
    assert.match(stream.text, /^<html><body><script>try\{document\.domain="a\.example";\}catch\(e\)\{\}<\/script>\n/);
    assert.match(stream.headers['content-type'], /^text\/html/);
    await until('its end', () => stream.ended);
    assert.match(stream.text, /parent\.m\("2"\).*parent\.d\(\)/s);
  });

  test('what is wrong is told', async () => {
    const told = async (method, path) => {
      const { status, body } = await request(server, method, path);
      return [status, body];
    };
    assert.deepEqual(await told('GET', '/test?VER=7&MODE=init'), [400, '<html><body><h1>Version 8 required</h1></body></html>']);
    assert.deepEqual(await told('POST', '/bind?VER=8&RID=1&SID=nobody'), [400, unknown]);
    assert.deepEqual(await told('GET', '/bind?VER=8&RID=rpc&SID=nobody&TYPE=xmlhttp&CI=0'), [400, unknown]);
    assert.equal((await told('PUT', '/bind?VER=8'))[0], 405);
    assert.equal((await told('GET', '/other?VER=8'))[0], 404);
    assert.deepEqual(await told('GET', '/bind?VER=8&RID=1&TYPE=terminate'), [200, '']);
  });

  test('messages in a form and as JSON', async () => {
    const session = await Session.open(server);
    const { status, headers, body } = await session.send('é 100%', { a: 1 });
    assert.deepEqual([status, headers['content-type']], [200, 'text/plain']);
    // Whether a response is open, the last array that was sent, and what is not acknowledged.
    assert.deepEqual(chunksOf(body), [[0, 0, 0]]);
    const answers = [];
    while (answers.length < 2) answers.push(...(await session.poll()));
    assert.deepEqual(answers, ['"é 100%"', '{"a":1}']);
  });

  test('messages as JSON', ours, async () => {
    const session = await Session.open(server);
    const json = { 'Content-Type': 'application/json' };
    assert.equal((await session.post('{"ofs":0,"data":[{"b":1,"a":2},"\\"text\\""]}', json)).status, 200);
    const answers = [];
    while (answers.length < 2) answers.push(...(await session.poll()));
    assert.deepEqual(answers, ['{"b":1,"a":2}', '"text"']);
  });

  test('a message that comes twice or too early is taken once and in its turn', async () => {
    const session = await Session.open(server);
    await session.post('count=1&ofs=1&req0__S=2');
    await session.post('count=1&ofs=0&req0__S=1');
    await session.post('count=3&ofs=0&req0__S=1&req1__S=2&req2__S=3');
    const answers = [];
    while (answers.length < 3) answers.push(...(await session.poll()));
    assert.deepEqual(answers, ['1', '2', '3']);
  });

  test('arrays that are not acknowledged come again', async (t) => {
    const session = await Session.open(server);
    const stream = new Stream(t, server, session.path('CI=0&TYPE=xmlhttp'));
    await session.send('日', 'two');
    await stream.until('"\\"two\\""');
    const numbers = chunksOf(stream.text).flat();
    assert.deepEqual(numbers, [[1, '"日"'], [2, '"two"']]);
    stream.cut();
    session.last = 1;
    assert.deepEqual(await session.poll(), ['"two"']);
    await session.send('three');
    assert.deepEqual(await session.poll(), ['"three"']);
  });

  test('a second response takes the place of the first', async (t) => {
    const session = await Session.open(server);
    const first = new Stream(t, server, session.path('CI=0&TYPE=xmlhttp'));
    await until('the first response', async () => chunksOf((await session.send()).body)[0][0] === 1);
    const second = new Stream(t, server, session.path('CI=0&TYPE=xmlhttp'));
    await until('the end of the first', () => first.ended);
    await session.send('here');
    await second.until('"\\"here\\""');
    assert.equal(first.text, '');
  });

  test('a response ends at its limit, and the next one goes on', ours, async (t) => {
    const session = await Session.open(server);
    const stream = new Stream(t, server, session.path('CI=0&TYPE=xmlhttp'));
    for (let number = 0; number < 5; number += 1) await session.send('x'.repeat(1_000));
    await until('the end of the response', () => stream.ended);
    session.last = chunksOf(stream.text).flat().at(-1)[0];
    await session.send('on');
    let answers;
    do answers = await session.poll();
    while (!answers.includes('"on"'));
  });

  test('an old browser’s frame gets scripts', async (t) => {
    const session = await Session.open(server);
    const stream = new Stream(t, server, session.path('CI=0&TYPE=html&DOMAIN=a.example'));
    await session.send('é</script>');
    await stream.until('parent.m(');
    const script = /try ?\{parent\.m\((".*")\);?\} ?catch/.exec(stream.text);
    assert.deepEqual(JSON.parse(JSON.parse(script[1])), [[1, '"é</script>"']]);
  });

  test('a client that leaves is gone, and its session unknown', async (t) => {
    const watcher = await watching(t, server);
    const session = await Session.open(server);
    await session.send({ command: 'whoami' });
    const { id } = JSON.parse((await session.poll())[0]);
    assert.deepEqual((await session.terminate()).body, '');
    await until('its disconnection', async () => (await watcher.inbox.take()).disconnected === id);
    assert.equal((await session.send('late')).body, unknown);
  });

  test('the last messages wait for a response before the close', async () => {
    const session = await Session.open(server);
    await session.send({ command: 'close', data: 'last words' });
    const answers = [];
    while (!answers.some((content) => content[0] === 'stop')) answers.push(...(await session.poll()));
    assert.deepEqual(answers, ['"last words"', '"primus::server::close"', ['stop']]);
  });
});

describe('limits of browserchannel', { concurrency: false, ...ours }, () => {
  test('a session that nobody listens to ends in time', async (t) => {
    const server = await startFor(t, { ...settings, tables: { browserchannel: { session_timeout_ms: 300 } } });
    const session = await Session.open(server);
    await until('its end', async () => (await session.send()).body === unknown);
  });

  test('a silent response gets a noop', async (t) => {
    const server = await startFor(t, { ...settings, tables: { browserchannel: { keepalive_ms: 100 } } });
    const session = await Session.open(server);
    assert.deepEqual(await session.poll(), [['noop']]);
    const stream = new Stream(t, server, session.path('CI=0&TYPE=xmlhttp'));
    await until('three of them', () => stream.text.split('"noop"').length > 3);
  });

  test('who does not read costs so much and no more', async (t) => {
    const tables = { browserchannel: { max_pending_bytes: 1_000_000, session_timeout_ms: 60_000 } };
    const server = await startFor(t, { ...settings, tables });
    const session = await Session.open(server);
    const deaf = net.connect(server.port, '127.0.0.1');
    t.after(() => deaf.destroy());
    deaf.on('error', () => {});
    deaf.pause();
    deaf.write(`GET /primus${session.path('CI=0&TYPE=xmlhttp')} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const flood = { command: 'flood', count: 5, size: 50_000 };
    await until('the limit', async () => (await session.send(flood)).body === unknown);
  });

  test('a message over the limit ends the session', async (t) => {
    const server = await startFor(t, { ...settings, tables: { browserchannel: { max_message_bytes: 1_000 } } });
    const session = await Session.open(server);
    await session.send('x'.repeat(1_500));
    assert.equal((await session.send('late')).body, unknown);
  });

  test('an address has so many sessions and no more', async (t) => {
    const server = await startFor(t, { ...settings, tables: { browserchannel: { max_sessions_per_address: 2 } } });
    const open = () => request(server, 'POST', '/bind?VER=8&RID=1', { body: 'count=0', headers: form });
    for (const expected of [200, 200, 503]) assert.equal((await open()).status, expected);
  });
});

describe('browserchannel beside other transports, and after a change', { concurrency: false, ...ours }, () => {
  test('clients of several transports are in one broadcast', async (t) => {
    const server = await startFor(t, { ...settings, plugins: [...settings.plugins, 'websocket', 'sockjs', 'engine_io'] });
    const plain = await connected(t, kinds.find(({ transformer }) => transformer === 'websockets'), server);
    const client = await Client.open(t, server);
    plain.primus.write({ command: 'broadcast', value: 'to all' });
    assert.equal(await plain.inbox.take(), 'to all');
    assert.equal(await client.inbox.take(), 'to all');
    // What names no version of BrowserChannel is not BrowserChannel's.
    assert.equal((await request(server, 'GET', '/test')).status, 404);
  });

  test('sessions outlive their generation of the plugin, and others find a new one', async (t) => {
    const server = await startFor(t, settings);
    const session = await Session.open(server);
    const client = await Client.open(t, server);
    const changed = server.log.length;
    writeFileSync(server.config, server.configuration({ browserchannel: { keepalive_ms: 19_000 } }));
    await server.line(/browserchannel.*(generation|configur|reload)/i, changed);
    assert.equal(await client.ask('still there'), 'still there');
    await session.send('here, too');
    assert.deepEqual(await session.poll(), ['"here, too"']);
    await Session.open(server);
  });
});

/**
 * @file SockJS: its own client over each of its carriers, the Primus client with the transformer `sockjs`, and what is on the
 * wire, as the protocol's own tests ask for it.
 */

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { PATIENCE } from './bare.js';
import { connected, inNodeOver, kinds } from './clients.js';
import { JsonClient } from './json-client.js';
import { ours, start, startFor } from './server.js';
import { DEADLINE, Inbox, until, within } from './waiting.js';

const require = createRequire(import.meta.url);
const SockJS = require('sockjs-client');

/** A server with SockJS for its only transport. */
const settings = { transformer: 'sockjs', plugins: ['json', 'sockjs', 'conformance_app'] };

/** The carriers of `sockjs-client` that work in Node. */
const carriers = ['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource'];

/** A `sockjs-client` over one carrier, that is closed with the test. */
class Client extends JsonClient {
  constructor(t, server, transports) {
    super(t, new SockJS(server.at(''), null, { transports, timeout: PATIENCE }));
  }
}

/** The Primus client with the transformer `sockjs`. */
const primus = inNodeOver('sockjs');

/** One request, with its answer whole. */
function request(server, method, path, { body = '', headers = {}, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: server.port, path: `/primus${path}`, method, headers, agent };
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

const post = (server, path, body) => request(server, 'POST', path, { body });

/** A response that stays open. */
class Stream {
  text = '';
  ended = false;

  constructor(t, server, method, path) {
    this.status = within(DEADLINE, 'the response', (resolve, reject) => {
      const options = { host: '127.0.0.1', port: server.port, path: `/primus${path}`, method, agent: false };
      this.request = http.request(options, (response) => {
        response.setEncoding('utf8');
        response.on('data', (text) => {
          this.text += text;
        });
        response.on('end', () => {
          this.ended = true;
        });
        response.on('error', () => {});
        resolve(response.statusCode);
      });
      this.request.on('error', reject);
      this.request.end();
    });
    t.after(() => this.cut());
  }

  /** Resolves when the text ends with what is expected. */
  until(end) {
    return until(`a response that ends with ${JSON.stringify(end)}`, () => this.text.endsWith(end));
  }

  cut() {
    this.request.destroy();
  }
}

let sessions = 0;

/** The path of a new session. */
function fresh(name = `session-${process.pid}-${(sessions += 1)}`) {
  return `/000/${name}`;
}

/** A session that watches which others go. */
async function watching(t, server) {
  const watcher = await Client.open(t, server, ['websocket']);
  watcher.send({ command: 'watch' });
  assert.equal(await watcher.ask('watching'), 'watching');
  return watcher;
}

/** The id of a session that is carried by polls. */
async function identify(server, path) {
  assert.equal((await post(server, `${path}/xhr_send`, JSON.stringify([JSON.stringify({ command: 'whoami' })]))).status, 204);
  const { body } = await post(server, `${path}/xhr`);
  return JSON.parse(JSON.parse(body.slice(1))[0]).id;
}

for (const shards of [1, 2]) {
  describe(`sockjs-client, with ${shards} ${shards === 1 ? 'shard' : 'shards'}`, { concurrency: false }, () => {
    /** @type {import('./server.js').Server} */
    let server;
    before(async () => {
      server = await start({ ...settings, tables: { server: { shards } } });
    });
    after(() => server.remove());

    for (const carrier of carriers) {
      test(`${carrier}: messages come back as they were and in order`, async (t) => {
        const client = await Client.open(t, server, carrier);
        assert.equal(client.socket.transport, carrier);
        const values = ['', 'é\u2028\u200d😀"\\\u0000\u001f', { a: [1, null] }, 'x'.repeat(100_000), '100%', '</script>'];
        for (const value of values) assert.deepEqual(await client.ask(value), value);
        for (let number = 0; number < 500; number += 1) client.send({ number });
        const answers = await client.inbox.takeAll(500);
        assert.deepEqual(answers.map(({ number }) => number), Array.from({ length: 500 }, (_, number) => number));
      });

      test(`${carrier}: more than a response may hold arrives whole`, async (t) => {
        const client = await Client.open(t, server, carrier);
        client.send({ command: 'flood', count: 50, size: 20_000 });
        const messages = await client.inbox.takeAll(50);
        assert.ok(messages.every((message) => message.length === 20_000));
        assert.equal(await client.ask('and on it goes'), 'and on it goes');
      });

      test(`${carrier}: the server's close follows the last data`, async (t) => {
        const client = await Client.open(t, server, carrier);
        client.send({ command: 'close', data: 'the last words' });
        assert.equal(await client.inbox.take(), 'the last words');
        const { code, reason } = await client.closed;
        assert.deepEqual([code, reason], [1000, 'Normal closure']);
      });

      test(`${carrier}: the client's close is noticed`, async (t) => {
        const watcher = await watching(t, server);
        const client = await Client.open(t, server, carrier);
        const { id } = await client.ask({ command: 'whoami' });
        client.socket.close();
        await until('its disconnection', async () => (await watcher.inbox.take()).disconnected === id);
      });
    }
  });
}

describe('the Primus client', { concurrency: false }, () => {
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

  test('is told its id', ours, async (t) => {
    const client = await connected(t, primus, server);
    assert.equal((await client.ask({ command: 'whoami' })).id, await client.id());
  });

  test('has its query told', async (t) => {
    const client = await connected(t, primus, server, { query: '/?name=J%C3%BCrgen' });
    assert.equal((await client.ask({ command: 'whoami' })).query.name, 'Jürgen');
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
    const closed = client.event('close');
    await mortal.end('SIGKILL');
    await closed;
    for (const message of ['one', 'two']) client.primus.write(message);
    await mortal.start();
    assert.deepEqual(await client.inbox.takeAll(2), ['one', 'two']);
  });

  test('answers the heartbeat', async (t) => {
    const beating = await startFor(t, { ...settings, pingInterval: 150 });
    const client = await connected(t, primus, beating, { options: { pingTimeout: 5_000 } });
    const pings = [];
    client.primus.on('incoming::ping', (time) => pings.push(time));
    client.primus.on('close', () => assert.fail('closed'));
    await until('four heartbeats', () => pings.length >= 4);
    assert.equal(await client.ask('alive'), 'alive');
    client.primus.removeAllListeners('close');
  });
});

describe('the wire', { concurrency: false }, () => {
  /** @type {import('./server.js').Server} */
  let server;
  before(async () => {
    server = await start({ ...settings, tables: { server: { shards: 2 }, sockjs: { response_limit_bytes: 4_096 } } });
  });
  after(() => server.remove());

  test('the greeting', async () => {
    for (const path of ['', '/']) {
      const { status, headers, body } = await request(server, 'GET', path);
      assert.deepEqual([status, headers['content-type'], body], [200, 'text/plain; charset=UTF-8', 'Welcome to SockJS!\n']);
      assert.equal(headers['set-cookie'], undefined);
    }
  });

  test('paths that are nobody’s are not found', async () => {
    for (const path of ['/a', '/a.html', '//', '/a/a', '/a/a/', '/a/', '/iframe.htm', '/IFRAME.HTML', '/0/a.b/xhr']) {
      assert.equal((await request(server, 'GET', path)).status, 404, path);
    }
  });

  test('info', async () => {
    const { status, headers, body } = await request(server, 'GET', '/info', { headers: { Origin: 'http://a.example' } });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/json; charset=UTF-8');
    assert.match(headers['cache-control'], /no-store.*no-cache.*max-age=0/);
    assert.ok(headers['access-control-allow-origin']);
    const { entropy, ...info } = JSON.parse(body);
    assert.deepEqual(info, { websocket: true, origins: ['*:*'], cookie_needed: false });
    assert.ok(Number.isInteger(entropy));
  });

  test('a preflight is answered for pages of other origins', ours, async () => {
    const headers = { Origin: 'http://a.example', 'Access-Control-Request-Method': 'POST' };
    const answer = await request(server, 'OPTIONS', `${fresh()}/xhr`, { headers });
    assert.equal(answer.status, 204);
    assert.match(answer.headers['access-control-allow-methods'], /POST/);
    assert.ok(Number(answer.headers['access-control-max-age']) > 0);
  });

  test('the iframe page', ours, async () => {
    const { status, headers, body } = await request(server, 'GET', '/iframe-1.6.1.html?t=1');
    assert.equal(status, 200);
    assert.match(headers['cache-control'], /public.*max-age=[1-9]/);
    assert.match(body, /SockJS\.bootstrap_iframe\(\)/);
    const again = await request(server, 'GET', '/iframe.html', { headers: { 'If-None-Match': headers.etag } });
    assert.deepEqual([again.status, again.body], [304, '']);
  });

  test('a session by polls, over any connection', async () => {
    const path = fresh();
    assert.equal((await post(server, `${path}/xhr`)).body, 'o\n');
    for (let number = 0; number < 20; number += 1) {
      assert.equal((await post(server, `${path}/xhr_send`, `["${number}"]`)).status, 204);
      assert.equal((await post(server, `${path}/xhr`)).body, `a["${number}"]\n`);
    }
    assert.equal((await post(server, `/other${path.slice(4)}/xhr_send`, '["1"]')).status, 204);
    assert.equal((await post(server, `${fresh()}/xhr_send`, '["1"]')).status, 404);
    assert.equal((await post(server, `${path}/xhr_send`, '["1')).status, 500);
    assert.equal((await post(server, `${path}/xhr_send`, '')).status, 500);
  });

  test('a stream begins with its prelude, and ends at its limit', ours, async (t) => {
    const path = fresh();
    const stream = new Stream(t, server, 'POST', `${path}/xhr_streaming`);
    await stream.until('o\n');
    assert.equal(stream.text, `${'h'.repeat(2048)}\no\n`);
    const message = JSON.stringify('x'.repeat(500));
    for (let number = 0; number < 5; number += 1) await post(server, `${path}/xhr_send`, JSON.stringify([message]));
    await until('the end of the response', () => stream.ended);
    const next = new Stream(t, server, 'POST', `${path}/xhr_streaming`);
    await post(server, `${path}/xhr_send`, JSON.stringify(['"on"']));
    await next.until('a["\\"on\\""]\n');
  });

  test('eventsource, htmlfile and jsonp', async (t) => {
    const events = fresh();
    const source = new Stream(t, server, 'GET', `${events}/eventsource`);
    await source.until('\r\ndata: o\r\n\r\n');
    await post(server, `${events}/xhr_send`, JSON.stringify(['"5%"']));
    await source.until('data: a["\\"5%25\\""]\r\n\r\n');

    const html = fresh();
    const page = new Stream(t, server, 'GET', `${html}/htmlfile?c=callback`);
    await page.until('<script>\np("o");\n</script>\r\n');
    await post(server, `${html}/xhr_send`, JSON.stringify(['1']));
    await page.until('<script>\np("a[\\"1\\"]");\n</script>\r\n');

    const jsonp = fresh();
    assert.equal((await request(server, 'GET', `${jsonp}/jsonp?c=x`)).body, '/**/x("o");\r\n');
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const sent = await request(server, 'POST', `${jsonp}/jsonp_send`, { body: 'd=%5B%221%22%5D', headers: form });
    assert.deepEqual([sent.status, sent.body], [200, 'ok']);
    assert.equal((await request(server, 'GET', `${jsonp}/jsonp?c=x`)).body, '/**/x("a[\\"1\\"]");\r\n');
    assert.equal((await request(server, 'GET', `${fresh()}/jsonp`)).status, 500);
    assert.equal((await request(server, 'GET', `${fresh()}/htmlfile?c=%3Cscript%3E`)).status, 500);
  });

  test('another connection is still open', ours, async (t) => {
    const refusal = 'c[2010,"Another connection still open"]\n';
    const interrupted = async (path) => (await post(server, `${path}/xhr`)).body === 'c[1002,"Connection interrupted"]\n';

    const streaming = fresh();
    const stream = new Stream(t, server, 'POST', `${streaming}/xhr_streaming`);
    await stream.until('o\n');
    assert.equal((await post(server, `${streaming}/xhr`)).body, refusal);
    stream.cut();
    await until('the interruption of the stream', () => interrupted(streaming));

    const polling = fresh();
    await post(server, `${polling}/xhr`);
    // Which of two polls comes first is the network's choice; the other one is refused.
    const [one, two] = [0, 1].map(() => new Stream(t, server, 'POST', `${polling}/xhr`));
    for (const poll of [one, two]) poll.status.catch(() => {});
    const open = await Promise.race([one.until(refusal).then(() => two), two.until(refusal).then(() => one)]);
    open.cut();
    await until('the interruption of the poll', () => interrupted(polling));
  });

  test('a closed session stays closed for a while', async () => {
    const path = fresh();
    await post(server, `${path}/xhr`);
    await post(server, `${path}/xhr_send`, JSON.stringify([JSON.stringify({ command: 'close' })]));
    assert.equal((await post(server, `${path}/xhr`)).body, 'a["\\"primus::server::close\\""]\n');
    for (let again = 0; again < 2; again += 1) {
      assert.equal((await post(server, `${path}/xhr`)).body, 'c[1000,"Normal closure"]\n');
    }
    assert.equal((await post(server, `${path}/xhr_send`, '["1"]')).status, 204);
  });

  test('the raw WebSocket is one without frames of SockJS', async (t) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus/websocket`);
    t.after(() => socket.terminate());
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(data.toString()));
    await within(DEADLINE, 'the handshake', (resolve, reject) => socket.on('open', resolve).on('error', reject));
    socket.send('{"raw":1}');
    assert.equal(await inbox.take(), '{"raw":1}');
    socket.send('{"command":"close"}');
    assert.equal(await inbox.take(), '"primus::server::close"');
    const [code, reason] = await within(DEADLINE, 'the close', (resolve) => {
      socket.on('close', (...close) => resolve(close));
    });
    assert.deepEqual([code, reason.toString()], [1000, 'Normal closure']);
  });

  test('a WebSocket wants to be asked for properly', ours, async () => {
    const path = `${fresh()}/websocket`;
    const plain = await request(server, 'GET', path);
    assert.deepEqual([plain.status, plain.body.trim()], [400, 'Can "Upgrade" only to "WebSocket".']);
    assert.equal((await post(server, path)).status, 405);
  });

  test('a cut stream ends the session at once', async (t) => {
    const watcher = await watching(t, server);
    for (const way of ['xhr_streaming', 'eventsource']) {
      const path = fresh();
      const stream = new Stream(t, server, way === 'eventsource' ? 'GET' : 'POST', `${path}/${way}`);
      await until('the opening', () => /o\s+$/.test(stream.text));
      await post(server, `${path}/xhr_send`, JSON.stringify([JSON.stringify({ command: 'whoami' })]));
      const [, answer] = await until('the answer', () => /a(\[".*"\])/.exec(stream.text));
      stream.cut();
      assert.deepEqual(await watcher.inbox.take(), { disconnected: JSON.parse(JSON.parse(answer)[0]).id });
    }
  });
});

describe('limits', { concurrency: false, ...ours }, () => {
  test('a session without a carrier ends in time', async (t) => {
    const server = await startFor(t, { ...settings, tables: { sockjs: { disconnect_ms: 200 } } });
    const watcher = await watching(t, server);
    const path = fresh();
    await post(server, `${path}/xhr`);
    const id = await identify(server, path);
    assert.deepEqual(await watcher.inbox.take(), { disconnected: id });
    assert.equal((await post(server, `${path}/xhr_send`, '["1"]')).status, 404);
    assert.equal((await post(server, `${path}/xhr`)).body, 'o\n');
  });

  test('a silent carrier gets heartbeats', async (t) => {
    const server = await startFor(t, { ...settings, tables: { sockjs: { heartbeat_ms: 100 } } });
    const path = fresh();
    await post(server, `${path}/xhr`);
    assert.equal((await post(server, `${path}/xhr`)).body, 'h\n');
    const stream = new Stream(t, server, 'POST', `${path}/xhr_streaming`);
    await stream.until('h\nh\nh\n');
  });

  test('who does not read costs so much and no more', async (t) => {
    const tables = { sockjs: { max_pending_bytes: 1_000_000, disconnect_ms: 60_000 } };
    const server = await startFor(t, { ...settings, tables });
    const watcher = await watching(t, server);
    const path = fresh();
    await post(server, `${path}/xhr`);
    const id = await identify(server, path);
    const deaf = net.connect(server.port, '127.0.0.1');
    t.after(() => deaf.destroy());
    deaf.on('error', () => {});
    deaf.pause();
    deaf.write(`POST /primus${path}/xhr_streaming HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
    const flood = JSON.stringify([JSON.stringify({ command: 'flood', count: 5, size: 50_000 })]);
    const gone = watcher.inbox.take();
    let over = false;
    gone.then(() => {
      over = true;
    });
    await until('the limit', async () => over || ((await post(server, `${path}/xhr_send`, flood)).status === 404));
    assert.deepEqual(await gone, { disconnected: id });
  });

  test('a message over the limit is refused with 1009', async (t) => {
    const server = await startFor(t, { ...settings, tables: { sockjs: { max_message_bytes: 1_000 } } });
    const client = await Client.open(t, server, 'websocket');
    client.send('x'.repeat(1_500));
    assert.equal((await client.closed).code, 1009);
  });

  test('an address has so many sessions and no more', async (t) => {
    const server = await startFor(t, { ...settings, tables: { sockjs: { max_sessions_per_address: 2 } } });
    for (const expected of [200, 200, 503]) assert.equal((await post(server, `${fresh()}/xhr`)).status, expected);
  });
});

describe('beside other transports, and after a change', { concurrency: false, ...ours }, () => {
  test('clients of several transports are in one broadcast', async (t) => {
    const server = await startFor(t, { ...settings, plugins: [...settings.plugins, 'websocket'] });
    const plain = await connected(t, kinds.find(({ transformer }) => transformer === 'websockets'), server);
    const clients = [];
    for (const carrier of carriers) clients.push(await Client.open(t, server, carrier));
    plain.primus.write({ command: 'broadcast', value: 'to all' });
    assert.equal(await plain.inbox.take(), 'to all');
    for (const client of clients) assert.equal(await client.inbox.take(), 'to all');
  });

  test('a plain request is answered by the transport that is asked first', async (t) => {
    for (const [order, status] of [[1, 200], [-1, 426]]) {
      const server = await startFor(t, {
        ...settings,
        plugins: [...settings.plugins, 'websocket'],
        tables: { websocket: { order } },
      });
      assert.equal((await request(server, 'GET', '')).status, status);
    }
  });

  test('sessions outlive their generation of the plugin, and others find a new one', async (t) => {
    const server = await startFor(t, settings);
    const path = fresh();
    await post(server, `${path}/xhr`);
    const client = await Client.open(t, server, 'xhr-streaming');
    const changed = server.log.length;
    writeFileSync(server.config, server.configuration({ sockjs: { heartbeat_ms: 20_000 } }));
    await server.line(/sockjs.*(generation|configur|reload)/i, changed);
    assert.equal(await client.ask('still there'), 'still there');
    assert.equal((await post(server, `${path}/xhr_send`, '["1"]')).status, 204);
    assert.equal((await post(server, `${path}/xhr`)).body, 'a["1"]\n');
    assert.equal((await post(server, `${fresh()}/xhr`)).body, 'o\n');
  });
});

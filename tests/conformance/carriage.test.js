/**
 * @file Parsers that make bytes over transports that carry text: in base64 for a client that says so, as the served one does;
 * anyone else is refused with one clear line.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { inNode } from './clients.js';
import { ours, start, startFor } from './server.js';
import { Inbox, next, within, DEADLINE } from './waiting.js';

const msgpack = createRequire(import.meta.url)('msgpack-lite');

const plugins = ['json', 'msgpack', 'cbor', 'sockjs', 'browserchannel', 'conformance_app'];

const refusal = (transport, parser) =>
  `the transport ${transport} carries text only, and the parser ${parser} makes bytes: ask for one that makes text (_parser), or for base64 (_base64=1)`;

/** The status and text of an answer. */
async function post(server, path, body = '') {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const response = await fetch(server.at(path), { method: 'POST', body, headers });
  return [response.status, await response.text()];
}

/** The served client with a parser, over whatever the server offers. */
async function open(t, server, options) {
  const Served = inNode(await (await fetch(server.at('/primus.js'))).text());
  const client = new Served(server.url, { reconnect: { min: 5, max: 50, retries: 500 }, ...options });
  t.after(() => client.end());
  const inbox = new Inbox();
  client.on('data', (data) => inbox.put(data));
  await next(client, 'open');
  const ask = (value) => {
    client.write(value);
    return inbox.take();
  };
  return { client, inbox, ask };
}

describe('bytes over transports that carry text', { concurrency: false, ...ours }, () => {
  /** @type {import('./server.js').Server} */
  let server;
  before(async () => {
    const tables = { server: { client_parsers: ['msgpack', 'cbor'], shards: 2 }, sockjs: { client: true } };
    server = await start({ plugins, tables });
  });
  after(() => server.remove());

  for (const parser of ['json', 'msgpack', 'cbor']) {
    test(`the served client speaks ${parser} over SockJS`, async (t) => {
      const { client, inbox, ask } = await open(t, server, { parser });
      assert.equal(client.transportName, 'sockjs');
      const values = ['', 'é😀', 7, [1, null, { a: true }], 'x'.repeat(300_000)];
      for (const value of values) assert.deepEqual(await ask(value), value);
      if (parser !== 'json') {
        const { at, bytes } = await ask({ at: new Date(1_700_000_000_123), bytes: new Uint8Array([0, 255, 128]) });
        assert.deepEqual([at, new Uint8Array(bytes)], [new Date(1_700_000_000_123), new Uint8Array([0, 255, 128])]);
      }
      for (let number = 0; number < 200; number += 1) client.write(number);
      assert.deepEqual(await inbox.takeAll(200), Array.from({ length: 200 }, (_, number) => number));
      assert.equal((await ask({ command: 'whoami' })).id, await within(DEADLINE, 'the id', (resolve) => client.id(resolve)));
      const ended = next(client, 'end');
      client.write({ command: 'close' });
      await ended;
    });
  }

  test('clients in base64 and others are in one broadcast', async (t) => {
    const [packed, text] = [await open(t, server, { parser: 'msgpack' }), await open(t, server, {})];
    text.client.write({ command: 'broadcast', value: { to: 'all' } });
    for (const { inbox } of [packed, text]) assert.deepEqual(await inbox.take(), { to: 'all' });
  });

  test('BrowserChannel carries base64, too', async () => {
    const query = 'VER=8&_parser=msgpack&_base64=1';
    const message = encodeURIComponent(msgpack.encode({ a: [1, 'é'] }).toString('base64'));
    const [status, opening] = await post(server, `/bind?${query}&RID=1`, `count=1&ofs=0&req0__S=${message}`);
    assert.equal(status, 200);
    const [, sid] = /\["c","(\w+)"/.exec(opening);
    for (let last = 0; ; ) {
      const response = await fetch(server.at(`/bind?${query}&RID=rpc&SID=${sid}&CI=1&AID=${last}&TYPE=xmlhttp`));
      const arrays = JSON.parse((await response.text()).replace(/^\d+\n/, ''));
      last = arrays.at(-1)[0];
      const values = arrays.map(([, text]) => msgpack.decode(Buffer.from(text, 'base64')));
      if (values.some((value) => typeof value === 'object')) {
        assert.deepEqual(values.find((value) => typeof value === 'object'), { a: [1, 'é'] });
        return;
      }
    }
  });

  test('anyone else is refused', async () => {
    assert.deepEqual(await post(server, '/000/one/xhr?_parser=msgpack'), [400, JSON.stringify({ error: refusal('sockjs', 'msgpack') })]);
    const [status, body] = await post(server, '/bind?VER=8&RID=1&_parser=cbor', 'count=0');
    assert.deepEqual([status, JSON.parse(body)], [400, { error: refusal('browserchannel', 'cbor') }]);
    assert.deepEqual(await post(server, '/000/two/xhr?_parser=json'), [200, 'o\n']);
  });
});

test('a heartbeat reaches a client in base64', ours, async (t) => {
  const tables = { server: { client_parsers: ['msgpack'] }, sockjs: { client: true } };
  const server = await startFor(t, { plugins, pingInterval: 500, tables });
  const { client } = await open(t, server, { parser: 'msgpack' });
  // One that is late with its answer is ended, and comes again: that it gets the question is what counts.
  await within(DEADLINE, 'a heartbeat', (resolve) => client.on('incoming::ping', resolve));
});

test('the operator is warned of a default parser that clients of a transport can’t speak', ours, async (t) => {
  const server = await startFor(t, { plugins, tables: { server: { parser: 'msgpack' } } });
  for (const transport of ['sockjs', 'browserchannel']) {
    await server.line(new RegExp(`the transport .${transport}. carries text only, and the default parser .msgpack. makes bytes`));
  }
  assert.deepEqual(await post(server, '/000/one/xhr'), [400, JSON.stringify({ error: refusal('sockjs', 'msgpack') })]);
});

/**
 * @file What parsers refuse: the application is told of each message that can't be decoded, and its connection goes on; a message
 * over a limit ends it. Over a transport that carries text and bytes, and over one that carries text only.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { ours, start } from './server.js';
import { DEADLINE, Inbox, until, within } from './waiting.js';

const SockJS = createRequire(import.meta.url)('sockjs-client');

const limits = { max_message_bytes: 1_000, max_depth: 20, max_values: 100 };

const repeated = (bytes, times, ...more) => Buffer.from([...Array(times).fill(bytes).flat(), ...more]);

/**
 * What each parser is sent: something that it refuses, then what is over each limit, and the number 7.
 *
 * @type {Record<string, { broken: any, reason: RegExp, deep: any, many: any, long: any, seven: any }>}
 */
const wires = {
  json: { broken: '{', reason: /not JSON/, ...json() },
  ejson: { broken: '{"$date":"today"}', reason: /\$date/, ...json() },
  binary: { broken: Buffer.from([0xc4]), reason: /at byte 0/, ...packed(0x91, [0xdc, 0, 200], [0xda, 4, 0]) },
  msgpack: { broken: Buffer.from([0xc1]), reason: /at byte 0/, ...packed(0x91, [0xdc, 0, 200], [0xda, 4, 0]) },
  cbor: { broken: Buffer.from([0xff]), reason: /at byte 0/, ...packed(0x81, [0x98, 200], [0x59, 4, 0]) },
};

function json() {
  return { deep: `${'['.repeat(21)}${']'.repeat(21)}`, many: JSON.stringify(Array(200).fill(1)), long: JSON.stringify('x'.repeat(1_024)), seven: '7' };
}

/** An array of one, one of 200, and the head of 1,024 bytes of text. */
function packed(one, many, long) {
  return { deep: repeated([one], 21, 7), many: Buffer.from([...many, ...Array(200).fill(7)]), long: Buffer.from([...long, ...Array(1_024).fill(0x78)]), seven: Buffer.from([7]) };
}

/** Over the plain WebSocket. */
async function overWebSocket(t, server, parser) {
  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/primus?_parser=${parser}`);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on('message', (data, isBinary) => inbox.put(isBinary ? data : data.toString()));
  const closed = within(4 * DEADLINE, 'the close', (resolve) => {
    socket.on('close', (code, reason) => resolve([code, reason.toString()]));
  });
  closed.catch(() => {});
  await within(DEADLINE, 'the handshake', (resolve, reject) => socket.on('open', resolve).on('error', reject));
  return { send: (wire) => socket.send(wire), inbox, closed };
}

/** Over SockJS, by one of its carriers. */
const overSockJs = (carrier) => async (t, server, parser) => {
  // Its query is not the client's to choose: the parser is the server's default.
  const socket = new SockJS(server.at(''), null, { transports: carrier });
  t.after(() => socket.close());
  const inbox = new Inbox();
  socket.onmessage = ({ data }) => inbox.put(data);
  const closed = within(4 * DEADLINE, 'the close', (resolve) => {
    socket.onclose = ({ code, reason }) => resolve([code, reason]);
  });
  closed.catch(() => {});
  await within(DEADLINE, `the session with ${parser} to open`, (resolve) => {
    socket.onopen = resolve;
  });
  return { send: (wire) => socket.send(wire), inbox, closed };
};

/** A client that is told what is wrong. */
async function watching(t, server) {
  const watcher = await overWebSocket(t, server, 'json');
  watcher.send('{"command":"watch"}');
  watcher.send('"watching"');
  await until('its answer', async () => (await watcher.inbox.take()) === '"watching"');
  /** The next error that the application is told of. */
  watcher.error = async () => {
    for (;;) {
      const told = JSON.parse(await watcher.inbox.take());
      if (told?.error) return told.error;
    }
  };
  return watcher;
}

const ways = [
  ['websocket', overWebSocket, Object.keys(wires)],
  ['sockjs by WebSocket', overSockJs('websocket'), ['json', 'ejson']],
  ['sockjs by xhr-streaming', overSockJs('xhr-streaming'), ['json', 'ejson']],
];

for (const [way, open, parsers] of ways) {
  for (const parser of parsers) {
    describe(`${parser} over ${way}`, { concurrency: false, ...ours }, () => {
      /** @type {import('./server.js').Server} */
      let server;
      before(async () => {
        const plugins = [...new Set(['json', parser]), 'websocket', 'sockjs', 'conformance_app'];
        const tables = { server: { parser }, json: limits, [parser]: limits };
        server = await start({ plugins, pingInterval: 0, tables });
      });
      after(() => server.remove());

      const { broken, reason, seven, ...over } = wires[parser];

      test('what can’t be decoded is told to the application, and the connection goes on', async (t) => {
        const watcher = await watching(t, server);
        const client = await open(t, server, parser);
        for (let times = 0; times < 3; times += 1) {
          client.send(broken);
          assert.match(await watcher.error(), reason);
        }
        client.send(seven);
        assert.deepEqual(await client.inbox.take(), seven);
      });

      for (const [what, limit, code] of [['deep', 'max_depth', 1008], ['many', 'max_values', 1008], ['long', 'max_message_bytes', 1009]]) {
        test(`what is over ${limit} is told, too, and ends the connection with ${code}`, async (t) => {
          const watcher = await watching(t, server);
          const client = await open(t, server, parser);
          client.send(over[what]);
          assert.match(await watcher.error(), new RegExp(limit));
          const [closed, why] = await client.closed;
          assert.equal(closed, code);
          assert.match(why, new RegExp(limit));
        });
      }
    });
  }
}

/**
 * @file Every parser over everything that can carry it: values of every kind, messages that can't be read, and messages over a limit.
 *
 * The clients are ours where there is one, npm's with our parsers, or a plain socket. What comes back is what npm's packages make of
 * a value, or for formats of our own, the client part.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { clientPart, npm } from '../parsers/parsers.js';
import { bytes, dates, halves, numbers, plain } from '../parsers/values.js';
import { browserChannel, engineIo } from './bare.js';
import { same } from './checks.js';
import { inNode } from './clients.js';
import { Connection } from './connection.js';
import { Device, lengths, lines } from './device.js';
import { ours, start } from './server.js';
import { DEADLINE, Inbox, until, within } from './waiting.js';

const require = createRequire(import.meta.url);
const { Socket: EngineSocket } = require('engine.io-client');
const { BCSocket } = require('browserchannel');

const parsers = ['json', 'ejson', 'binary', 'msgpack', 'cbor', 'raw'];
const texts = ['json', 'ejson'];

const parts = Object.fromEntries(await Promise.all(parsers.map(async (name) => [name, await clientPart(name)])));

/** What has the last word on a format. */
const judges = { ...parts, ...npm, json: { encode: JSON.stringify, decode: JSON.parse } };

const nested = (depth, inner = 'deep') => (depth ? nested(depth - 1, [inner]) : inner);

/** More than what is elsewhere in the tests. @type {[string, any][]} */
const extremes = [
  ['zero below zero', -0],
  ['the largest float', Number.MAX_VALUE],
  ['more than 64 bits', 2 ** 64],
  ['an array 100 deep', nested(100)],
  ['a text of 1 MiB', 'é'.repeat(2 ** 19)],
  ['keys that mean something in JavaScript', JSON.parse('{"__proto__":{"admin":true},"constructor":1,"toString":null,"a":{"__proto__":2}}')],
  ['an array of 1,000 objects', Array.from({ length: 1_000 }, (_, at) => ({ at, name: `n${at}` }))],
];
const long = [['1 MiB of bytes', Buffer.alloc(2 ** 20, 7)]];

const isText = (value) => typeof value === 'string';
const hasBytes = (value) => ArrayBuffer.isView(value) || (typeof value === 'object' && value !== null && Object.values(value).some(hasBytes));

/** What npm's BinaryPack can't write, or can't read itself. */
function isBeyondBinary(value) {
  if (typeof value === 'number') return Math.abs(value) === Infinity || (Number.isInteger(value) && (value > 2 ** 32 - 1 || value < -(2 ** 31)));
  if (ArrayBuffer.isView(value)) return value.byteLength === 0;
  return value !== null && typeof value === 'object' && !(value instanceof Date) && Object.values(value).some(isBeyondBinary);
}

/** The values that a parser can carry. A control message is none of the application's. */
function valuesOf(parser) {
  const all = [...plain, ...numbers, ...dates, ...bytes, ...halves, ...extremes, ...long].filter(([what]) => what !== 'a control message');
  // No message is empty.
  if (parser === 'raw') return all.filter(([, value]) => (isText(value) || ArrayBuffer.isView(value)) && value.length > 0);
  if (parser === 'binary') return all.filter(([, value]) => !isBeyondBinary(value));
  // As JSON, 1 MiB of bytes are a million values, which are over the limit.
  return parser === 'json' ? all.filter(([what]) => what !== long[0][0]) : all;
}

/** What is to come back: no half of a pair of surrogates can be written as UTF-8. */
function expected(parser, value) {
  if (JSON.stringify(value)?.includes('__proto__')) return value;
  return wellFormed(judges[parser].decode(judges[parser].encode(value)));
}

function wellFormed(value) {
  return isText(value) ? value.toWellFormed() : value;
}

/** What is sent, and what is to come back. npm's BinaryPack takes its time for it: not while a server waits. */
const exchanges = Object.fromEntries(
  parsers.map((parser) => [parser, valuesOf(parser).map(([what, value]) => [what, value, expected(parser, value)])]),
);

/** @type {Record<string, any>} What each parser refuses, and what it says of it. */
const broken = {
  json: ['{"a":', /not JSON/],
  ejson: ['{"$date":"today"}', /\$date/],
  binary: [Buffer.from([0xc4]), /at byte 0/],
  msgpack: [Buffer.from([0xc1]), /at byte 0/],
  cbor: [Buffer.from([0xff]), /at byte 0/],
};

/** An array in an array, and so on, deeper than anything may be. */
const tooDeep = (parser) =>
  texts.includes(parser) ? `${'['.repeat(200)}${']'.repeat(200)}` : Buffer.concat([Buffer.alloc(200, parser === 'cbor' ? 0x81 : 0x91), Buffer.from([7])]);

/**
 * A client in a test.
 *
 * @typedef {object} Client
 * @property {(value: any) => void} write
 * @property {(wire: any) => void} send Past the parser.
 * @property {Inbox} inbox
 * @property {Promise<number | undefined>} closed With the code, where the transport has one.
 */

/** The served client over one of its transports. @returns {(t: any, server: any, parser: string) => Promise<Client>} */
const served = (transport) => async (t, server, parser) => {
  const Primus = inNode(server.library);
  const { transports } = Primus.prototype;
  transports.splice(0, transports.length, ...transports.filter(({ name }) => name === transport));
  const client = new Connection(new Primus(server.url, { parser, strategy: false, timeout: 4 * DEADLINE }));
  t.after(() => client.end());
  const closed = new Promise((resolve) => client.primus.on('incoming::end', (info) => resolve(info?.code)));
  await client.event('open');
  assert.equal(client.primus.transportName, transport);
  return {
    write: (value) => client.primus.write(value),
    send: (wire) => client.primus.emit('outgoing::data', wire),
    inbox: client.inbox,
    closed,
  };
};

/** The client of a transport alone, with one of our parsers. */
const bare = (constructorOf) => async (t, server, parser) => {
  const { encode, decode } = parts[parser];
  const call = (step) => (input, done) => {
    let output;
    try {
      output = step(input);
    } catch (error) {
      return done(error);
    }
    return done(null, output);
  };
  const { Constructor, query = '', pack = (wire) => wire } = constructorOf(parser, { encoder: call(encode), decoder: call(decode) });
  const client = new Connection(new Constructor(`${server.url}/?_parser=${parser}${query}`));
  t.after(() => client.end());
  const closed = new Promise((resolve) => client.primus.on('close', () => resolve(undefined)));
  await client.event('open');
  return { write: (value) => client.primus.write(value), send: (wire) => client.primus.carrier.send(pack(wire)), inbox: client.inbox, closed };
};

const toBase64 = (wire) => (isText(wire) ? wire : Buffer.from(wire).toString('base64'));

const overBrowserChannel = bare((parser, { encoder, decoder }) => {
  const makesBytes = !texts.includes(parser);
  const pack = makesBytes ? toBase64 : (wire) => wire;
  const codec = {
    encoder: (value, done) => encoder(value, (error, wire) => done(error, error ? undefined : pack(wire))),
    decoder: (wire, done) => decoder(makesBytes ? Buffer.from(wire, 'base64') : wire, done),
  };
  return { Constructor: browserChannel(BCSocket, codec), query: makesBytes ? '&_base64=1' : '', pack };
});

/** A plain socket, at the address for that framing and parser. */
const overTcp = (framing) => async (t, server, parser) => {
  const { encode, decode } = parts[parser];
  const wire = framing === 'lines' ? lines(encode, decode) : lengths(encode, (payload) => decode(texts.includes(parser) ? payload.toString() : payload));
  const device = await Device.connect(t, server.addresses[`${framing} ${parser}`], wire);
  const closed = new Promise((resolve) => device.socket.on('close', () => resolve(undefined)));
  return { write: (value) => device.send(value), send: (message) => device.socket.write(wire.frame(message)), inbox: device.inbox, closed };
};

/** @type {Record<string, { open: (t: any, server: any, parser: string) => Promise<Client>, of?: string[], codes?: boolean, comesAs?: (parser: string, back: any) => any }>} */
const ways = {
  websocket: { open: served('websocket'), codes: true },
  sse: { open: served('sse'), codes: true },
  'long-polling': { open: served('long-polling'), codes: true },
  // Bytes go in base64, and a text of `raw` would go as it is.
  sockjs: { open: served('sockjs'), of: parsers.filter((name) => name !== 'raw'), codes: true },
  browserchannel: { open: overBrowserChannel, of: parsers.filter((name) => name !== 'raw') },
  'engine-io by polling': { open: bare((_, codec) => ({ Constructor: engineIo(EngineSocket, ['polling'], codec) })) },
  'engine-io by WebSocket': { open: bare((_, codec) => ({ Constructor: engineIo(EngineSocket, ['websocket'], codec) })) },
  'tcp, lines': { open: overTcp('lines'), of: texts },
  // An address for `raw` carries bytes, unless it is told otherwise.
  'tcp, lengths': { open: overTcp('length'), comesAs: (parser, back) => (parser === 'raw' ? Buffer.from(back) : back) },
};

describe('values over everything', { concurrency: false, ...ours }, () => {
  /** @type {import('./server.js').Server & { library: string, addresses: Record<string, string> }} */
  let server;
  before(async () => {
    const listeners = [...parsers.map((parser) => ['length', parser]), ...texts.map((parser) => ['lines', parser])];
    const listen = (at) => `127.0.0.${at + 1}:0`;
    const [[framing, parser], ...others] = listeners;
    const also = others.map(([framing, parser], at) => ({ listen: listen(at + 1), framing, parser }));
    const tables = {
      server: { client_parsers: parsers, shards: 2 },
      sockjs: { client: true },
      tcp: { listen: listen(0), framing, parser, also, max_message_bytes: 8 * 2 ** 20 },
    };
    server = await start({
      plugins: ['websocket', 'sse', 'long_polling', 'sockjs', 'browserchannel', 'engine_io', 'tcp', ...parsers, 'conformance_app'],
      tables,
    });
    server.library = await (await fetch(server.at('/primus.js'))).text();
    const found = await until('the addresses', () => {
      const all = server.log.map((line) => /listening plugin="tcp" address=(\S+)/.exec(line)?.[1]).filter(Boolean);
      return all.length === listeners.length && all;
    });
    server.addresses = Object.fromEntries(listeners.map((names, at) => [names.join(' '), found.find((address) => address.startsWith(`127.0.0.${at + 1}:`))]));
  });
  after(() => server.remove());

  for (const [way, { open, of = parsers, codes = false, comesAs = (_, back) => back }] of Object.entries(ways)) {
    for (const parser of of) {
      test(`${parser} over ${way}: every kind of value comes back`, async (t) => {
        const client = await open(t, server, parser);
        for (const [, value] of exchanges[parser]) client.write(value);
        for (const [what, , back] of exchanges[parser]) same(what, await client.inbox.take(), comesAs(parser, back));
      });

      if (parser === 'raw') continue;
      test(`${parser} over ${way}: what can’t be read is told, and is no end; what is too deep is one`, async (t) => {
        const client = await open(t, server, parser);
        const watcher = await served('websocket')(t, server, 'json');
        watcher.write({ command: 'watch' });
        watcher.write('watching');
        await until('its answer', async () => (await watcher.inbox.take()) === 'watching');
        const told = async () => {
          for (;;) {
            const { error } = await watcher.inbox.take();
            if (error) return error;
          }
        };
        const [wire, reason] = broken[parser];
        for (let times = 0; times < 2; times += 1) {
          client.send(wire);
          assert.match(await told(), reason);
        }
        client.write('goes on');
        assert.equal(await client.inbox.take(), 'goes on');
        client.send(tooDeep(parser));
        assert.match(await told(), /max_depth|deep/);
        const code = await within(DEADLINE, 'the end of the connection', (resolve) => client.closed.then(resolve));
        if (codes) assert.equal(code, 1008);
      });
    }
  }
});

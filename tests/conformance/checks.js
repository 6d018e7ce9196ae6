/**
 * @file What each client of the matrix has to do, whatever carries it and whatever parser it speaks.
 *
 * Runs in Node and in pages. Knows the conformance application and `Connection`; knows neither client nor test runner: a check
 * that fails throws.
 */

import { bytes, dates, numbers, plain } from '../parsers/values.js';
import { PATIENCE } from './bare.js';
import { DEADLINE, until } from './waiting.js';

/**
 * Makes a client that is not open yet, and is ended when the test is over.
 *
 * @typedef {(how?: { query?: string, options?: object }) => Promise<import('./connection.js').Connection>} Connect
 */

/** Values of every kind that a client can carry with a parser of npm's. A control message is answered and not echoed. */
function valuesFor(client, parser) {
  return [...plain, ...numbers, ...dates, ...bytes, ['a long text', 'é'.repeat(50_000)]].filter(
    ([what, value]) =>
      what !== 'a control message' &&
      !(parser === 'binary' && isBeyondBinary(value)) &&
      !(client === 'primus.io' && isBeyondMultiplex(value, parser)),
  );
}

/** The client of primus-multiplex looks for its packets in every array, and throws at `null`, as JSON has what is no number. */
function isBeyondMultiplex(value, parser) {
  return value === null || Array.isArray(value) || (parser === 'json' && typeof value === 'number' && !Number.isFinite(value));
}

/**
 * What npm's BinaryPack can't write or read itself. The one for browsers miscounts characters of two units, too, and makes a
 * number of NaN.
 */
function isBeyondBinary(value) {
  if (typeof document !== 'undefined' && (Number.isNaN(value) || /[\ud800-\udfff]/.test(value))) return true;
  if (typeof value === 'number') {
    return Math.abs(value) === Infinity || (Number.isInteger(value) && (value > 2 ** 32 - 1 || value < -(2 ** 31)));
  }
  if (ArrayBuffer.isView(value)) return value.byteLength === 0;
  return value !== null && typeof value === 'object' && Object.entries(value).flat().some(isBeyondBinary);
}

/** The checks that every client passes, by what they show. @type {Record<string, (connect: Connect, client: string, parser: string) => Promise<void>>} */
export const checks = {
  'echoes every kind of value': async (connect, name, parser) => {
    const client = await opened(connect);
    const values = valuesFor(name, parser);
    for (const [, value] of values) client.primus.write(value);
    for (const [what, value] of values) same(what, await client.inbox.take(), await throughCodec(client.primus, value));
  },

  'is told its id and has its query told': async (connect) => {
    const client = await opened(connect, { query: '/?name=J%C3%BCrgen&token=a%26b' });
    const { id, query } = await client.ask({ command: 'whoami' });
    same('the id', await client.id(), id);
    same('the query', [query.name, query.token], ['Jürgen', 'a&b']);
  },

  'is ended for good by the server, after the last data': async (connect) => {
    const client = await opened(connect);
    const comesAgain = [];
    client.primus.on('reconnect scheduled', () => comesAgain.push('comes again'));
    const ended = client.event('end');
    client.primus.write({ command: 'close', data: 'the last words' });
    same('the last data', await client.inbox.take(), 'the last words');
    await ended;
    same('reconnects', comesAgain, []);
  },

  'is refused by the authorization': async (connect) => {
    const client = await connect({ query: '/?refuse=403:not+today', options: { strategy: 'disconnect' } });
    const opens = [];
    client.primus.on('open', () => opens.push('opened'));
    await client.event('end');
    same('opens', opens, []);
  },
};

/**
 * The heartbeat goes on over one connection, and none of it comes as data. A server that takes no pongs ends it instead of the
 * second ping; one that is answered too late, by a busy machine, does not count.
 *
 * @param {object} options For a client that pings itself: to do so four times in an interval of the server's.
 */
export async function keepsBeating(connect, options) {
  const client = await opened(connect, { options });
  let beats = 0;
  client.primus.on('incoming::ping', () => (beats += 1));
  client.primus.on('incoming::pong', () => (beats += 1 / 4));
  for (const event of ['open', 'data']) client.primus.on(event, () => (beats = 0));
  await until('three beats of one connection', () => beats >= 3, 2 * DEADLINE);
}

/** Soon back, but with the time that BrowserChannel takes for its trials where the machine is slow. */
const reconnect = { min: 5, max: 100, factor: 1.2, retries: 500, 'reconnect timeout': 10_000 };

/** How to connect so that neither an attempt nor a carrier is given up where the machine is slow. */
export function patiently(carrier, how = {}) {
  const transport = carrier === 'sockjs' ? { timeout: PATIENCE } : {};
  return { ...how, options: { reconnect, transport, ...how.options } };
}

/** How long it may take until a client has noticed that its server is gone, and has found it again, in milliseconds. */
const RECOVERY = 90_000;

/** A client to lose its server: it is open, in the midst of nothing, and writes as soon as it notices. */
export async function settled(connect) {
  const client = await opened(connect);
  // Engine.IO's client that is cut off while it moves to a WebSocket notices by its heartbeat only.
  const isMoving = () => client.primus.socket.transport?.name === 'polling';
  await until('a carrier that stays', () => !isMoving());
  same('before', await client.ask('before'), 'before');
  client.primus.once('close', () => client.primus.write('written meanwhile'));
  return client;
}

/** A client that lost its server and found it again goes on with what was written meanwhile. */
export async function isBack(client) {
  same('what was written meanwhile', await client.inbox.take(RECOVERY), 'written meanwhile');
  same('what is written now', await client.ask('later'), 'later');
}

/** A client that is open. */
export async function opened(connect, how) {
  const client = await connect(how);
  await client.event('open');
  return client;
}

/** What becomes of a value when the client's own parser writes and reads it. */
async function throughCodec({ codec, encoder, decoder }, value) {
  const wire = await call(codec?.encoder ?? encoder, value);
  const isBlob = typeof Blob !== 'undefined' && wire instanceof Blob;
  return call(codec?.decoder ?? decoder, isBlob ? await wire.arrayBuffer() : wire);
}

function call(step, input) {
  return new Promise((resolve, reject) => step(input, (error, output) => (error ? reject(error) : resolve(output))));
}

/** Fails unless both are the same, however their bytes are held. */
export function same(what, got, expected) {
  const [left, right] = [got, expected].map((value) => JSON.stringify(described(value)));
  if (left !== right) throw new Error(`${what}: ${left} came, but ${right} was expected`);
}

/** A value as JSON that tells apart what JSON would not. */
function described(value) {
  if (typeof value === 'number' && !Number.isFinite(value)) return { number: String(value) };
  if (Object.is(value, -0)) return { number: '-0' };
  if (value === undefined) return { undefined: true };
  const kind = Object.prototype.toString.call(value);
  if (kind === '[object Date]') return { date: value.getTime() };
  if (kind === '[object ArrayBuffer]') return described(new Uint8Array(value));
  if (ArrayBuffer.isView(value)) return { bytes: Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) };
  if (Array.isArray(value)) return value.map(described);
  if (value === null || typeof value !== 'object') return value;
  return { object: Object.keys(value).sort().map((key) => [key, described(value[key])]) };
}

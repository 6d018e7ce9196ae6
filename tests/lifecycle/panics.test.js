/**
 * @file A plugin panics, at each of its entry points in turn: one line of log says so, the plugin is in quarantine, what it worked
 * for ends as it was promised, everything else goes on, and a new generation works.
 */

import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { DEADLINE, Inbox, next, until, within } from '../conformance/waiting.js';
import { answer, answers, complaints, drop, edit, serving } from './folder.js';

/** One thread: when it answers by the plugin, the plugin is in force. */
const server = { shards: 1 };
const settings = { plugins: ['json', 'websocket', 'conformance_app'], tables: { server } };

/** A server to which the plugin comes, with this configuration. */
async function cliff(t, table) {
  const house = await serving(t, settings);
  edit(house.server, { server, cliff: table });
  drop(house.server, 'lifecycle_cliff');
  return house;
}

/** Waits until the plugin is in force. */
function isThere(house) {
  return until('the plugin to be in force', async () => (await status(house, '/cliff/there')) === 204);
}

/** There is one line of complaint since `mark`, it matches, and everything else goes on. */
async function isToldOnce({ server, steady }, mark, ...patterns) {
  const line = await until('a line of complaint', () => complaints(server, mark)[0]);
  for (const pattern of [/cliff/, ...patterns]) assert.match(line, pattern);
  await steady.goesOn();
  return line;
}

/** With another configuration, the plugin works (again). */
async function comesBack(house, line, mark) {
  edit(house.server, { server, cliff: { edition: 7 } });
  await isThere(house);
  await answers(house.server, 'calm', 'calm as the sea');
  assert.doesNotMatch(await (await fetch(house.server.at('/spec'))).text(), /over the cliff/);
  assert.deepEqual(complaints(house.server, mark), [line]);
  await house.steady.goesOn();
}

/** Upgrades a connection to the plugin's own protocol: its socket, or the status that refuses it; `undefined` if it is cut. */
function upgraded(t, server) {
  return within(DEADLINE, 'an upgrade', (resolve) => {
    const request = http.get(server.at(''), { agent: false, headers: { connection: 'upgrade', upgrade: 'cliff' } });
    request.on('upgrade', (_, socket) => {
      t.after(() => socket.destroy());
      socket.on('error', () => {});
      resolve({ socket });
    });
    request.on('response', (response) => {
      response.resume();
      resolve({ status: response.statusCode });
    });
    request.on('error', () => resolve({}));
  });
}

/** Writes to the plugin's own transport; its connection is ended thereupon. */
async function isEnded(t, { server }, text = 'calm') {
  const { socket } = await upgraded(t, server);
  const ended = next(socket, 'close');
  socket.resume().write(JSON.stringify(text));
  await ended;
}

async function isClosed({ server }, message) {
  assert.equal(await answer(server, message), 'closed with 1011');
}

/** A connection with the plugin's parser. */
async function parsing(t, { server }) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus?_parser=cliff`);
  t.after(() => socket.terminate());
  socket.on('error', () => {});
  await next(socket, 'open');
  return socket;
}

async function status({ server }, path) {
  return (await fetch(server.url + path)).status;
}

/**
 * For each place: what the log calls it, and what comes by there and sees what is promised.
 *
 * @type {Record<string, [RegExp, (house: any, t: any) => Promise<unknown>]>}
 */
const places = {
  incoming: [/an incoming hook/, (house) => isClosed(house, 'incoming')],
  outgoing: [/an outgoing hook/, (house) => isClosed(house, 'outgoing')],
  connection: [/a connection hook/, (house) => isClosed(house, 'calm')],
  'connection that waited': [/a connection hook/, (house) => isClosed(house, 'calm')],
  disconnection: [/a disconnection hook/, (house) => answer(house.server, 'calm')],
  authorizer: [/an authorizer/, async (house) => assert.equal((await upgradeStatus(house)), 500)],
  middleware: [/a middleware/, async (house) => assert.equal(await status(house, '/cliff/middleware'), 404)],
  route: [/a route/, async (house) => assert.equal(await status(house, '/cliff/route'), 500)],
  'route that waited': [/a route/, async (house) => assert.equal(await status(house, '/cliff/waited'), 500)],
  service: [/the service cliff/, async ({ server }) => assert.match(String(await answer(server, 'service')), /panic/)],
  timer: [/a timer/, ({ server }) => sent(server, 'timer')],
  thread: [/a thread of its own/, ({ server }) => sent(server, 'thread')],
  'session route': [/a transport's route/, async ({ server }, t) => assert.ok((await upgraded(t, server)).status >= 400)],
  'session open': [/a transport's open/, async ({ server }, t) => assert.equal((await upgraded(t, server)).status, 503)],
  'session request': [/a session's request/, async ({ server }, t) => assert.equal((await upgraded(t, server)).socket, undefined)],
  'session receive': [/a session's receive/, (house, t) => isEnded(t, house)],
  'session send': [/a session's send/, (house, t) => isEnded(t, house)],
  'session timeout': [/a session's timeout/, (house, t) => isEnded(t, house)],
  'session close': [/a session's close/, (house, t) => isEnded(t, house, { command: 'close' })],
  'session disconnected': [
    /a session's disconnected/,
    async ({ server }, t) => (await upgraded(t, server)).socket.destroy(),
  ],
  frame: [/a transport's frame/, async ({ server }, t) => (await upgraded(t, server)).socket.write('"frame"')],
  decode: [/a parser's decode/, async (house, t) => (await parsing(t, house)).send('calm')],
  encode: [/a parser's encode/, async (house, t) => (await parsing(t, house)).send('calm')],
  decode_string: [/a parser's decode/, async (house, t) => (await parsing(t, house)).send('calm')],
};

/** The status that refuses a WebSocket. */
function upgradeStatus({ server }) {
  return within(DEADLINE, 'a refusal', (resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
    socket.on('error', () => {});
    socket.on('open', () => resolve('open'));
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode);
      request.destroy();
    });
  });
}

/** Sends something that is not answered. */
async function sent(server, message) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
  const inbox = new Inbox();
  socket.on('message', (data) => inbox.put(JSON.parse(data)));
  await next(socket, 'open');
  socket.send(JSON.stringify(message));
  socket.send('"echo"');
  assert.equal(await inbox.take(), 'echo', 'the connection goes on');
  socket.terminate();
}

describe('a panic, in a call while the plugin serves:', () => {
  for (const [place, [entry, provoke]] of Object.entries(places)) {
    test(place, async (t) => {
      const house = await cliff(t, { at: place });
      await isThere(house);
      const mark = house.server.log.length;
      await provoke(house, t);
      const line = await isToldOnce(house, mark, entry, new RegExp(`over the cliff at ${place}`));
      const spec = await (await fetch(house.server.at('/spec'))).text();
      assert.match(spec, new RegExp(`over the cliff at ${place}`), 'it is in quarantine');
      await comesBack(house, line, mark);
    });
  }
});

describe('a panic, in a call of its life:', () => {
  for (const place of ['start', 'register']) {
    test(`${place}: it does not come`, async (t) => {
      const house = await serving(t, settings);
      const mark = house.server.log.length;
      edit(house.server, { server, cliff: { at: place } });
      drop(house.server, 'lifecycle_cliff');
      const line = await isToldOnce(house, mark, /does not start/, new RegExp(`over the cliff at ${place}`));
      await comesBack(house, line, mark);
    });
  }

  test('restore: the former generation goes on', async (t) => {
    const house = await cliff(t, {});
    await isThere(house);
    const mark = house.server.log.length;
    edit(house.server, { server, cliff: { at: 'restore' } });
    const line = await isToldOnce(house, mark, /is not replaced/, /over the cliff at restore/);
    assert.equal(await answer(house.server, 'calm'), 'calm as the sea');
    await comesBack(house, line, mark);
  });

  for (const place of ['save', 'reconfigure', 'stop']) {
    test(`${place}: the next generation comes without its state`, async (t) => {
      const house = await cliff(t, { at: place });
      await isThere(house);
      const mark = house.server.log.length;
      edit(house.server, { server, cliff: { at: '' } });
      const line = await isToldOnce(house, mark, new RegExp(`panicked in ${place}`), new RegExp(`over the cliff at ${place}`));
      await comesBack(house, line, mark);
    });
  }
});

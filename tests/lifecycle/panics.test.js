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

/** A connection with the plugin's parser, which is closed at its first message. */
async function isClosedParsing(t, { server }) {
  const { closed } = await told(t, server, '?_parser=cliff', 'calm');
  assert.deepEqual(closed, [1011, 'a plugin failed']);
}

/** What a WebSocket is told that says one thing: the messages that came, and how it was closed. */
async function told(t, server, path, text) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus${path}`);
  t.after(() => socket.terminate());
  const came = [];
  socket.on('message', (data) => came.push(String(data)));
  socket.on('error', (error) => came.push(error));
  const closed = within(DEADLINE, 'the end of the connection', (resolve) => {
    socket.on('close', (code, reason) => resolve([code, String(reason)]));
  });
  await next(socket, 'open');
  socket.send(text);
  return { came, closed: await closed };
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
  middleware: [/a middleware/, async (house) => assert.equal(await status(house, '/cliff/middleware'), 500)],
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
  frame: [/a transport's frame/, (house, t) => isEnded(t, house, 'frame')],
  decode: [/a parser's decode/, (house, t) => isClosedParsing(t, house)],
  encode: [/a parser's encode/, (house, t) => isClosedParsing(t, house)],
  decode_string: [/a parser's decode/, (house, t) => isClosedParsing(t, house)],
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

/** What comes before the end where a session of WebSockets panics, by the place, and what provokes it. */
const falls = {
  'session receive': ['"calm"', []],
  'session send': ['"calm"', []],
  'session timeout': ['"calm"', ['"calm as the sea"']],
  'session close': ['{"command":"close"}', ['"primus::server::close"']],
};

describe('a session that panics with half a frame written:', () => {
  for (const [place, [text, expected]] of Object.entries(falls)) {
    test(`${place}: the frames before it come, then its WebSocket is closed with 1011`, async (t) => {
      const house = await cliff(t, { at: place });
      await isThere(house);
      const mark = house.server.log.length;
      const { came, closed } = await told(t, house.server, '/cliff', text);
      assert.deepEqual(closed, [1011, 'a plugin failed']);
      assert.deepEqual(came, expected);
      await isToldOnce(house, mark, new RegExp(`a ${place.replace(' ', "'s ")}`));
    });
  }

  test('one that took back what was written before just ends', async (t) => {
    const house = await cliff(t, { at: 'session mute' });
    await isThere(house);
    const { came, closed } = await told(t, house.server, '/cliff', '"mute"');
    assert.deepEqual(closed, [1006, '']);
    assert.deepEqual(came, []);
  });
});

describe('a plugin in quarantine that is required', () => {
  test('lets nothing pass its middleware but what the host itself tells', async (t) => {
    const house = await cliff(t, { at: 'middleware', required: true });
    await isThere(house);
    // It passes a hook of the plugin with each message.
    house.steady.leave();
    assert.equal(await status(house, '/cliff/middleware'), 500);
    assert.equal(await status(house, '/cliff/middleware'), 503);
    assert.equal(await status(house, '/anything'), 503);
    assert.equal(await status(house, '/healthz'), 200);
    assert.equal(await status(house, '/readyz'), 503);
    assert.match(await (await fetch(house.server.at('/spec'))).text(), /over the cliff at middleware/);
  });

  test('has those closed with 1011 that come by a hook of it, and nobody let in', async (t) => {
    const house = await cliff(t, { at: 'incoming', required: true });
    await isThere(house);
    // It passes a hook of the plugin with each message.
    house.steady.leave();
    const socket = new WebSocket(`ws://127.0.0.1:${house.server.port}/primus`);
    t.after(() => socket.terminate());
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(JSON.parse(data)));
    socket.on('close', (code) => inbox.put(`closed with ${code}`));
    await next(socket, 'open');
    socket.send('"calm"');
    assert.equal(await inbox.take(), 'calm as the sea');
    await isClosed(house, 'incoming');
    socket.send('"calm"');
    assert.equal(await inbox.take(), 'closed with 1011');
    assert.equal(await upgradeStatus(house), 503);
  });
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

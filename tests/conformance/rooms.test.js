/**
 * @file Rooms: what the application does with them, as primus-rooms' users know it, and what clients may do by themselves.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { connected, kinds } from './clients.js';
import { ours, start, startFor } from './server.js';
import { until } from './waiting.js';

/** One kind is enough: rooms are a matter of the server. */
const kind = kinds[0];
const served = kinds.filter(({ name }) => name.startsWith('the served client'));

describe('the rooms of the application', () => {
  /** @type {import('./server.js').Server} */
  let server;
  before(async () => {
    server = await start({ rooms: true });
  });
  after(() => server.remove());

  /** A client in some rooms. */
  async function member(t, ...rooms) {
    const client = await connected(t, kind, server);
    for (const room of rooms) await client.ask({ command: 'join', room });
    return client;
  }

  const membersOf = async (client, room) => (await client.ask({ command: 'members', room })).members;

  /** Fails if anything else has come before the answer to a question. */
  const hasNothingMore = async (client) => assert.equal(await client.ask('nothing more'), 'nothing more');

  test('a client is in the rooms that it was put into', async (t) => {
    const client = await member(t);
    assert.deepEqual(await client.ask({ command: 'join', room: 'b' }), { rooms: ['b'] });
    assert.deepEqual(await client.ask({ command: 'join', room: 'a' }), { rooms: ['a', 'b'] });
    assert.deepEqual(await client.ask({ command: 'join', room: 'a' }), { rooms: ['a', 'b'] });
    assert.deepEqual(await client.ask({ command: 'leave', room: 'b' }), { rooms: ['a'] });
    assert.deepEqual(await client.ask({ command: 'leave' }), { rooms: [] });
  });

  test('what is written to a room reaches its members, the writer among them, and nobody else', async (t) => {
    const [one, other, stranger] = [await member(t, 'talk'), await member(t, 'talk', 'more'), await member(t, 'elsewhere')];
    one.primus.write({ command: 'rooms', rooms: ['talk'], value: { said: 'hello' } });
    for (const client of [one, other]) {
      assert.deepEqual(await client.inbox.take(), { said: 'hello' });
      await hasNothingMore(client);
    }
    await hasNothingMore(stranger);
  });

  test('what is written to several rooms reaches each member once', async (t) => {
    const [both, one] = [await member(t, 'north', 'south'), await member(t, 'south')];
    both.primus.write({ command: 'rooms', rooms: ['north', 'south', 'nobody'], value: 'news' });
    for (const client of [both, one]) {
      assert.equal(await client.inbox.take(), 'news');
      await hasNothingMore(client);
    }
  });

  test('the writer may be left out', async (t) => {
    const [one, other] = [await member(t, 'quiet'), await member(t, 'quiet')];
    one.primus.write({ command: 'rooms', rooms: ['quiet'], value: 'psst', except: true });
    assert.equal(await other.inbox.take(), 'psst');
    await hasNothingMore(one);
  });

  test('who has left, or gone, is no member any more', async (t) => {
    const [one, leaver, goer] = [await member(t, 'party'), await member(t, 'party'), await member(t, 'party')];
    assert.equal(await membersOf(one, 'party'), 3);
    await leaver.ask({ command: 'leave', room: 'party' });
    assert.equal(await membersOf(one, 'party'), 2);
    goer.end();
    await until('the goer to be gone', async () => (await membersOf(one, 'party')) === 1);
    one.primus.write({ command: 'rooms', rooms: ['party'], value: 'alone' });
    assert.equal(await one.inbox.take(), 'alone');
    await hasNothingMore(leaver);
  });

  test('a room that nobody was ever in has no members, and takes what is written to it', async (t) => {
    const client = await member(t);
    assert.equal(await membersOf(client, 'void'), 0);
    client.primus.write({ command: 'rooms', rooms: ['void'], value: 'echo?' });
    await hasNothingMore(client);
  });
});

for (const kind of served) {
  describe(`rooms by themselves, ${kind.name}`, ours, () => {
    /** @type {import('./server.js').Server} */
    let server;
    before(async () => {
      server = await start({ rooms: true });
    });
    after(() => server.remove());

    test('a client joins what the guard consents to, and hears what is written to it', async (t) => {
      const [one, other] = [await connected(t, kind, server), await connected(t, kind, server)];
      await one.primus.join('lounge');
      await other.primus.join('lounge');
      assert.deepEqual([...(await one.primus.rooms())], ['lounge']);
      one.primus.write({ command: 'rooms', rooms: ['lounge'], value: 'to all in the lounge' });
      assert.equal(await one.inbox.take(), 'to all in the lounge');
      assert.equal(await other.inbox.take(), 'to all in the lounge');
      await other.primus.leave('lounge');
      one.primus.write({ command: 'rooms', rooms: ['lounge'], value: 'only me' });
      assert.equal(await one.inbox.take(), 'only me');
      assert.equal(await other.ask('nothing more'), 'nothing more');
    });

    test('a client is refused by the guard, with its reason, and is not in the room', async (t) => {
      const client = await connected(t, kind, server);
      await assert.rejects(client.primus.join('secret garden'), /secret garden is not for everyone/);
      assert.deepEqual([...(await client.primus.rooms())], []);
      assert.deepEqual(await client.ask({ command: 'members', room: 'secret garden' }), { members: 0 });
    });

    test('a client is in its rooms again after a restart, before what it had queued', async (t) => {
      const mortal = await startFor(t, { rooms: true });
      const client = await connected(t, kind, mortal);
      await client.primus.join('home');
      const closed = client.event('close');
      await mortal.end('SIGKILL');
      await closed;
      client.primus.write({ command: 'rooms', rooms: ['home'], value: 'back home' });
      await mortal.start();
      assert.equal(await client.inbox.take(), 'back home');
    });

    test('a client may do nothing of it where it is switched off', async (t) => {
      const strict = await startFor(t, { rooms: true, tables: { rooms: { client_rooms: 'none' } } });
      const client = await connected(t, kind, strict);
      await assert.rejects(client.primus.join('lounge'));
      assert.deepEqual(await client.ask({ command: 'members', room: 'lounge' }), { members: 0 });
    });
  });
}

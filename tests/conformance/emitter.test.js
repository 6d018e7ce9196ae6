/**
 * @file Named events and acknowledgements: primus-emitter's client against the server's events, and our own client.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { connected, kinds, olderInNodeOver } from './clients.js';
import { ours, start, startFor } from './server.js';
import { Inbox, next, within, DEADLINE } from './waiting.js';

/** @type {import('./server.js').Server} */
let server;
before(async () => {
  server = await start({ emitter: true });
});
after(() => server.remove());

/** Sends an event and resolves with the arguments of its acknowledgement. */
function acknowledged(client, event, ...args) {
  return within(DEADLINE, 'the acknowledgement', (resolve) => {
    client.primus.send(event, ...args, (...answer) => resolve(structuredClone(answer)));
  });
}

// primus.io has the emitter in it.
for (const kind of [...kinds, olderInNodeOver('websockets', 'primus.io')]) {
  describe(kind.name, () => {
    test('an event is acknowledged', async (t) => {
      const client = await connected(t, kind, server);
      assert.deepEqual(await acknowledged(client, 'double', 21), [42]);
    });

    test('many acknowledgements find their way, each to its own', async (t) => {
      const client = await connected(t, kind, server);
      const answers = await Promise.all(Array.from({ length: 200 }, (_, number) => acknowledged(client, 'double', number)));
      assert.deepEqual(answers, Array.from({ length: 200 }, (_, number) => [number * 2]));
    });

    test('an event without acknowledgement is answered by another event, with all its arguments', async (t) => {
      const client = await connected(t, kind, server);
      const answer = client.event('shouted');
      client.primus.send('shout', 'hé', 3);
      assert.deepEqual(structuredClone(await answer), ['HÉ', { times: 3 }]);
    });

    test('the server asks, and the client acknowledges', async (t) => {
      const client = await connected(t, kind, server);
      client.primus.on('question', (a, b, reply) => reply(a + b, { done: true }));
      client.primus.write({ command: 'request', event: 'question', args: [40, 2] });
      for (;;) {
        // primus-emitter leaves its packets in the stream of data; the command's answer comes behind them.
        const message = await client.inbox.take();
        if (message.acknowledged) {
          assert.deepEqual(message, { acknowledged: [42, { done: true }] });
          break;
        }
      }
    });

    test('an event that no one listens to is no error, nor is one with a reserved name', async (t) => {
      const client = await connected(t, kind, server);
      client.primus.send('nobody listens', 1);
      client.primus.send('data', { command: 'close' });
      client.primus.send('incoming::end');
      client.primus.send('end');
      assert.deepEqual(await acknowledged(client, 'double', 1), [2]);
    });
  });
}

describe('on the wire', () => {
  async function open(t) {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(data.toString()));
    t.after(() => socket.terminate());
    await next(socket, 'open');
    return { socket, inbox };
  }

  test('a packet is an event, its acknowledgement has its id', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('{"type":0,"data":["double",4],"id":17}');
    assert.equal(await inbox.take(), '{"id":17,"type":1,"data":[8]}');
  });

  test('an event of the server has no id unless it asks for an acknowledgement', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('{"type":0,"data":["shout","a",1]}');
    assert.equal(await inbox.take(), '{"type":0,"data":["shouted","A",{"times":1}]}');
    socket.send('{"command":"request","event":"question","args":["?"]}');
    const question = await inbox.take();
    const { id } = JSON.parse(question);
    assert.ok(Number.isInteger(id) && id > 0);
    assert.equal(question, `{"type":0,"data":["question","?"],"id":${id}}`);
    socket.send(`{"id":${id},"type":1,"data":["!"]}`);
    assert.equal(await inbox.take(), '{"acknowledged":["!"]}');
  });

  test('a second acknowledgement of one event is ignored, and so is one of none', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('{"command":"request","event":"question","args":[]}');
    const { id } = JSON.parse(await inbox.take());
    for (let time = 0; time < 3; time += 1) socket.send(`{"id":${id},"type":1,"data":["once"]}`);
    socket.send('{"id":9999,"type":1,"data":["never asked"]}');
    assert.equal(await inbox.take(), '{"acknowledged":["once"]}');
    socket.send('"next"');
    assert.equal(await inbox.take(), '"next"');
  });

  for (const odd of ['null', '{"type":0}', '{"type":0,"data":null}', '{"type":0,"data":[]}', '{"type":0,"data":[null]}', '{"type":0,"data":[7]}', '{"type":0,"data":["double"],"id":"text"}', '{"type":1,"data":[]}', '{"type":9,"data":["x"]}', '{"type":0,"data":["double",1],"id":1e99}', '{"type":0,"data":["__proto__"],"id":1}']) {
    test(`the odd packet ${odd} does no harm`, ours, async (t) => {
      const { socket, inbox } = await open(t);
      socket.send(odd);
      socket.send('{"type":0,"data":["double",4],"id":18}');
      for (;;) if ((await inbox.take()) === '{"id":18,"type":1,"data":[8]}') break;
      assert.equal(socket.readyState, WebSocket.OPEN);
    });
  }
});

describe('beyond primus-emitter', ours, () => {
  const served = kinds.filter(({ name }) => name.startsWith('the served client'));

  for (const kind of served) {
    test(`${kind.name}: a request is a promise of the acknowledgement`, async (t) => {
      const client = await connected(t, kind, server);
      assert.equal(await client.primus.request('double', 21), 42);
    });

    test(`${kind.name}: a refused request is rejected with the reason`, async (t) => {
      const client = await connected(t, kind, server);
      const number = Number.MAX_SAFE_INTEGER - 1;
      await assert.rejects(client.primus.request('double', 'two'), /the arguments of the event `double` are wrong/);
      assert.equal(await client.primus.request('double', number / 2), number);
    });

    test(`${kind.name}: a request that is never acknowledged is rejected in time`, async (t) => {
      const client = await connected(t, kind, server, { options: { emitter: { timeout: 100 } } });
      await assert.rejects(client.primus.request('silence'), /100 ms/);
      assert.equal(await client.primus.request('double', 1), 2);
    });

    test(`${kind.name}: the acknowledgement of an event may be an error`, async (t) => {
      const client = await connected(t, kind, server);
      client.primus.on('question', (reply) => reply.error(new Error('ask someone else')));
      const answer = await client.ask({ command: 'request', event: 'question', args: [] });
      assert.deepEqual(answer, { unacknowledged: 'ask someone else' });
    });
  }

  test('the server stops waiting for a client that does not acknowledge', async (t) => {
    const impatient = await startFor(t, { emitter: true, tables: { emitter: { ack_timeout_ms: 100 } } });
    for (const kind of kinds) {
      const client = await connected(t, kind, impatient);
      client.primus.write({ command: 'request', event: 'nobody listens', args: [] });
      let answer;
      // primus-emitter's packet is in the stream of data, too.
      do answer = await client.inbox.take();
      while (answer.type === 0);
      assert.deepEqual(answer, { unacknowledged: 'the client did not acknowledge in time' });
    }
  });
});

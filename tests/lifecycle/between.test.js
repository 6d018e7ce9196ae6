/**
 * @file The picture changes while a spark or a message waits in a hook: what follows are the hooks that are in force then, each once.
 */

import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { Inbox, next, until } from '../conformance/waiting.js';
import { answers, drop, edit, serving } from './folder.js';

const settings = {
  plugins: ['json', 'websocket', 'conformance_app', ['lifecycle_patient', 'libpatient.so'], ['lifecycle_greeter', 'libgreeter.so']],
};

/** A connection, and what it is told. */
async function connected(t, { port }, query) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/primus?${query}`);
  t.after(() => socket.terminate());
  const inbox = new Inbox();
  socket.on('message', (data) => inbox.put(JSON.parse(data)));
  socket.on('close', (code) => inbox.put(`closed with ${code}`));
  await next(socket, 'open');
  return { say: (value) => socket.send(JSON.stringify(value)), told: () => inbox.take() };
}

async function waits(server) {
  await until('the hook to wait', async () => (await (await fetch(`${server.url}/patient/waiting`)).text()) === '1');
}

async function goesOn(server) {
  assert.equal((await fetch(`${server.url}/patient/go`)).status, 204);
}

describe('a change of the configuration alone', () => {
  test('comes into force on no thread before it can on all of them', async (t) => {
    const { server, steady } = await serving(t, { ...settings, tables: { server: { shards: 2 } } });
    const { say } = await connected(t, server, '');
    const go = join(server.directory, 'go');
    say(`until ${go}`);
    await until('a thread to stand still', () => existsSync(`${go}.waits`));
    const mark = server.log.length;
    edit(server, { server: { shards: 2 }, greeter: { enabled: false } });
    await server.line(/the configuration has changed/, mark);
    // What must not come has had its chance.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(server.lines(/goes away/, mark), []);
    writeFileSync(go, '');
    await server.line(/goes away.*plugin="greeter"/, mark);
    await answers(server, 'greet', 'greet');
    await steady.goesOn();
  });
});

/** What happens while it waits, and which greeter is in force then. */
const changes = {
  'a replacement': [
    async (server) => {
      drop(server, 'lifecycle_greeter_two', 'libgreeter.so');
      await answers(server, 'greet', 'greetings from two');
    },
    'greetings from two',
  ],
  'a new configuration': [
    async (server) => {
      edit(server, { greeter: { greeting: 'good day' } });
      await answers(server, 'greet', 'good day');
    },
    'good day',
  ],
  'a plugin that goes': [
    async (server) => {
      edit(server, { greeter: { enabled: false } });
      await answers(server, 'greet', 'greet');
    },
    'greet',
  ],
};

describe('a message that a hook has deferred', () => {
  for (const [what, [change, greeting]] of Object.entries(changes)) {
    test(`meets the hooks behind it as they are after ${what}`, async (t) => {
      const { server, steady } = await serving(t, settings);
      const { say, told } = await connected(t, server, 'defer=1');
      say('greet');
      await waits(server);
      await change(server);
      say('later');
      await goesOn(server);
      assert.equal(await told(), greeting);
      await waits(server);
      await goesOn(server);
      assert.equal(await told(), 'later', 'the next one comes after it, and the first came once');
      await steady.goesOn();
    });
  }
});

describe('a spark whose connection hooks wait', () => {
  for (const [what, [change, greeting]] of Object.entries(changes)) {
    test(`is told to the hooks that are in force after ${what}, each once`, async (t) => {
      const { server, steady } = await serving(t, settings);
      const { say, told } = await connected(t, server, 'hold=1&greeted=1');
      say('calm');
      await waits(server);
      await change(server);
      await goesOn(server);
      if (greeting !== 'greet') assert.equal(await told(), greeting);
      assert.equal(await told(), 'calm');
      assert.equal(await (await fetch(`${server.url}/patient/waiting`)).text(), '0', 'the hook that waited is not asked again');
      await steady.goesOn();
    });
  }
});

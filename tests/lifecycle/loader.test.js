/**
 * @file Plugins come, change, fail and go while the server serves: seen from the outside, by files and connections.
 *
 * In every test an open connection echoes all the time; it must not notice anything.
 */

import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { build, library } from '../conformance/server.js';
import { Inbox, next, until } from '../conformance/waiting.js';
import { answer, answers, client, complaints, drop, put, refused, remove, serving } from './folder.js';
import { Steady } from './steady.js';

describe('a plugin that is dropped in', () => {
  test('is live, for new connections and open ones, and in the served client', async (t) => {
    const { server, steady } = await serving(t);
    const before = await client(server);
    assert.equal(await answer(server, 'greet'), 'greet');
    drop(server, 'lifecycle_greeter');
    await answers(server, 'greet', 'greetings from one');
    const after = await until('another client', async () => {
      const served = await client(server);
      return served.tag !== before.tag && served;
    });
    assert.match(after.text, /primus\.greeter = "one"/);
    assert.doesNotMatch(before.text, /primus\.greeter/);
    await server.line(/greeter/);
    await steady.goesOn();
  });

  test('is live for a connection that was open before', async (t) => {
    const { server } = await serving(t);
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
    const inbox = new Inbox();
    socket.on('message', (data) => inbox.put(JSON.parse(data)));
    t.after(() => socket.terminate());
    await next(socket, 'open');
    const ask = () => {
      socket.send('"greet"');
      return inbox.take();
    };
    assert.equal(await ask(), 'greet');
    drop(server, 'lifecycle_greeter');
    await until('the greeting', async () => (await ask()) === 'greetings from one');
  });

  test('is gone when it is removed, and the served client is the old one again', async (t) => {
    const { server, steady } = await serving(t);
    const before = await client(server);
    drop(server, 'lifecycle_greeter');
    await answers(server, 'greet', 'greetings from one');
    remove(server, 'liblifecycle_greeter.so');
    await answers(server, 'greet', 'greet');
    await until('the old client', async () => (await client(server)).tag === before.tag);
    await steady.goesOn();
  });

  test('is replaced by another version: copied over, or moved in its place', async (t) => {
    const { server, steady } = await serving(t);
    drop(server, 'lifecycle_greeter', 'libgreeter.so');
    await answers(server, 'greet', 'greetings from one');
    drop(server, 'lifecycle_greeter_two', 'libgreeter.so');
    await answers(server, 'greet', 'greetings from two');
    await until('its client', async () => /primus\.greeter = "two"/.test((await client(server)).text));
    put(server, 'libgreeter.so', readFileSync(library('lifecycle_greeter')));
    await answers(server, 'greet', 'greetings from one');
    await until('its client', async () => /primus\.greeter = "one"/.test((await client(server)).text));
    await steady.goesOn();
  });

  test('is live after it was written piece by piece', async (t) => {
    const { server, steady } = await serving(t);
    const bytes = readFileSync(library('lifecycle_greeter'));
    const file = openSync(join(server.plugins, 'libgreeter.so'), 'w');
    const piece = Math.ceil(bytes.length / 50);
    for (let start = 0; start < bytes.length; start += piece) {
      writeSync(file, bytes, start, Math.min(piece, bytes.length - start));
      await steady.goesOn();
    }
    closeSync(file);
    await answers(server, 'greet', 'greetings from one');
  });

  test('may replace the transport and the application again and again: no message is lost', async (t) => {
    const { server, steady } = await serving(t);
    const others = await Promise.all(Array.from({ length: 20 }, () => Steady.start(server)));
    for (let time = 1; time <= 3; time += 1) {
      for (const plugin of ['websocket', 'json', 'conformance_app']) {
        const mark = server.log.length;
        put(server, `lib${plugin}.so`, Buffer.concat([readFileSync(library(plugin)), Buffer.alloc(time)]));
        await server.line(new RegExp(plugin), mark);
        await steady.goesOn();
        assert.equal(await answer(server, 'a new one'), 'a new one');
        assert.deepEqual(complaints(server, mark), []);
      }
    }
    for (const other of others) {
      await other.goesOn();
      other.leave();
    }
  });
});

describe('a transport that is removed', () => {
  test('refuses new connections with 503 until it is back; those that are there go on', async (t) => {
    const { server, steady } = await serving(t);
    remove(server, 'libwebsocket.so');
    await until('503', async () => (await fetch(server.at(''))).status === 503);
    assert.equal((await fetch(server.at('/spec'))).status, 200);
    drop(server, 'websocket');
    await until('426', async () => (await fetch(server.at(''))).status === 426);
    assert.equal(await answer(server, 'back'), 'back');
    await steady.goesOn();
  });
});

describe('a file that can not be a plugin gets one clear line', () => {
  test('half of a library, which then is completed', async (t) => {
    const house = await serving(t);
    const bytes = readFileSync(library('lifecycle_dependent'));
    await refused(house, () => put(house.server, 'libhalf.so', bytes.subarray(0, bytes.length / 2)), /libhalf\.so/);
    put(house.server, 'libhalf.so', bytes);
    await answers(house.server, 'depend', 'I can, the greeter is here');
  });

  test('text', async (t) => {
    const house = await serving(t);
    await refused(house, () => put(house.server, 'libletter.so', 'Dear server, please load me.\n'.repeat(1_000)), /letter\.so/, /ELF|library/i);
  });

  test('nothing', async (t) => {
    const house = await serving(t);
    await refused(house, () => put(house.server, 'libempty.so', ''), /empty\.so/);
  });

  test('a program', async (t) => {
    const house = await serving(t);
    await refused(house, () => put(house.server, 'libprogram.so', readFileSync(join(build, 'switchboard'))), /program\.so/);
  });

  test('a library of another ABI', async (t) => {
    const house = await serving(t);
    await refused(house, () => drop(house.server, 'lifecycle_foreign', 'libforeign.so'), /foreign\.so/);
  });

  test('a file of another kind is none of our business', async (t) => {
    const { server, steady } = await serving(t);
    const mark = server.log.length;
    put(server, 'README.txt', 'read me');
    put(server, 'libgreeter.so.tmp', readFileSync(library('lifecycle_greeter')));
    drop(server, 'lifecycle_dependent');
    await server.line(/greeter/, mark);
    assert.ok(complaints(server, mark).every((line) => !/README|\.tmp/.test(line)));
    assert.equal(await answer(server, 'greet'), 'greet');
    await steady.goesOn();
  });
});

describe('a plugin that fails gets one clear line', () => {
  test('at its start', async (t) => {
    const house = await serving(t);
    await refused(house, () => drop(house.server, 'lifecycle_failing'), /failing/, /there is no moon tonight/);
  });

  test('at its start by a panic', async (t) => {
    const house = await serving(t, { tables: { panicking: { at_start: true } } });
    await refused(house, () => drop(house.server, 'lifecycle_panicking'), /panicking/, /panicked in start: .*the start went over a cliff/);
  });

  test('in a hook by a panic: it is quarantined, and the spec says so', async (t) => {
    const house = await serving(t);
    drop(house.server, 'lifecycle_panicking');
    await answers(house.server, 'calm', 'calm as the sea');
    // Another thread of the server may come to know of the plugin a moment later.
    const panic = () => answers(house.server, 'panic', 'closed with 1011');
    await refused(house, panic, /panicking/, /the hook went over a cliff/);
    assert.equal(await answer(house.server, 'calm'), 'calm', 'its hooks are skipped');
    const spec = await (await fetch(house.server.at('/spec'))).text();
    assert.match(spec, /panicking/);
    assert.match(spec, /over a cliff/);
  });

  test('that was quarantined is released by a new version', async (t) => {
    const { server, steady } = await serving(t);
    drop(server, 'lifecycle_panicking');
    await answers(server, 'calm', 'calm as the sea');
    await answers(server, 'panic', 'closed with 1011');
    assert.equal(await answer(server, 'calm'), 'calm');
    put(server, 'liblifecycle_panicking.so', Buffer.concat([readFileSync(library('lifecycle_panicking')), Buffer.alloc(1)]));
    await answers(server, 'calm', 'calm as the sea');
    assert.doesNotMatch(await (await fetch(server.at('/spec'))).text(), /panicking/);
    await steady.goesOn();
  });

  test('in its new version: the old one goes on', async (t) => {
    const { server, steady } = await serving(t);
    drop(server, 'lifecycle_greeter', 'libgreeter.so');
    await answers(server, 'greet', 'greetings from one');
    const bytes = readFileSync(library('lifecycle_greeter_two'));
    const mark = server.log.length;
    put(server, 'libgreeter.so', bytes.subarray(0, bytes.length / 2));
    const line = await until('a line of complaint', () => complaints(server, mark)[0]);
    assert.match(line, /greeter\.so/);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    put(server, 'libgreeter.so', bytes);
    await answers(server, 'greet', 'greetings from two');
    await steady.goesOn();
  });
});

describe('plugins that do not fit together get one clear line', () => {
  test('two of one name: the one that was there stays', async (t) => {
    const { server, steady } = await serving(t);
    drop(server, 'lifecycle_greeter', 'liba_greeter.so');
    await answers(server, 'greet', 'greetings from one');
    const mark = server.log.length;
    drop(server, 'lifecycle_greeter_two', 'libb_greeter.so');
    const line = await until('a line of complaint', () => complaints(server, mark)[0]);
    assert.match(line, /liba_greeter\.so/);
    assert.match(line, /libb_greeter\.so/);
    drop(server, 'lifecycle_dependent');
    await answers(server, 'depend', 'I can, the greeter is here');
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    assert.deepEqual(complaints(server, mark), [line]);
    await steady.goesOn();
  });

  test('one that needs another, which is not there: it is live when the other has come', async (t) => {
    const house = await serving(t);
    await refused(house, () => drop(house.server, 'lifecycle_dependent'), /dependent/, /greeter/);
    await answers(house.server, 'depend', 'I can, the greeter is here');
  });

  test('one that needs another, which goes', async (t) => {
    const { server, steady } = await serving(t, { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_greeter', 'lifecycle_dependent'] });
    assert.equal(await answer(server, 'depend'), 'I can, the greeter is here');
    const mark = server.log.length;
    remove(server, 'liblifecycle_greeter.so');
    await answers(server, 'depend', 'depend');
    assert.equal(complaints(server, mark).length, 1);
    assert.match(complaints(server, mark)[0], /dependent.*greeter/);
    await steady.goesOn();
  });
});

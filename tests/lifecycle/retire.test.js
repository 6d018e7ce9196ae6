/**
 * @file The end of generations: what holds them is shown, they are stopped in order and in time, and their states are bounded.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Peer } from '../conformance/frames.js';
import { startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { Asker } from './asker.js';
import { command, plugins } from './command.js';
import { answers, complaints, drop, edit, remove, serving } from './folder.js';

const greeter = { plugins: ['json', 'websocket', 'conformance_app', ['lifecycle_greeter', 'libgreeter.so']] };

describe('a generation that was replaced', () => {
  test('is shown with what holds it and what it costs, until nothing does', async (t) => {
    const server = await startFor(t, greeter);
    const peer = await Peer.handshake(t, server);
    peer.say('"here"');
    await peer.text();
    assert.equal((await command(server, 'reload', 'websocket')).code, 0);
    const retired = async () => (await plugins(server)).websocket.retired;
    await until('the session alone to hold it', async () => {
      const [{ generation, held_by: holders, memory_kib: memory }] = await retired();
      return generation === 1 && holders.length === 1 && holders[0] === '1 session' && memory > 0;
    });
    assert.match((await command(server, 'plugins')).out, /^websocket .*; retired: generation 1 \(\d+ KiB, held by 1 session\)$/m);
    peer.socket.destroy();
    await until('nothing to hold it', async () => (await retired())[0].held_by.length === 0);
    await server.line(/is retired plugin="websocket" generation=1/);
    const metrics = await until('its memory among the figures', async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text();
      return /^switchboard_plugin_retired_bytes\{plugin="websocket"\} [1-9]/m.test(text) && text;
    });
    assert.match(metrics, /^switchboard_plugin_generation\{plugin="websocket"\} 2$/m);
    assert.match(metrics, /^switchboard_plugin_serving\{plugin="websocket"\} 1$/m);
    assert.equal(metrics.match(/^# TYPE switchboard_plugin_serving gauge$/gm).length, 1);
  });

  test('is held by a session whose request waits for its answer, and by no connection that goes on', async (t) => {
    const server = await startFor(t, { plugins: ['json', 'sockjs', 'conformance_app'] });
    const [polls, sends] = [await Asker.connect(t, server), await Asker.connect(t, server)];
    polls.post('/primus/000/session/xhr');
    assert.match(await polls.answer(), /\r\n\r\no\n$/);
    polls.post('/primus/000/session/xhr');
    assert.ok(await sends.goesOn());
    assert.equal((await command(server, 'reload', 'sockjs')).code, 0);
    const holders = async () => (await plugins(server)).sockjs.retired[0].held_by;
    await until('the session alone to hold it', async () => (await holders()).join() === '1 session');
    sends.post('/primus/000/session/xhr_send', JSON.stringify([JSON.stringify({ command: 'close' })]));
    assert.match(await sends.answer(), /^HTTP\/1\.1 204 /);
    assert.match(await polls.answer(), /^HTTP\/1\.1 200 /);
    await until('nothing to hold it', async () => (await holders()).length === 0);
    for (const asker of [polls, sends]) assert.ok(await asker.goesOn());
  });

  test('is one of too many: that is said once', async (t) => {
    const server = await startFor(t, { ...greeter, tables: { server: { max_retired: 1 } } });
    for (let time = 1; time <= 4; time += 1) {
      assert.equal((await command(server, 'reload', 'greeter')).code, 0);
      await server.line(new RegExp(`is retired plugin="greeter" generation=${time}`));
    }
    assert.equal(complaints(server, 0).length, 1);
    assert.match(complaints(server, 0)[0], /2 retired generations stay mapped.*switchboard upgrade/);
  });

  test('hands over no more state than it may: then it goes on', async (t) => {
    const { server, steady } = await serving(t, { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_ledger'], tables: { server: { max_state: 1 } } });
    const { code, err } = await command(server, 'reload', 'ledger');
    assert.equal(code, 1);
    assert.match(err, /ledger: its state has .*max_state.*; the former generation goes on/);
    assert.equal((await plugins(server)).ledger.generation, 1);
    await steady.goesOn();
  });
});

describe('a plugin that goes away', () => {
  test('is stopped after those that require it', async (t) => {
    const { server, steady } = await serving(t, { plugins: [...greeter.plugins, 'lifecycle_dependent'] });
    remove(server, 'libgreeter.so');
    await server.line(/is retired plugin="greeter"/);
    const ends = server.lines(/is retired/).map((line) => /plugin="(\w+)"/.exec(line)[1]);
    assert.deepEqual(ends, ['dependent', 'greeter']);
    await steady.goesOn();
  });

  test('and hangs in its stop holds up nobody', async (t) => {
    const tables = { server: { stop_timeout: '200ms' }, panicking: { hangs_at: 'stop' } };
    const { server, steady } = await serving(t, { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_panicking'], tables });
    edit(server, { ...tables, panicking: { ...tables.panicking, enabled: false } });
    await server.line(/ERROR.*has not stopped within 200ms.*panicking|panicking.*has not stopped within 200ms/);
    drop(server, 'lifecycle_greeter');
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
    steady.leave();
    assert.deepEqual(await server.end(), { code: 0, signal: null });
  });
});

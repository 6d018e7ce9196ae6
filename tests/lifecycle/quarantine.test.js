/**
 * @file A plugin that panics is told of with its backtrace and counted, and goes into quarantine after as many panics as it is set to.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { command, plugins } from './command.js';
import { answer, complaints, edit, serving } from './folder.js';

const panicking = { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_panicking'] };

/** How often the plugin has panicked, as /metrics has it. */
async function panics(server) {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return Number(/^switchboard_plugin_panics_total\{plugin="panicking"\} (\d+)$/m.exec(text)?.[1]);
}

describe('a panic', () => {
  test('is logged once, with plugin, generation, place, message and backtrace, and counted', async (t) => {
    const { server, steady } = await serving(t, panicking);
    const mark = server.log.length;
    assert.equal(await panics(server), 0);
    assert.equal(await answer(server, 'panic'), 'closed with 1011');
    const [line, ...others] = complaints(server, mark);
    assert.deepEqual(others, []);
    assert.match(line, /panicked in an incoming hook: .*the hook went over a cliff.* plugin="panicking" generation=1/);
    await until('the backtrace', () => server.lines(/^ +\d+: .*plugin_api::abi::plugin/, mark)[0]);
    assert.equal(await panics(server), 1);
    await steady.goesOn();
  });

  test('ends the session that met it, whatever carries it', async (t) => {
    const server = await startFor(t, { plugins: [...panicking.plugins, 'sockjs', 'engine_io'], tables: { panicking: { quarantine: 'never' } } });
    assert.equal(await answer(server, 'panic'), 'closed with 1011');

    const sockjs = (path, body) => fetch(server.at(`/000/panics/${path}`), { method: 'POST', body }).then((response) => response.text());
    assert.equal(await sockjs('xhr'), 'o\n');
    await sockjs('xhr_send', JSON.stringify(['"panic"']));
    assert.equal(await sockjs('xhr'), 'c[1011,"a plugin failed"]\n');

    const polling = (query, body) =>
      fetch(server.at(`/?EIO=4&transport=polling${query}`), body === undefined ? {} : { method: 'POST', body }).then((response) => response.text());
    const { sid } = JSON.parse((await polling('')).slice(1));
    await polling(`&sid=${sid}`, '4"panic"');
    await until('the end of the session', async () => {
      const text = await polling(`&sid=${sid}`);
      return text.split('\x1e').includes('1') || /Session ID unknown/.test(text);
    });
    assert.equal(await panics(server), 3);
    assert.equal(await answer(server, 'calm'), 'calm as the sea');
  });
});

describe('quarantine', () => {
  test('comes after as many panics as the plugin may have, and ends with a reload', async (t) => {
    const { server, steady } = await serving(t, { ...panicking, tables: { panicking: { quarantine: { after: 2, within: '1h' } } } });
    assert.equal(await answer(server, 'panic'), 'closed with 1011');
    assert.equal(await answer(server, 'calm'), 'calm as the sea');
    assert.equal((await plugins(server)).panicking.state, 'serving');
    assert.equal(await answer(server, 'panic'), 'closed with 1011');
    assert.equal(await answer(server, 'calm'), 'calm', 'its hooks are skipped');
    assert.equal((await plugins(server)).panicking.state, 'quarantined');
    const { code, err } = await command(server, 'reload', 'panicking');
    assert.equal(code, 0, err);
    assert.equal(await answer(server, 'calm'), 'calm as the sea');
    assert.equal(await panics(server), 2);
    await steady.goesOn();
  });

  test('never comes where it is so set for all, until that is changed', async (t) => {
    const server = await startFor(t, { ...panicking, tables: { server: { quarantine: 'never' } } });
    for (const time of [1, 2, 3]) {
      assert.equal(await answer(server, 'panic'), 'closed with 1011');
      assert.equal(await panics(server), time);
    }
    assert.equal(await answer(server, 'calm'), 'calm as the sea');
    edit(server, { server: { quarantine: 'immediately' } });
    await server.line(/configuration has changed.*server\.quarantine/);
    await until('the quarantine', async () => {
      await answer(server, 'panic');
      return (await plugins(server)).panicking.state === 'quarantined';
    });
  });
});

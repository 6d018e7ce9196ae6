/**
 * @file A plugin that does not come back from a call of the control thread: it is left to itself, and everything else goes on.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { command, plugins } from './command.js';
import { answers, drop, edit, serving } from './folder.js';

const server = { start_timeout: '300ms', state_timeout: '300ms', stop_timeout: '300ms' };
const hangsAt = (call, further = {}) => ({ server, panicking: { hangs_at: call, ...further } });

/** The server takes further plugins, its clients notice nothing, and it can be ended. */
async function goesOn({ server, steady }) {
  drop(server, 'lifecycle_greeter');
  await answers(server, 'greet', 'greetings from one');
  await steady.goesOn();
  steady.leave();
  assert.deepEqual(await server.end(), { code: 0, signal: null });
}

describe('a plugin that hangs', () => {
  test('in its start does not serve', async (t) => {
    const house = await serving(t, { plugins: ['json', 'websocket', 'conformance_app'], tables: hangsAt('start', { enabled: false }) });
    drop(house.server, 'lifecycle_panicking');
    edit(house.server, hangsAt('start'));
    await house.server.line(/ERROR.*does not start: its start has not come back within 300ms.*start_timeout.*panicking/);
    const { panicking } = await plugins(house.server);
    assert.match(panicking.reason, /has not come back/);
    await goesOn(house);
  });

  test('when it is configured anew goes on as it was', async (t) => {
    const tables = hangsAt('reconfigure');
    const house = await serving(t, { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_panicking'], tables });
    edit(house.server, hangsAt('reconfigure', { at_start: false }));
    await house.server.line(/ERROR.*goes on with its old configuration: it has not come back within 300ms.*panicking/);
    await answers(house.server, 'calm', 'calm as the sea');
    await goesOn(house);
  });

  test('when its state is asked for is not replaced', async (t) => {
    const house = await serving(t, { plugins: ['json', 'websocket', 'conformance_app', 'lifecycle_panicking'], tables: hangsAt('save') });
    const { code, err } = await command(house.server, 'reload', 'panicking');
    assert.equal(code, 1);
    assert.match(err, /panicking: the hand-over of its state has not come back within 300ms.*state_timeout.*; the former generation goes on/);
    assert.equal((await plugins(house.server)).panicking.generation, 1);
    await answers(house.server, 'calm', 'calm as the sea');
    await goesOn(house);
  });
});

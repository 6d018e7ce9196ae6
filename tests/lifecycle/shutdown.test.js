/**
 * @file The server is told to go (SIGTERM): connections are closed as Primus's `destroy` does, and it leaves in time.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { CLOSE, Peer, frame } from '../conformance/frames.js';
import { startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { Steady } from './steady.js';

describe('SIGTERM', () => {
  test('closes connections so that they come back, and exits with 0', async (t) => {
    const server = await startFor(t);
    const peer = await Peer.handshake(t, server);
    peer.say('"before"');
    assert.equal(await peer.text(), '"before"');
    const exit = server.end('SIGTERM');
    assert.equal((await peer.frame()).opcode, CLOSE, 'no primus::server::close before it');
    peer.send(frame(CLOSE));
    assert.deepEqual(await exit, { code: 0, signal: null });
    await peer.gone();
  });

  test('ends connections for good when it is so configured', async (t) => {
    const server = await startFor(t, { tables: { server: { shutdown: { reconnect: false } } } });
    const peer = await Peer.handshake(t, server);
    const exit = server.end('SIGTERM');
    assert.equal(await peer.text(), '"primus::server::close"');
    assert.equal((await peer.frame()).opcode, CLOSE);
    peer.send(frame(CLOSE));
    assert.deepEqual(await exit, { code: 0, signal: null });
  });

  test('does not wait longer than it may for a peer that does not answer', async (t) => {
    const server = await startFor(t, { tables: { server: { shutdown: { timeout: '200ms' } } } });
    const peer = await Peer.handshake(t, server);
    assert.deepEqual(await server.end('SIGTERM'), { code: 0, signal: null });
    await peer.gone();
  });

  test('first says that it is not ready, and serves on until the time of draining is over', async (t) => {
    const server = await startFor(t, { tables: { server: { shutdown: { drain: '3s' } } } });
    const steady = await Steady.start(server);
    assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
    const exit = server.end('SIGTERM');
    await until('not being ready', async () => (await fetch(`${server.url}/readyz`)).status === 503);
    await steady.goesOn();
    const late = await Peer.handshake(t, server);
    late.say('"late"');
    assert.equal(await late.text(), '"late"');
    steady.leave();
    assert.deepEqual(await exit, { code: 0, signal: null });
    steady.assertUnbroken();
  });
});

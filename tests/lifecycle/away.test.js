/**
 * @file A transport is disabled and enabled again: those whom requests carry are told to come back, those who come meanwhile hear
 * that it is not for ever, and those with a connection of their own notice nothing.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Socket } from 'engine.io-client';

import { Inbox, next, until } from '../conformance/waiting.js';
import { edit, remove, serving } from './folder.js';

const settings = { plugins: ['json', 'websocket', 'engine_io', 'sockjs', 'conformance_app'] };

/** An Engine.IO connection, and what it is told: `closed` at its end. */
async function connected(t, server, transports) {
  const socket = new Socket(server.url, { path: '/primus/', transports });
  t.after(() => socket.close());
  const inbox = new Inbox();
  socket.on('message', (data) => inbox.put(JSON.parse(data)));
  socket.on('close', () => inbox.put('closed'));
  await next(socket, 'open');
  const echoes = async (value) => {
    socket.send(JSON.stringify(value));
    assert.equal(await inbox.take(), value);
  };
  await echoes('hello');
  return { echoes, told: () => inbox.take() };
}

/** The handshake of a new client that polls. */
function handshake(server) {
  return fetch(server.at('/?EIO=4&transport=polling'));
}

async function disabled(server, plugin) {
  edit(server, { [plugin]: { enabled: false } });
  await server.line(new RegExp(`goes away.*plugin="${plugin}"`));
}

describe('a transport that is disabled', () => {
  test('tells those who poll to come back, and goes on for those with a WebSocket', async (t) => {
    const { server, steady } = await serving(t, settings);
    const polling = await connected(t, server, ['polling']);
    const websocket = await connected(t, server, ['websocket']);
    await disabled(server, 'engine-io');
    assert.equal(await polling.told(), 'closed');
    await websocket.echoes('still here');
    const refused = await handshake(server);
    assert.equal(refused.status, 503);
    assert.match(refused.headers.get('retry-after'), /^\d+$/);
    assert.match(await refused.text(), /engine\.io/);
    edit(server, {});
    await until('new clients to be let in', async () => (await handshake(server)).status === 200);
    const again = await connected(t, server, ['polling']);
    await again.echoes('back');
    await websocket.echoes('and still here');
    await steady.goesOn();
  });

  test('says by its own protocol that a session is over', async (t) => {
    const { server } = await serving(t, settings);
    const post = (path, body) => fetch(server.at(`/000/away/${path}`), { method: 'POST', body });
    const came = { text: '' };
    const stream = await post('xhr_streaming');
    const read = (async () => {
      for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) came.text += piece;
    })();
    assert.equal((await post('xhr_send', JSON.stringify(['"hello"']))).status, 204);
    await until('the echo', () => came.text.endsWith('a["\\"hello\\""]\n'));
    await disabled(server, 'sockjs');
    await read;
    assert.match(came.text, /\nc\[1000,"Normal closure"\]\n$/);
    assert.equal((await fetch(server.at('/000/other/xhr'), { method: 'POST' })).status, 503);
  });

  test('whose file goes, too, is forgotten', async (t) => {
    const { server } = await serving(t, settings);
    assert.equal((await handshake(server)).status, 200);
    remove(server, 'libengine_io.so');
    await until('what is left to answer', async () => (await handshake(server)).status === 426);
  });
});

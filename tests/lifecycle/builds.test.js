/**
 * @file Plugins that were built otherwise than the host: with an older interface or a newer one, by another compiler, without
 * optimisation, with other features. They work where the layouts agree, and are refused with the place where they don't.
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import readline from 'node:readline';
import { before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { library as builtAs, repository, startFor } from '../conformance/server.js';
import { DEADLINE, Inbox, next, until, within } from '../conformance/waiting.js';
import { built, copied, has } from './cargo.js';
import { answer, answers, drop, put, refused, serving } from './folder.js';

const interface10 = join(repository, 'tests/lifecycle/interface-1.0');
const veteran = { workspace: interface10, name: 'switchboard-lifecycle-veteran', library: 'lifecycle_veteran' };
const settings = { plugins: ['json', 'websocket', 'rooms', 'conformance_app'], tables: { server: { shards: 1 } } };

/** A client of the veteran's transport: one message a line. */
class LineClient {
  inbox = new Inbox();

  static open(t, server) {
    const request = http.get(server.at(''), { headers: { connection: 'upgrade', upgrade: 'lines' } });
    return within(DEADLINE, 'an upgrade to lines', (resolve, reject) => {
      request.on('upgrade', (response, socket) => {
        t.after(() => socket.destroy());
        resolve(new LineClient(socket));
      });
      request.on('response', (response) => reject(new Error(`answered with ${response.statusCode}`)));
      request.on('error', reject);
    });
  }

  constructor(socket) {
    this.socket = socket;
    readline.createInterface({ input: socket }).on('line', (line) => this.inbox.put(JSON.parse(line)));
    socket.on('close', () => this.inbox.end('the connection is closed'));
  }

  async ask(value) {
    this.socket.write(`${JSON.stringify(value)}\n`);
    return this.inbox.take();
  }
}

/** A WebSocket whose messages are plain text. */
async function socket(t, server, query) {
  const opened = new WebSocket(`ws://127.0.0.1:${server.port}/primus${query}`);
  const inbox = new Inbox();
  opened.on('message', (data) => inbox.put(data.toString()));
  t.after(() => opened.terminate());
  await next(opened, 'open');
  return { send: (text) => opened.send(text), inbox };
}

/** Waits until a library of the veteran is live, on the one thread that there is. */
async function isLive(server, mark = 0) {
  await server.line(/(is live|is replaced).*veteran|veteran.*(is live|is replaced)/, mark);
  await until('its route', async () => (await fetch(`${server.url}/veteran/Ann`)).status === 200);
}

/** Everything that the veteran brings works. */
async function works(t, server) {
  assert.equal(await answer(server, 'salute Ann'), 'I salute Ann', 'its hook');
  const line = await LineClient.open(t, server);
  assert.equal(await line.ask('salute Bob'), 'I salute Bob', 'its transport');

  const shouting = await socket(t, server, '?_parser=shout');
  shouting.send('salute Cid!');
  assert.equal(await shouting.inbox.take(), 'I salute Cid!', 'its parser');
  line.socket.write('"rally arms"\n');
  assert.equal(await line.inbox.take(), 'to all: arms', 'the service of another plugin');
  assert.equal(await shouting.inbox.take(), 'to all: arms!', 'what another plugin sends, in its parser');

  assert.match(await line.ask('count all'), /^\d+ served$/, 'its service');
  const response = await fetch(`${server.url}/veteran/Dan`);
  assert.equal(await response.text(), 'at your service, Dan', 'its route');
  line.socket.write('"secret"\n"plain"\n');
  assert.equal(await line.inbox.take(), 'plain', 'its hook on what goes out');
  return line;
}

describe('a plugin that was built with version 1.0 of the interface', () => {
  let library;
  before(async () => (library = await built(veteran)));

  test('works in this host', async (t) => {
    const { server, steady } = await serving(t, settings);
    put(server, 'libveteran.so', library);
    await isLive(server);
    await works(t, server);
    await steady.goesOn();
  });

  test('hands its state to its next generation, and its sessions go on', async (t) => {
    const { server, steady } = await serving(t, settings);
    put(server, 'libveteran.so', library);
    await isLive(server);
    const line = await LineClient.open(t, server);
    for (let times = 1; times <= 3; times += 1) await line.ask('salute Ann');
    const mark = server.log.length;
    put(server, 'libveteran.so', Buffer.concat([library, Buffer.alloc(1)]));
    await isLive(server, mark);
    assert.equal(await line.ask('count all'), '3 served');
    await works(t, server);
    await steady.goesOn();
  });

  test('works beside plugins of today, whichever comes first', async (t) => {
    const { server, steady } = await serving(t, { ...settings, plugins: [...settings.plugins, 'lifecycle_greeter'] });
    put(server, 'libveteran.so', library);
    await isLive(server);
    for (const times of [1, 2]) {
      const mark = server.log.length;
      put(server, 'liblifecycle_greeter.so', Buffer.concat([readFileSync(builtAs('lifecycle_greeter')), Buffer.alloc(times)]));
      await server.line(/is replaced.*greeter/, mark);
      put(server, 'libveteran.so', Buffer.concat([library, Buffer.alloc(times)]));
      await isLive(server, mark);
    }
    await works(t, server);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    await steady.goesOn();
  });

  test('keeps no plugin of today out that is loaded after it', async (t) => {
    const server = await startFor(t, settings);
    // By their names this one is the first of all.
    await server.end();
    put(server, 'libaged.so', library);
    await server.start();
    await isLive(server);
    await works(t, server);
    assert.equal(server.lines(/ERROR/).length, 0);
  });

  test('is refused with the type and the field where a struct that crosses has changed', async (t) => {
    const workspace = copied('changed', 'tests/lifecycle/interface-1.0', ['Cargo.toml', 'Cargo.lock', 'interface', 'veteran'], {
      'interface/src/abi/types.rs': [[/(pub struct RawEvent \{[^}]*pub id: )u32/, '$1i32']],
      'interface/src/transport.rs': [['RawEvent { what, detail, id, start, len }', 'RawEvent { what, detail, id: id as i32, start, len }']],
    });
    const changed = await built({ ...veteran, workspace });
    const house = await serving(t, settings);
    await refused(house, () => put(house.server, 'libveteran.so', changed), /veteran\.so/, /another ABI/, /RawEvent/, /\bid\b/, /u32/, /i32/);
  });
});

test('a plugin that was built by another compiler, with other features, works', async (t) => {
  const toolchain = has('nightly') ? 'nightly' : undefined;
  if (!toolchain) t.diagnostic('there is no nightly toolchain here: only the features are others');
  const library = await built({ ...veteran, toolchain, features: 'rich' });
  const { server, steady } = await serving(t, settings);
  put(server, 'libveteran.so', library);
  await isLive(server);
  await works(t, server);
  await steady.goesOn();
});

test('a plugin that was built with a later interface works in this host, which is older', async (t) => {
  const parts = ['Cargo.toml', 'Cargo.lock', 'plugin-api', 'tests/lifecycle/plugins/greeter'];
  const workspace = copied('later', '.', parts, {
    'Cargo.toml': [[/members = \[[^\]]*\]/, 'members = ["plugin-api", "tests/lifecycle/plugins/greeter"]']],
    'plugin-api/Cargo.toml': [[/\nversion = "1\.\d+\.\d+"/, '\nversion = "1.99.0"']],
    'plugin-api/src/abi/module.rs': [
      [/(pub struct InstanceTable \{[^}]*)\}/, '$1    /// Of a later version.\n    #[sabi(missing_field(option))]\n    pub later: extern "C" fn() -> u32,\n}'],
    ],
    'plugin-api/src/abi/plugin/instance.rs': [
      ['InstanceTable {', 'InstanceTable {\n                        later,'],
      ['\nextern "C" fn manifest', '\nextern "C" fn later() -> u32 {\n    0\n}\n\nextern "C" fn manifest'],
    ],
  });
  const library = await built({ workspace, name: 'switchboard-lifecycle-greeter', library: 'lifecycle_greeter' });
  const { server, steady } = await serving(t);
  put(server, 'libgreeter.so', library);
  await answers(server, 'greet', 'greetings from one');
  await until('its line', () => server.lines(/greeter/)[0]);
  await steady.goesOn();
});

/**
 * @file The plugin `tcp`: clients without HTTP, each parser that has a form of its own, in the same rooms as browsers; what they
 * may not do; and that none of them notices that the plugin is replaced.
 */

import assert from 'node:assert/strict';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';

import { connected, kinds } from './clients.js';
import { Device, lengths, lines } from './device.js';
import { BINARY, Peer, TEXT, frame } from './frames.js';
import { library, startFor } from './server.js';
import { until } from './waiting.js';
import { Session, requests } from './ways.js';

const msgpack = createRequire(import.meta.url)('msgpack-lite');

const wires = {
  'lines of json': lines(JSON.stringify, JSON.parse),
  'json behind its length': lengths(JSON.stringify, JSON.parse),
  'msgpack behind its length': lengths(msgpack.encode, msgpack.decode),
};

/** Addresses that differ, so that each can have a free port. */
const listeners = {
  listen: '127.0.0.1:0',
  also: [
    { listen: '127.0.0.2:0', framing: 'length' },
    { listen: '127.0.0.3:0', framing: 'length', parser: 'msgpack' },
  ],
};

/** A server that listens for devices, and where: the addresses in the order of `wires`. */
async function serving(t, tcp = {}, settings = {}) {
  const plugins = ['json', 'msgpack', 'websocket', 'tcp', 'conformance_app'];
  const server = await startFor(t, { plugins, rooms: true, tables: { tcp: { ...listeners, ...tcp } }, ...settings });
  const addresses = await until('the addresses', () => {
    const found = server.log.map((line) => /listening plugin="tcp" address=(\S+)/.exec(line)?.[1]).filter(Boolean);
    return found.length === 3 && found.sort();
  });
  return { server, addresses };
}

test('every value comes back over each framing and parser', async (t) => {
  const { addresses } = await serving(t);
  const values = ['text', '', 'ünïcode 😀', 0, -1.5, true, null, [], ['a', [2, {}]], { a: { b: ['c'] } }, 'x'.repeat(200_000), 'a\nb'];
  for (const [at, [name, wire]] of Object.entries(wires).entries()) {
    const device = await Device.connect(t, addresses[at], wire);
    for (const value of values) assert.deepEqual(await device.ask(value), value, name);
    for (const value of values) device.send(value);
    assert.deepEqual(await device.inbox.takeAll(values.length), values, name);
  }
});

test('a device has an id, an address and the parser of its port, and no header fields', async (t) => {
  const { addresses } = await serving(t);
  const device = await Device.connect(t, addresses[2], wires['msgpack behind its length']);
  device.send('primus::id::');
  const id = await until('the id', () => device.control.find((message) => message.startsWith('primus::id::')));
  assert.match(id, /^primus::id::[\w-]{21}$/);
  const { address, headers, query } = await device.ask({ command: 'whoami' });
  assert.equal(address.ip, '127.0.0.1');
  assert.deepEqual({ headers, query }, { headers: {}, query: { _parser: 'msgpack' } });
});

test('devices and browsers sit in one room', async (t) => {
  const { server, addresses } = await serving(t);
  const browser = await connected(t, kinds[0], server);
  const devices = [];
  for (const [at, wire] of Object.values(wires).entries()) devices.push(await Device.connect(t, addresses[at], wire));
  const all = [browser, ...devices];
  for (const client of all) await client.ask({ command: 'join', room: 'hall' });
  for (const [at, device] of devices.entries()) {
    const value = { from: at, text: 'line\nbreak' };
    device.send({ command: 'rooms', rooms: ['hall'], value });
    for (const client of all) assert.deepEqual(await client.inbox.take(), value);
  }
});

test('a device that answers no ping is ended, one that answers stays', async (t) => {
  const { addresses } = await serving(t, {}, { pingInterval: 2000 });
  const [answering, silent] = [await Device.connect(t, addresses[0]), await Device.connect(t, addresses[0])];
  const pings = () => answering.control.filter((message) => message.startsWith('primus::ping::')).length;
  silent.socket.removeAllListeners('data');
  silent.socket.resume();
  await until('the end of the silent one', () => silent.closed);
  const before = pings();
  await until('further pings', () => pings() > before + 1);
  assert.equal(await answering.ask('here'), 'here');
});

test('what is too long, no UTF-8 or too slow ends its sender only', async (t) => {
  const { addresses } = await serving(t, { max_message_bytes: 1000, message_timeout_ms: 300 });
  const good = await Device.connect(t, addresses[0]);
  const faults = {
    'a long line': Buffer.alloc(2000, 'x'),
    'no UTF-8': Buffer.from([0x22, 0xff, 0x22, 0x0a]),
    'half of a line': Buffer.from('"never'),
  };
  for (const [fault, bytes] of Object.entries(faults)) {
    const bad = await Device.connect(t, addresses[0]);
    bad.socket.write(bytes);
    await until(`the end after ${fault}`, () => bad.closed);
  }
  // One byte after the other, for ever.
  const slow = await Device.connect(t, addresses[1], wires['json behind its length']);
  const drops = setInterval(() => slow.socket.write(Buffer.from([0])), 50);
  t.after(() => clearInterval(drops));
  slow.socket.write(Buffer.from([0, 0, 3, 0]));
  await until('the end of the slow one', () => slow.closed);
  assert.equal(await good.ask('still here'), 'still here');
});

test('a message that is no JSON is no reason to end', async (t) => {
  const { addresses } = await serving(t);
  const device = await Device.connect(t, addresses[0]);
  device.socket.write('{broken\n');
  assert.equal(await device.ask('after'), 'after');
});

test('a device that does not read is ended when too much waits for it', async (t) => {
  const { server, addresses } = await serving(t, {}, { maxLength: 1_000_000 });
  const device = await Device.connect(t, addresses[0]);
  assert.equal(await device.ask('here'), 'here');
  device.socket.pause();
  device.send({ command: 'flood', count: 64, size: 900_000 });
  await server.line(/more than max_buffered waits/);
});

test('who comes too often is told and goes', async (t) => {
  const { addresses } = await serving(t, { max_sessions_per_address: 2 });
  const [one, two] = [await Device.connect(t, addresses[0]), await Device.connect(t, addresses[0])];
  assert.equal(await one.ask(1), 1);
  assert.equal(await two.ask(2), 2);
  const three = await Device.connect(t, addresses[0]);
  assert.deepEqual(await three.inbox.take(), { error: 'clients of this address have as many sessions as they may have (max_sessions_per_address): close one first' });
  await until('its end', () => three.closed);
  one.socket.destroy();
  await until('room for another one', async () => {
    const next = await Device.connect(t, addresses[0]);
    const answer = await next.ask('in').catch(() => null);
    return answer === 'in';
  });
});

test('bytes of a client whose parser makes text are no text to who is carried text only', async (t) => {
  const plugins = ['json', 'websocket', 'sockjs', 'browserchannel', 'tcp', 'conformance_relay'];
  const server = await startFor(t, { plugins, tables: { tcp: { listen: '127.0.0.1:0' } } });
  const address = await until('the address', () => /listening plugin="tcp" address=(\S+)/.exec(server.log.join('\n'))?.[1]);
  const device = await Device.connect(t, address);
  const sessions = [await Session.open(requests.sockjs, server), await Session.open(requests.browserchannel, server)];
  device.send('here');
  assert.equal(await device.inbox.take(), 'here');
  const peer = await Peer.handshake(t, server);
  const control = Buffer.from('"primus::server::close"');
  peer.send(frame(BINARY, control), frame(TEXT, '"after"'));
  assert.deepEqual(await device.inbox.takeAll(2), [{ type: 'Buffer', data: [...control] }, 'after']);
  assert.deepEqual(device.control, []);
  for (const session of sessions) {
    const socket = await session.listen(t);
    let text = '';
    socket.on('data', (data) => (text += data));
    await until('the second message', () => text.includes('after'));
    assert.match(text, /Buffer/);
    assert.doesNotMatch(text, /server::close/);
  }
});

test('without an address the plugin loads, and says that nobody can connect', async (t) => {
  const server = await startFor(t, { plugins: ['json', 'websocket', 'tcp', 'conformance_app'] });
  assert.match(await server.line(/nobody can connect/), /tcp/);
});

test('the plugin is replaced under load, and no connection and no message is lost, repeated or out of order', async (t) => {
  const { server, addresses } = await serving(t);
  const text = readFileSync(library('tcp'));
  const old = [];
  for (let count = 0; count < 10; count += 1) old.push(await flowing(t, addresses[count % 2], Object.values(wires)[count % 2]));
  for (let time = 1; time <= 3; time += 1) {
    const mark = server.log.length;
    const temporary = join(server.directory, 'incoming');
    // The loader takes anything behind a library's end.
    writeFileSync(temporary, Buffer.concat([text, Buffer.alloc(time)]));
    renameSync(temporary, join(server.plugins, 'libtcp.so'));
    // Others come all the time, and each gets its answer.
    let came = 0;
    await until('the next generation', async () => {
      const device = await Device.connect(t, addresses[0]);
      assert.equal(await device.ask(came), came);
      device.socket.destroy();
      came += 1;
      return server.lines(/is replaced/, mark).length > 0;
    });
    const counts = old.map((flow) => flow.received);
    await until('all to go on', () => old.every((flow, at) => flow.fault ?? flow.received > counts[at] + 50));
    for (const flow of old) assert.equal(flow.fault, undefined);
  }
  assert.deepEqual(server.lines(/\b(WARN|ERROR)\b/), []);
});

/** A device that sends the next number as soon as the last one has come back. */
async function flowing(t, address, wire) {
  const device = await Device.connect(t, address, wire);
  const flow = { received: 0, fault: undefined };
  device.inbox.put = (value) => {
    if (value !== flow.received) flow.fault ??= `got ${value} for ${flow.received}`;
    flow.received += 1;
    device.send(flow.received);
  };
  device.socket.on('close', () => {
    flow.fault ??= `closed after ${flow.received}`;
  });
  device.send(0);
  return flow;
}

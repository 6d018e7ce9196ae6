/**
 * @file What becomes of sessions that are carried otherwise than by a plain WebSocket when a new process takes over, and of the
 * addresses that plugins listen on.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { PATIENCE } from '../conformance/bare.js';
import { Device, lengths, lines } from '../conformance/device.js';
import { JsonClient } from '../conformance/json-client.js';
import { until } from '../conformance/waiting.js';
import { Succession } from './successors.js';

const SockJS = createRequire(import.meta.url)('sockjs-client');

/** What every client is asked: a question, and its answer. */
const asked = async (client, text) => assert.equal(await client.ask(text), text);

describe('devices', () => {
  const wires = [lines(JSON.stringify, JSON.parse), lengths(JSON.stringify, JSON.parse)];

  /** A server that listens for devices, and where: for lines, and for messages behind their length. */
  async function serving(t) {
    const listeners = { listen: '127.0.0.1:0', also: [{ listen: '127.0.0.2:0', framing: 'length' }] };
    const plugins = ['json', 'websocket', 'tcp', 'conformance_app'];
    const server = await Succession.startFor(t, { plugins, tables: { tcp: listeners, server: { shards: 2 } } });
    const addresses = server.log.map((line) => /listening plugin="tcp" address=(\S+)/.exec(line)?.[1]).filter(Boolean).sort();
    assert.equal(addresses.length, 2);
    return { server, addresses };
  }

  test('stay connected amid a message, and find their ports as before', async (t) => {
    const { server, addresses } = await serving(t);
    const devices = [];
    for (const [at, wire] of wires.entries()) devices.push(await Device.connect(t, addresses[at], wire));
    const ids = [];
    for (const device of devices) ids.push((await device.ask({ command: 'whoami' })).id);
    for (let round = 0; round < 2; round += 1) {
      const halves = devices.map((device) => {
        const bytes = device.wire.write(`round ${round}`);
        device.socket.write(bytes.subarray(0, 5));
        return bytes.subarray(5);
      });
      await server.upgrade();
      for (const [at, device] of devices.entries()) {
        device.socket.write(halves[at]);
        assert.equal(await device.inbox.take(), `round ${round}`);
        assert.equal((await device.ask({ command: 'whoami' })).id, ids[at]);
        await asked(await Device.connect(t, addresses[at], device.wire), 'later');
      }
    }
  });

  test('are never refused while they come', async (t) => {
    const { server, addresses } = await serving(t);
    let [opened, connects] = [0, true];
    const coming = (async () => {
      for (; connects; opened += 1) {
        const device = await Device.connect(t, addresses[0]);
        await asked(device, opened);
        device.socket.destroy();
      }
    })();
    // What fails it fails the test, where it is waited for.
    coming.catch(() => {});
    const goOn = async () => {
      const before = opened;
      await Promise.race([coming, until('further devices', () => opened > before + 20)]);
    };
    await goOn();
    await server.upgrade();
    await goOn();
    connects = false;
    await coming;
  });
});

describe('a session of SockJS', () => {
  const plugins = ['json', 'sockjs', 'conformance_app'];

  class Framed extends JsonClient {
    constructor(t, server, carrier) {
      super(t, new SockJS(server.at(''), null, { transports: carrier, timeout: PATIENCE }));
    }
  }

  class Raw extends JsonClient {
    constructor(t, server) {
      super(t, new WebSocket(`${server.at('/websocket').replace('http', 'ws')}`));
    }
  }

  test('stays where a WebSocket carries it, and is closed where requests do', async (t) => {
    const server = await Succession.startFor(t, { plugins });
    const staying = [await Framed.open(t, server, 'websocket'), await Raw.open(t, server)];
    const leaving = await Framed.open(t, server, 'xhr-polling');
    const ids = [];
    for (const client of staying) ids.push((await client.ask({ command: 'whoami' })).id);
    await asked(leaving, 'before');
    await server.upgrade();
    for (const [at, client] of staying.entries()) {
      await asked(client, 'after');
      assert.equal((await client.ask({ command: 'whoami' })).id, ids[at]);
    }
    // Its client opens another one.
    await leaving.closed;
    await asked(await Framed.open(t, server, 'xhr-polling'), 'again');
  });
});

/**
 * @file Clients that vanish: their end of the cable is gone, so that no word of their end comes, and nothing that is sent to them is
 * acknowledged. Of each transport.
 */

import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import readline from 'node:readline';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { Cable, impossible } from './namespaces.js';
import { implementation, startFor } from './server.js';
import { next, until } from './waiting.js';
import { connections, requests } from './ways.js';

const plugins = ['json', 'websocket', 'engine_io', 'sockjs', 'browserchannel', 'sse', 'long_polling', 'tcp', 'conformance_app'];

/** Longer than all that ends one of them. */
const PATIENCE = 60_000;

const why = implementation === 'switchboard' ? impossible() : 'Switchboard only';

test('clients that vanish are ended in time, and nothing is left of their connections', { skip: why || false }, async (t) => {
  const cable = Cable.lay(t);
  const server = await startFor(t, {
    plugins,
    pingInterval: 2_000,
    within: cable.atServer,
    tables: { server: { listen: `${cable.address}:0`, head_timeout: '2s' }, tcp: { listen: `${cable.address}:0` } },
  });
  const where = { host: server.host, port: server.port, tcp: await server.line(/listening plugin="tcp"/) };
  const [command, ...args] = [...cable.atClient, process.execPath, new URL('vanishing.js', import.meta.url).pathname, JSON.stringify(where)];
  const clients = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => clients.kill('SIGKILL'));
  await next(readline.createInterface({ input: clients.stdout }), 'line', PATIENCE);
  cable.cut();
  const all = Object.keys(connections).length + Object.keys(requests).length;
  const count = await sparks(server);
  // One that answers no ping may be gone by now.
  if (count > all) throw new Error(`${count} sparks of ${all} clients`);
  await until('the end of all sessions', async () => (await sparks(server)) === 0, PATIENCE);
  await until('the end of all connections', () => held(server) === 0, PATIENCE);
});

/** How many sparks there are. */
async function sparks(server) {
  const { stdout } = await promisify(execFile)(server.binary, ['sparks', '--json', '--config', server.config]);
  return JSON.parse(stdout).count;
}

/** How many connections the server's namespace has that a process holds: the kernel goes on closing others by itself. */
function held({ pid }) {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  const LISTENING = '0A';
  return lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] !== LISTENING && fields[9] !== '0').length;
}

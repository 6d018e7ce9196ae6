/**
 * @file The host is killed at moments that nobody chose, while plugins are replaced, while plugins.toml is written, and while
 * another process takes over: the next start finds nothing that it trips over, and nothing is left behind.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { build, library, startFor } from '../conformance/server.js';
import { next, until } from '../conformance/waiting.js';
import { Random } from './bench/random.js';
import { command } from './command.js';
import { answer, complaints, put } from './folder.js';
import { Succession, kill } from './successors.js';

/** The moment at which something is killed: after this many milliseconds. */
const passed = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The folders that a process has loaded its plugins from: its own copies of them. */
function copies(pid) {
  const paths = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/ (\/\S+)\/\S+-\d+\.so$/gm);
  return [...new Set([...paths].map(([, folder]) => folder))];
}

test('a server that is killed at any moment starts again, and clears away what the one before has left', async (t) => {
  const server = await startFor(t, { plugins: ['json', 'websocket', 'rooms', 'emitter', 'conformance_app'] });
  const random = new Random(11);
  const libraries = ['json', 'websocket', 'rooms', 'emitter', 'conformance_app'];
  const folders = new Set();
  for (let time = 1; time <= 12; time += 1) {
    for (const folder of copies(server.pid)) folders.add(folder);
    for (const name of libraries) {
      put(server, `lib${name}.so`, Buffer.concat([readFileSync(library(name)), Buffer.from(`${time}`)]));
    }
    // In the middle of loading, of switching, of retiring, or before anything was seen.
    await passed(random.between(0, 500));
    const mark = server.log.length;
    await server.restart('SIGKILL');
    assert.equal(await answer(server, 'still here'), 'still here');
    assert.deepEqual(complaints(server, mark), [], `after it was killed for the ${time}th time`);
  }
  const own = copies(server.pid);
  assert.ok(own.every((folder) => existsSync(folder)) && folders.size >= 12, 'each server has its own');
  const left = [...folders].filter((folder) => existsSync(folder) && !own.includes(folder));
  assert.deepEqual(left, [], 'nothing is left of those that were killed');
});

test('plugins.toml is whole wherever a command that writes it is killed, and what the command has left is cleared', async (t) => {
  const server = await startFor(t, { plugins: ['json', 'websocket', 'rooms', 'conformance_app'] });
  const random = new Random(12);
  // What a change takes on this machine, or the beginning of it.
  const began = performance.now();
  assert.equal((await command(server, 'disable', 'rooms')).code, 0);
  const longest = Math.min(Math.ceil(performance.now() - began), 500);
  const mark = server.log.length;
  for (let time = 0; time < 30; time += 1) {
    // The other way round than it is; a pin is written in the same way, but once only.
    const change = readFileSync(server.config, 'utf8').includes('enabled = false') ? 'enable' : 'disable';
    const child = spawn(join(build, 'switchboard'), [time === 9 ? 'pin' : change, 'rooms', '--config', server.config], { stdio: 'ignore' });
    const exited = next(child, 'exit');
    await passed(random.between(0, longest));
    child.kill('SIGKILL');
    await exited;
  }
  const faults = () => complaints(server, mark).filter((line) => line.includes('plugins.toml'));
  // It is read, changed and in force.
  for (const change of ['disable', 'enable']) {
    const { code, err } = await command(server, change, 'rooms');
    assert.equal(code, 0, err);
  }
  assert.deepEqual(faults(), [], 'the server has never seen half a file');
  assert.deepEqual(readdirSync(server.directory).filter((file) => file.endsWith('.new')), []);
});

test('either process of an upgrade may be killed at any moment of it', async (t) => {
  const server = await Succession.startFor(t, { rooms: true });
  const random = new Random(13);
  const began = performance.now();
  await server.upgrade();
  const longest = Math.ceil(performance.now() - began);
  for (let time = 1; time <= 8; time += 1) {
    await server.crash();
    const mark = server.log.length;
    await server.start();
    assert.equal(await answer(server, 'still here'), 'still here');
    assert.deepEqual(complaints(server, mark), [], `before it was killed for the ${time}th time`);
    process.kill(server.pid, 'SIGUSR2');
    await passed(random.between(0, longest));
    const killed = random.of(server.processes());
    kill(killed);
    // Whoever is left serves, or ends since the other's word does not come.
    const left = await until('the other one to serve or to end', async () => {
      const others = server.processes().filter((one) => one !== killed);
      if (others.length === 0) return 'nobody';
      const serves = await fetch(server.at('/spec')).then(({ ok }) => ok, () => false);
      return serves && others.length === 1 && 'one';
    });
    if (left === 'one') assert.equal(await answer(server, 'who is there'), 'who is there');
  }
});

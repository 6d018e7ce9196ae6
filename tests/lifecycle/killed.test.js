/**
 * @file The host is killed at moments that nobody chose, also while plugins are replaced: the next start finds nothing that it
 * trips over, and nothing is left behind.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { library, startFor } from '../conformance/server.js';
import { Random } from './bench/random.js';
import { answer, complaints, put } from './folder.js';

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
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 500)));
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

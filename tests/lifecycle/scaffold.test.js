/**
 * @file `switchboard new`: what it makes builds, passes its own test, and works when its library is dropped in.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

import { build, repository } from '../conformance/server.js';
import { serving, answers } from './folder.js';

/** Long enough to compile what the plugin is made of. */
const COMPILING = 600_000;

function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: COMPILING, maxBuffer: 1 << 26, ...options }, (error, out, err) => {
      if (error) reject(new Error(`${command} ${args.join(' ')} failed:\n${out}${err}`));
      else resolve(out);
    });
  });
}

test('a plugin that was just made builds, passes its test, and is live when it is dropped in', { timeout: COMPILING }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-new-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await run(join(build, 'switchboard'), ['new', 'chat-bot', '--within', folder, '--api', join(repository, 'plugin-api')]);
  const crate = join(folder, 'chat-bot');
  // The versions that the repository is built with: they are here, and no network is needed.
  copyFileSync(join(repository, 'Cargo.lock'), join(crate, 'Cargo.lock'));
  const target = join(dirname(build), 'scaffold');
  const cargo = (...args) => run(process.env.CARGO ?? 'cargo', [...args, '--offline'], { cwd: crate, env: { ...process.env, CARGO_TARGET_DIR: target } });
  assert.match(await cargo('test'), /test result: ok\. [1-9]/);
  await cargo('build');

  const { server, steady } = await serving(t, { plugins: ['json', 'websocket', 'conformance_app'] });
  copyFileSync(join(target, 'debug', 'libchat_bot.so'), join(server.plugins, 'libchat_bot.so'));
  await server.line(/chat-bot/);
  await answers(server, 'hi', 'Hi there!');
  await steady.goesOn();
});

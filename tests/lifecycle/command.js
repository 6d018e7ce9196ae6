/**
 * @file Runs commands of `switchboard` beside a server, as an operator does.
 */

import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import readline from 'node:readline';

import { build } from '../conformance/server.js';
import { DEADLINE, Inbox } from '../conformance/waiting.js';

/**
 * Runs a command to its end.
 *
 * @param {import('../conformance/server.js').Server} server Whose configuration it is given.
 * @param {...string} args
 * @returns {Promise<{ code: number, out: string, err: string }>}
 */
export function command(server, ...args) {
  return new Promise((resolve) => {
    const options = { cwd: server.directory, timeout: DEADLINE, killSignal: 'SIGKILL' };
    execFile(join(build, 'switchboard'), [...args, '--config', server.config], options, (error, out, err) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, out, err });
    });
  });
}

/** The list of plugins that the server gives, by name. */
export async function plugins(server) {
  const { out, err } = await command(server, 'plugins', '--json');
  if (!out) throw new Error(err);
  return Object.fromEntries(JSON.parse(out).map((plugin) => [plugin.name, plugin]));
}

/** Runs a command that goes on until the test `t` ends. Its lines are what is returned. */
export function follow(t, server, ...args) {
  const child = spawn(join(build, 'switchboard'), [...args, '--config', server.config], { cwd: server.directory, stdio: ['ignore', 'pipe', 'ignore'] });
  const lines = new Inbox();
  readline.createInterface({ input: child.stdout }).on('line', (line) => lines.put(line));
  t.after(() => child.kill('SIGKILL'));
  return lines;
}

/**
 * @file Lets a new process take over from a server under test (SIGUSR2), and keeps account of who serves.
 */

import { copyFileSync, readFileSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { Server, build, defaults } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';

/** What another process may need to start, with plugins, on a busy machine, in milliseconds. */
const PATIENCE = 60_000;

/** A server whose binary lies in its own folder, so that it can be replaced. */
export class Succession extends Server {
  /** Who serves now. */
  current = 0;

  /** All processes that have ever been seen. @type {Set<number>} */
  #known = new Set();

  /** Starts one that ends with the test `t`, whoever serves then. */
  static async startFor(t, settings = {}) {
    const server = new Succession({ ...defaults, ...settings });
    t.after(() => server.remove());
    server.install(join(build, 'switchboard'));
    await server.start();
    server.current = server.pid;
    return server;
  }

  get binary() {
    return join(this.directory, 'switchboard');
  }

  /** Puts a binary or script in the place of the one that runs. */
  install(file) {
    copyFileSync(file, `${this.binary}.new`);
    renameSync(`${this.binary}.new`, this.binary);
  }

  /** Asks for an upgrade, and resolves with the line that says what has become of it. */
  async ask() {
    const mark = this.log.length;
    process.kill(this.current, 'SIGUSR2');
    const line = await until(
      'an upgrade to succeed or fail',
      () => this.lines(/another process has taken over|no upgrade, this process goes on/, mark)[0],
      PATIENCE,
    );
    return line;
  }

  /** Upgrades; resolves once the new process serves and the old one has ended. */
  async upgrade() {
    const line = await this.ask();
    const process = Number(/process=(\d+)/.exec(line)?.[1]);
    if (!process) throw new Error(`no upgrade: ${line}`);
    await this.followed(process);
    return line;
  }

  /** Another process serves now; resolves when the former one has ended. */
  async followed(process) {
    const former = this.current;
    this.current = process;
    await until('the former process to end', () => !isAlive(former), PATIENCE);
  }

  /** All processes that serve its configuration, whatever binary they run. */
  processes() {
    const runs = (id) => {
      try {
        const [program, command, ...args] = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
        return program.endsWith('/switchboard') && command === 'serve' && args.includes(this.config);
      } catch {
        // It has just ended.
        return false;
      }
    };
    const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter(runs);
    for (const id of found) this.#known.add(id);
    return found;
  }

  /** Ends all of them as a crash would. */
  async crash() {
    await this.#killAll();
    // One that was killed has its sockets a moment longer than its name.
    await until('all processes to be gone', () => ![...this.#known].some(isAlive));
  }

  async #killAll() {
    await this.end('SIGKILL');
    await until('all processes to end', () => {
      const left = this.processes();
      left.forEach(kill);
      return left.length === 0;
    });
  }

  async remove() {
    await this.#killAll();
    await super.remove();
  }
}

/** Kills a process, if it has not just ended by itself. */
export function kill(id) {
  if (isAlive(id)) process.kill(id, 'SIGKILL');
}

/** Whether a process is there. */
export function isAlive(process_) {
  try {
    process.kill(process_, 0);
    return true;
  } catch {
    return false;
  }
}

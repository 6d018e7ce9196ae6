/**
 * @file Lets a new process take over from a server under test (SIGUSR2), and keeps account of who serves.
 */

import { copyFileSync, readdirSync, readlinkSync, renameSync } from 'node:fs';
import { join } from 'node:path';

import { Server, build, defaults } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';

/** What another process may need to start, with plugins, on a busy machine, in milliseconds. */
const PATIENCE = 60_000;

/** A server whose binary lies in its own folder, so that it can be replaced. */
export class Succession extends Server {
  /** Who serves now. */
  current = 0;

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

  /** All processes that run its binary. */
  processes() {
    const runs = (id) => {
      try {
        return readlinkSync(`/proc/${id}/exe`).startsWith(this.binary);
      } catch {
        // It has just ended.
        return false;
      }
    };
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter(runs);
  }

  /** Ends all of them as a crash would. */
  async crash() {
    await this.end('SIGKILL');
    await until('all processes to end', () => {
      const left = this.processes();
      left.forEach(kill);
      return left.length === 0;
    });
  }

  async remove() {
    await this.crash();
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

/**
 * @file Starts the server under test as a process of its own, and ends it.
 *
 * Two implementations stand behind one interface: `switchboard` (ours, from the release build) and `reference` (npm
 * Primus). `IMPLEMENTATION=reference` in the environment chooses the latter, to validate the tests themselves.
 */

import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { configuration } from './configuration.js';
import { DEADLINE, until, within } from './waiting.js';

const here = dirname(fileURLToPath(import.meta.url));
export const repository = resolve(here, '../..');

/** @type {'switchboard' | 'reference'} */
export const implementation = process.env.IMPLEMENTATION === 'reference' ? 'reference' : 'switchboard';

/** The options of a test for which Primus is not the measure: what we do better on purpose, or have beyond it. */
export const ours = implementation === 'switchboard' ? {} : { skip: 'Switchboard only' };

/** Where `cargo build --release` put the binary and the libraries of the plugins. */
export const build = resolve(process.env.CARGO_TARGET_DIR ?? join(repository, 'target'), 'release');

/**
 * What a test may ask of the server; the same for both implementations.
 *
 * @typedef {object} Settings
 * @property {number} port 0: a free one.
 * @property {string} transformer Which of Primus's servers the reference runs; ours serves them all alike.
 * @property {string} [parser] The parser of clients that ask for none; absent: json.
 * @property {string} pathname
 * @property {number} pingInterval Milliseconds; 0 is off.
 * @property {number} maxLength Bytes of one message.
 * @property {boolean} compression permessage-deflate.
 * @property {string[]} [origins] Origins that are let in; absent: any.
 * @property {boolean} emitter Named events: primus-emitter, or our plugin `emitter`.
 * @property {boolean} rooms Rooms: primus-rooms, or our plugin `rooms`.
 * @property {Record<string, string>} [users] Names and passwords for HTTP Basic; absent: everyone is let in.
 * @property {string} [static] A folder of files to serve.
 * @property {(string | [string, string])[]} plugins The libraries to drop in (ours only): `name` of `libname.so`, and its file's
 *   name among the plugins where that is another.
 * @property {Record<string, Record<string, unknown>>} [tables] More keys for tables of plugins.toml (ours only).
 * @property {string[]} [within] A command that the server is run by, with its arguments.
 */

/** @type {Settings} */
export const defaults = {
  port: 0,
  transformer: 'websockets',
  pathname: '/primus',
  pingInterval: 30_000,
  maxLength: 10_485_760,
  compression: false,
  emitter: false,
  rooms: false,
  plugins: ['json', 'websocket', 'conformance_app'],
};

/** Starts a server and resolves when it is ready. */
export async function start(settings = {}) {
  const server = new Server({ ...defaults, ...settings });
  await server.start();
  return server;
}

/** Starts a server that ends with the test `t`; its log is shown if the test fails. */
export async function startFor(t, settings = {}) {
  const server = new Server({ ...defaults, ...settings });
  t.after(() => server.remove());
  await server.start();
  return server;
}

/** The path of a library in the build, by the name of the plugin. */
export function library(plugin) {
  return join(build, `lib${plugin}.so`);
}

export class Server {
  /** Lines that the process printed, both streams, of all its lives. @type {string[]} */
  log = [];
  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  url = '';
  #process = null;
  #exited = null;
  #port;

  /** @param {Settings} settings */
  constructor(settings) {
    this.settings = settings;
    this.#port = settings.port;
    this.directory = mkdtempSync(join(tmpdir(), 'switchboard-'));
    this.plugins = join(this.directory, 'plugins');
    this.config = join(this.directory, 'plugins.toml');
    mkdirSync(this.plugins, { mode: 0o755 });
    if (implementation === 'switchboard') {
      const dropped = [...settings.plugins];
      if (settings.emitter) dropped.push('emitter');
      if (settings.rooms) dropped.push('rooms');
      if (settings.users) dropped.push('auth_basic');
      for (const each of dropped) {
        const [name, file] = Array.isArray(each) ? each : [each, `lib${each}.so`];
        copyFileSync(library(name), join(this.plugins, file));
      }
    }
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  get host() {
    return new URL(this.url).hostname;
  }

  get pid() {
    return this.#process?.pid;
  }

  get running() {
    return this.#process !== null;
  }

  /** What is run. */
  get binary() {
    return join(build, 'switchboard');
  }

  /** The URL under the pathname, e.g. `at('/spec')`. */
  at(path) {
    return this.url + this.settings.pathname + path;
  }

  /** Starts the process and waits for the line in which it says that it is ready. */
  async start() {
    const [command, ...args] = [...(this.settings.within ?? []), ...this.#command()];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.directory });
    this.#process = child;
    // A test that is cut off must not leave its server behind.
    const abandon = () => child.kill('SIGKILL');
    process.once('exit', abandon);
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        process.off('exit', abandon);
        this.#process = null;
        resolve({ code, signal });
      });
    });

    const ready = within(DEADLINE, 'the server to be ready', (resolve, reject) => {
      const read = (line) => {
        this.log.push(line);
        const found = /is ready at (http:\S+?)\/?$/.exec(line);
        if (found) resolve(found[1]);
      };
      readline.createInterface({ input: child.stdout }).on('line', read);
      readline.createInterface({ input: child.stderr }).on('line', read);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server exited with ${code} before it was ready`)));
    });
    try {
      this.url = await ready;
    } catch (error) {
      error.message += `; its log:\n${this.log.join('\n')}`;
      await this.end('SIGKILL');
      throw error;
    }
  }

  /** Ends the process (SIGTERM asks it, SIGKILL does not) and resolves with how it exited. */
  async end(signal = 'SIGTERM') {
    const exited = this.#exited;
    const child = this.#process;
    if (!child) return exited;
    child.kill(signal);
    const asked = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
    const result = await exited;
    clearTimeout(asked);
    return result;
  }

  /** The text of a plugins.toml for the running server, with other tables than it was started with. */
  configuration(tables) {
    return configuration({ ...this.settings, port: this.#port, tables }, this.plugins);
  }

  /** Ends the process as a crash would and starts it again on the same port. */
  async restart(signal = 'SIGKILL') {
    await this.end(signal);
    await this.start();
  }

  /** Ends the process and removes its folder. */
  async remove() {
    await this.end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** The lines logged since `mark` (a length of `log`) that match. */
  lines(pattern, mark = 0) {
    return this.log.slice(mark).filter((line) => pattern.test(line));
  }

  /** Resolves with the first line that matches, now or when it comes. */
  line(pattern, mark = 0) {
    return until(`a line of log like ${pattern}`, () => this.lines(pattern, mark)[0]);
  }

  #command() {
    // What was started once is found at the same port again.
    if (this.url) this.#port = this.port;
    if (implementation === 'reference') {
      return [process.execPath, join(here, 'reference.js'), JSON.stringify({ ...this.settings, port: this.#port })];
    }
    writeFileSync(this.config, this.configuration(this.settings.tables));
    return [this.binary, 'serve', '--config', this.config];
  }
}

/**
 * @file The driver: it replaces, disables, enables, corrupts, panics and reverts plugins at random, one thing after another, and
 * keeps a list of when what was promised to be away.
 */

import { renameSync, writeFileSync } from 'node:fs';

import WebSocket from 'ws';

import { until, within } from '../../conformance/waiting.js';
import { now } from './client.js';
import { Folder, plugins, ways } from './plugins.js';

/** Milliseconds in which the server has to do what a change asks for, however busy the machine is. */
const DEADLINE = 30_000;

/** How often each kind of change comes. */
const weights = { replace: 12, 'replace some': 3, burst: 2, revert: 2, corrupt: 3, disable: 3, panic: 1, reconfigure: 1 };

/** What doesn't serve for a moment in a bench without harm to the account: the clerk answers what nobody else does. */
const dispensable = plugins.filter(({ name }) => !['clerk'].includes(name));

export class Driver {
  /** Plugins replaced by a newer generation. */
  reloads = 0;
  /** How many of each kind. @type {Record<string, number>} */
  done = {};
  /** When plugins were away, as was promised. @type {{ plugin: string, from: number, to: number }[]} */
  away = [];
  /** When new generations came. @type {{ plugin: string, from: number, to: number }[]} */
  switches = [];
  /** When the file of a new ledger was there. @type {number[]} */
  ledgers = [];
  #tables = {};

  /**
   * @param {import('../../conformance/server.js').Server} server
   * @param {import('./random.js').Random} random
   * @param {(line: string) => void} progress
   */
  constructor(server, random, progress) {
    this.server = server;
    this.random = random;
    this.progress = progress;
    this.folder = new Folder(server.plugins);
  }

  /** Does one thing, and waits until the server has done it too. */
  async step() {
    const kind = this.random.weighted(weights);
    const what = await this.#kinds[kind]();
    this.done[kind] = (this.done[kind] ?? 0) + 1;
    this.progress(`${kind}: ${what}`);
    await pause(this.random.between(0, 150));
  }

  #kinds = {
    replace: async () => {
      const plugin = this.random.of(plugins);
      const way = this.random.of(ways);
      await this.#replace([plugin], way);
      return `${plugin.name}, ${way}`;
    },

    'replace some': async () => {
      const some = plugins.filter(() => this.random.next() < 0.4);
      if (some.length === 0) some.push(plugins[0]);
      const way = this.random.of(ways);
      await this.#replace(some, way);
      return `${names(some)}, ${way}`;
    },

    /** A newer library comes, and the one before it once more. */
    revert: async () => {
      const plugin = this.random.of(plugins);
      const former = this.folder.edition(plugin);
      for (const bytes of [former, this.folder.edition(plugin), former]) {
        await this.#replace([plugin], this.random.of(ways), () => bytes);
      }
      return plugin.name;
    },

    /** A file is written again before the one before it was looked at, perhaps. */
    burst: async () => {
      const plugin = this.random.of(plugins);
      for (let times = this.random.between(2, 5); times > 1; times -= 1) {
        this.folder.put(plugin, this.folder.edition(plugin), this.random.of(ways));
        await pause(this.random.between(0, 60));
      }
      await this.#replace([plugin], 'rename over');
      return plugin.name;
    },

    /** A file that is no plugin comes, then a good one. */
    corrupt: async () => {
      const plugin = this.random.of(plugins);
      const good = this.folder.edition(plugin);
      const [what, bytes] = this.random.of([
        ['half of it', good.subarray(0, good.length / 2)],
        ['garbage', Buffer.from('garbage '.repeat(1_000))],
        ['nothing', Buffer.alloc(0)],
        ['its head only', good.subarray(0, 64)],
      ]);
      const mark = this.server.log.length;
      this.folder.put(plugin, bytes, this.random.of(ways));
      await this.#line(new RegExp(`ERROR.*${plugin.file}`), mark);
      await this.#replace([plugin], this.random.of(ways));
      return `${plugin.name}, ${what}`;
    },

    disable: async () => {
      const plugin = this.random.of(dispensable);
      const mark = this.server.log.length;
      const from = now();
      this.#configure({ ...this.#tables, [plugin.name]: { ...this.#tables[plugin.name], enabled: false } });
      await this.#line(logged(plugin, 'goes away'), mark);
      await pause(this.random.between(0, 400));
      const { enabled: _, ...rest } = this.#tables[plugin.name];
      this.#configure({ ...this.#tables, [plugin.name]: rest });
      await this.#line(logged(plugin, 'is live'), mark);
      await this.#isInForce();
      this.away.push({ plugin: plugin.name, from, to: now() });
      return plugin.name;
    },

    /** The ledger panics for a connection that asks for it; then a newer one comes. */
    panic: async () => {
      const ledger = plugins.find(({ name }) => name === 'ledger');
      const from = now();
      const code = await this.#panic();
      if (code !== 1011) throw new Error(`a connection whose hook panicked was closed with ${code}, not with 1011`);
      await pause(this.random.between(0, 300));
      await this.#replace([ledger], this.random.of(ways));
      this.away.push({ plugin: 'ledger', from, to: now() });
      return ledger.name;
    },

    /** An even edition is taken as it runs, an odd one by another generation. */
    reconfigure: async () => {
      const ledger = plugins.find(({ name }) => name === 'ledger');
      const edition = (this.#tables.ledger?.edition ?? 0) + 1;
      const mark = this.server.log.length;
      const from = now();
      this.#configure({ ...this.#tables, ledger: { ...this.#tables.ledger, edition } });
      if (edition % 2 === 0) {
        await this.#line(logged(ledger, 'has taken its new configuration'), mark);
      } else {
        await this.#line(logged(ledger, 'is replaced'), mark);
        this.reloads += 1;
        this.switches.push({ plugin: 'ledger', from, to: now() });
      }
      return `ledger, edition ${edition}`;
    },
  };

  /** Puts newer libraries in the place of some, all at once, and waits until they serve. */
  async #replace(some, way, library = (plugin) => this.folder.edition(plugin)) {
    const mark = this.server.log.length;
    const put = some.map((plugin) => [plugin, library(plugin)]).map(([plugin, bytes]) => {
      const from = this.folder.put(plugin, bytes, way);
      if (plugin.name === 'ledger') this.ledgers.push(from);
      return { plugin, from };
    });
    for (const { plugin, from } of put) {
      await this.#line(logged(plugin, 'is replaced'), mark);
      this.reloads += 1;
      this.switches.push({ plugin: plugin.name, from, to: now() });
    }
    await this.#isInForce();
  }

  /** A request that is answered after a change went through all shards; so does what clients are answered from then on. */
  async #isInForce() {
    for (let shards = 0; shards < 4; shards += 1) await (await fetch(this.server.at('/spec'))).text();
  }

  #line(pattern, mark) {
    return until(`a line of log like ${pattern}`, () => this.server.lines(pattern, mark)[0], DEADLINE);
  }

  #configure(tables) {
    this.#tables = tables;
    const aside = `${this.server.config}.new`;
    const { server } = this.server.settings.tables;
    writeFileSync(aside, this.server.configuration({ server, ...tables }));
    renameSync(aside, this.server.config);
  }

  /** The code that a connection is closed with which makes the ledger panic. */
  #panic() {
    return within(DEADLINE, 'a connection to be closed after a panic', (resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${this.server.port}/primus`);
      socket.on('open', () => socket.send('["panic"]'));
      socket.on('close', resolve);
      socket.on('error', reject);
    });
  }
}

function logged({ name }, what) {
  return new RegExp(`${what}.*plugin="?${name}"?( |$)|plugin="?${name}"? .*${what}`);
}

function names(some) {
  return some.map(({ name }) => name).join(' + ');
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

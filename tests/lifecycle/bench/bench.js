/**
 * @file The lifecycle bench: clients count through transports, parsers, rooms, named events and an application, while a driver
 * changes the plugins beneath them.
 *
 * `node bench.js [--seed N] [--seconds N] [--reloads N]` runs it, shows how it goes and prints a report; it fails if a message or
 * a connection was lost. The same seed brings the same changes in the same order.
 */

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { start } from '../../conformance/server.js';
import { until } from '../../conformance/waiting.js';
import { Driver } from './driver.js';
import { plugins } from './plugins.js';
import { Random } from './random.js';
import { isFaultless, report, text } from './report.js';

const WORKERS = 2;
const here = fileURLToPath(new URL('.', import.meta.url));

/** Milliseconds that workers may take for what they are told. */
const DEADLINE = 60_000;

/**
 * Runs it until both the time and the number of reloads are over.
 *
 * @param {{ seed: number, seconds: number, reloads?: number, progress?: (line: string) => void }} how
 */
export async function run({ seed, seconds, reloads = 0, progress = () => {} }) {
  const server = await start({
    plugins: plugins.map(({ built, file }) => [built, file]),
    tables: { server: { shards: 2 } },
  });
  const workers = Array.from({ length: WORKERS }, (_, share) => new Worker({ port: server.port, share, of: WORKERS, seed }));
  try {
    await Promise.all(workers.map((worker) => worker.ready()));
    const driver = new Driver(server, new Random(seed), progress);
    const began = performance.now();
    const elapsed = () => (performance.now() - began) / 1_000;
    while (elapsed() < seconds || driver.reloads < reloads) {
      await driver.step();
      if (!server.running) throw new Error('the server has ended');
    }
    const took = elapsed();
    await Promise.all(workers.map((worker) => worker.stop()));
    const generations = new Map();
    for (const [generation, at] of workers.flatMap((worker) => worker.generations)) {
      generations.set(generation, Math.min(at, generations.get(generation) ?? Infinity));
    }
    const records = workers.flatMap((worker) => worker.records);
    return report({ driver, records, generations, seed, seconds: took });
  } catch (error) {
    error.message += `; the end of its log:\n${server.log.slice(-40).join('\n')}`;
    throw error;
  } finally {
    for (const worker of workers) worker.end();
    await server.remove();
  }
}

/** A process of clients. */
class Worker {
  generations = [];
  records = undefined;
  #isReady = false;
  #exit;

  constructor(how) {
    this.child = fork(join(here, 'worker.js'));
    this.child.on('message', (told) => {
      if (told.ready) this.#isReady = true;
      if (told.generations) this.generations = told.generations;
      if (told.records) this.records = told.records;
    });
    this.child.on('exit', (code, signal) => (this.#exit = `a worker ended with ${code ?? signal}`));
    this.child.send(how);
  }

  ready() {
    return until('the clients to be open', () => this.#looked(this.#isReady), DEADLINE);
  }

  stop() {
    this.child.send({ stop: true });
    return until('the clients to end', () => this.#looked(this.records), DEADLINE);
  }

  end() {
    this.child.kill('SIGKILL');
  }

  #looked(result) {
    if (!result && this.#exit) throw new Error(this.#exit);
    return result;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const number = { type: 'string' };
  const { values } = parseArgs({ options: { seed: number, seconds: number, reloads: number } });
  const seed = Number(values.seed ?? Date.now() % 1_000_000);
  const seconds = Number(values.seconds ?? (values.reloads ? 0 : 60));
  console.log(`seed ${seed}`);
  const began = performance.now();
  const progress = (line) => console.log(`${((performance.now() - began) / 1_000).toFixed(1).padStart(7)} s  ${line}`);
  const result = await run({ seed, seconds, reloads: Number(values.reloads ?? 0), progress });
  console.log(`\n${text(result)}`);
  process.exit(isFaultless(result) ? 0 : 1);
}

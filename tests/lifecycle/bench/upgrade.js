/**
 * @file What an upgrade costs: idle connections are there, active ones never stop asking, and a new process takes over.
 *
 * `node upgrade.js [--rounds N] [--idle N] [--active N]` prints for each round how long the shards stood still, as the server
 * logs it, and the longest time that an active connection waited for an answer; it fails if a connection or a message was lost.
 */

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import WebSocket from 'ws';

import { until } from '../../conformance/waiting.js';
import { Succession } from '../successors.js';

/** Connections that are opened at a time. */
const AT_ONCE = 100;

/** What a busy machine may need, in milliseconds. */
const PATIENCE = 120_000;

/** A connection that asks for the next number as soon as the last one has come back. */
class Active {
  answered = 0;
  longest = 0;
  fault;

  constructor(socket) {
    this.socket = socket;
    this.since = performance.now();
    socket.on('message', (data) => {
      const now = performance.now();
      this.longest = Math.max(this.longest, now - this.since);
      this.since = now;
      if (data.toString() !== String(this.answered)) this.fault ??= `${data} came for ${this.answered}`;
      this.answered += 1;
      socket.send(String(this.answered));
    });
    socket.on('close', (code) => (this.fault ??= `closed with ${code}`));
    socket.send('0');
  }
}

/** So many open connections. */
async function connections(server, count) {
  const all = [];
  while (all.length < count) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - all.length) }, () => {
      return new WebSocket(server.at('').replace('http', 'ws'), { perMessageDeflate: false });
    });
    await Promise.all(batch.map((socket) => once(socket, 'open')));
    all.push(...batch);
  }
  return all;
}

/**
 * Runs it.
 *
 * @param {{ rounds: number, idle: number, active: number, progress?: (line: string) => void }} how
 */
export async function run({ rounds, idle, active, progress = () => {} }) {
  const cleanUp = [];
  const server = await Succession.startFor({ after: (end) => cleanUp.push(end) }, { pingInterval: 0 });
  try {
    const silent = await connections(server, idle);
    const asking = (await connections(server, active)).map((socket) => new Active(socket));
    const goOn = async () => {
      const marks = asking.map((one) => one.answered + 20);
      await until('answers to all', () => asking.every((one, at) => one.fault || one.answered >= marks[at]), PATIENCE);
      const fault = asking.find((one) => one.fault)?.fault;
      if (fault) throw new Error(fault);
    };
    const results = [];
    for (let round = 0; round < rounds; round += 1) {
      await goOn();
      for (const one of asking) one.longest = 0;
      const line = await server.upgrade();
      await goOn();
      const closed = silent.filter((socket) => socket.readyState !== WebSocket.OPEN).length;
      if (closed > 0) throw new Error(`${closed} idle connections were closed`);
      const waited = Math.max(...asking.map((one) => one.longest));
      results.push({ pause: /pause=(\S+)/.exec(line)[1], waited });
      progress(`pause ${results.at(-1).pause}, longest answer ${waited.toFixed(1)} ms`);
    }
    // A connection that is open for its client only would not answer.
    await Promise.all(silent.map((socket) => (socket.ping(), once(socket, 'pong'))));
    for (const socket of [...silent, ...asking.map((one) => one.socket)]) socket.terminate();
    return results;
  } finally {
    for (const end of cleanUp) await end();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      idle: { type: 'string', default: '5000' },
      active: { type: 'string', default: '100' },
    },
  });
  const [rounds, idle, active] = [values.rounds, values.idle, values.active].map(Number);
  console.log(`${idle} idle and ${active} active connections`);
  await run({ rounds, idle, active, progress: console.log });
}

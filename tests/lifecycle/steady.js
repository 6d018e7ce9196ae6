/**
 * @file A connection that never stops: it sends the next number as soon as the last one has come back.
 *
 * Whatever happens to the plugins meanwhile, no number may be lost, repeated, or out of order, and it must not close.
 */

import assert from 'node:assert/strict';

import WebSocket from 'ws';

import { next, until } from '../conformance/waiting.js';

export class Steady {
  /** How many echoes have come. */
  beats = 0;
  /** What went wrong first. @type {string | undefined} */
  fault;

  /** Starts one. */
  static async start(server) {
    const steady = new Steady(new WebSocket(`ws://127.0.0.1:${server.port}${server.settings.pathname}`));
    await next(steady.socket, 'open');
    steady.socket.send('0');
    return steady;
  }

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    this.leaving = false;
    socket.on('message', (data) => {
      if (data.toString() !== String(this.beats)) this.fault ??= `got ${data} for ${this.beats}`;
      this.beats += 1;
      socket.send(String(this.beats));
    });
    socket.on('close', (code) => {
      if (!this.leaving) this.fault ??= `closed with ${code} after ${this.beats} echoes`;
    });
  }

  /** Resolves when it has gone on for a while from now, and fails if it was broken. */
  async goesOn() {
    const since = this.beats;
    await until('the open connection to go on', () => this.fault !== undefined || this.beats >= since + 100);
    this.assertUnbroken();
  }

  /** From now on it may be closed. */
  leave() {
    this.leaving = true;
  }

  assertUnbroken() {
    assert.equal(this.fault, undefined);
  }
}

/**
 * @file One connection that plain requests come on, written by hand: no client's pool of connections decides what is asked where.
 */

import assert from 'node:assert/strict';
import net from 'node:net';

import { next, until } from '../conformance/waiting.js';

/** A request that no transport answers. */
export const REQUEST = 'GET /primus/nothing HTTP/1.1\r\nHost: test\r\n\r\n';

/** The head of an answer; one without a length has no body. */
const HEAD = /^HTTP\/1\.1 [^]*?\r\n\r\n/;
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** Whether the connection ends with this answer. */
export const isLast = (answer) => /\r\nconnection: close\r\n/i.test(answer);

export class Asker {
  #text = '';
  closed = false;

  /** A connection that ends with the test `t`. */
  static async connect(t, server) {
    const socket = net.connect(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    await next(socket, 'connect');
    return new Asker(socket);
  }

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (data) => (this.#text += data.toString()));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  /** Sends a `POST` without waiting for its answer. */
  post(path, body = '') {
    this.socket.write(`POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  /** Resolves with the whole answer to what was sent; fails if the connection ends before. */
  async answer() {
    await until('an answer', () => {
      const head = HEAD.exec(this.#text)?.[0];
      if (head && this.#text.length >= head.length + Number(LENGTH.exec(head)?.[1] ?? 0)) return true;
      assert.ok(!this.closed, `closed without an answer, after ${JSON.stringify(this.#text)}`);
      return false;
    });
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** One request; resolves with its answer. */
  ask(request = REQUEST) {
    this.socket.write(request);
    return this.answer();
  }

  /** One request; whether the connection goes on. */
  async goesOn() {
    return !isLast(await this.ask());
  }
}

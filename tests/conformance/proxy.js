/**
 * @file What may stand between a client and a server, and does its worst.
 *
 * Knows HTTP. Knows nothing of what is carried by it.
 */

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

/** A proxy in front of a server; what it does to what passes may be changed at any time. */
export class Proxy {
  /** Whether connections may be upgraded; else they are cut, or answered with a status. @type {boolean | 403} */
  upgrades = true;
  /** Whether a response is held back until it has ended. */
  buffers = false;
  /** Requests with this method are passed on, but their answers are lost, in so many of a hundred cases. */
  losesAnswers = { method: '', percent: 0 };
  /** Responses are cut after so many bytes. */
  breaksAfter = Infinity;
  /** How often it did harm. */
  harm = { upgrades: 0, buffered: 0, answers: 0, broken: 0 };
  /** What was asked, as `METHOD path`. @type {string[]} */
  asked = [];
  #target;
  #server;
  #agent = new http.Agent({ keepAlive: true });
  #sockets = new Set();
  #random;

  constructor(target, seed) {
    this.#target = new URL(target);
    this.#random = randomOf(seed);
    this.#server = http.createServer((request, response) => this.#pass(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
  }

  /** One that ends with the test `t`. */
  static async before(t, server, seed = 1) {
    const proxy = new Proxy(server.url, seed);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    t.after(() => proxy.#end());
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /** Cuts everything that is open. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  #end() {
    this.cut();
    this.#agent.destroy();
    this.#server.close();
  }

  #options({ method, url, headers }) {
    return { host: this.#target.hostname, port: this.#target.port, method, path: url, headers };
  }

  #pass(request, response) {
    this.asked.push(`${request.method} ${request.url}`);
    const onward = http.request({ ...this.#options(request), agent: this.#agent });
    request.pipe(onward);
    // Who leaves is gone for the server, too. One that is done may have given its connection to another one.
    let done = false;
    response.on('close', () => done || onward.destroy());
    onward.on('error', () => request.socket.destroy());
    onward.on('response', (answer) => {
      answer.on('error', () => request.socket.destroy());
      const { method, percent } = this.losesAnswers;
      if (request.method === method && this.#random() * 100 < percent) {
        this.harm.answers += 1;
        answer.resume();
        request.socket.destroy();
        return;
      }
      let passed = 0;
      const luck = 0.5 + this.#random();
      const held = [];
      const buffers = this.buffers;
      if (!buffers) {
        response.writeHead(answer.statusCode, answer.headers);
        response.flushHeaders();
      }
      answer.on('data', (chunk) => {
        if (buffers) {
          this.harm.buffered += 1;
          held.push(chunk);
          return;
        }
        passed += chunk.length;
        const limit = this.breaksAfter * luck;
        if (passed <= limit) {
          response.write(chunk);
          return;
        }
        this.harm.broken += 1;
        response.write(chunk.subarray(0, Math.max(0, chunk.length - (passed - limit))), () => request.socket.destroy());
      });
      answer.on('end', () => {
        done = true;
        if (buffers) {
          response.writeHead(answer.statusCode, answer.headers);
          response.write(Buffer.concat(held));
        }
        response.end();
      });
    });
  }

  #upgrade(request, socket, head) {
    this.asked.push(`UPGRADE ${request.url}`);
    if (this.upgrades !== true) {
      this.harm.upgrades += 1;
      if (this.upgrades === 403) socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      else socket.destroy();
      return;
    }
    const onward = net.connect(Number(this.#target.port), this.#target.hostname, () => {
      const fields = [];
      for (let at = 0; at < request.rawHeaders.length; at += 2) fields.push(`${request.rawHeaders[at]}: ${request.rawHeaders[at + 1]}\r\n`);
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${fields.join('')}\r\n`);
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    onward.on('error', () => socket.destroy());
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  }
}

/** Random numbers that are the same each time (mulberry32). */
export function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

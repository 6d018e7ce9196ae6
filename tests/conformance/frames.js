/**
 * @file A WebSocket peer that sends exactly the bytes it is told to (RFC 6455, section 5), right or wrong.
 *
 * For what npm `ws` is too polite to send. Knows frames and the handshake; knows nothing of Primus.
 */

import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';

import { Inbox, next } from './waiting.js';

export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/**
 * One frame as bytes. `open` leaves the message unfinished; `length` lies about the payload's length.
 *
 * @param {number} opcode
 * @param {string | Uint8Array} payload
 * @param {{ open?: boolean, unmasked?: boolean, reserved?: number, length?: number }} [oddities]
 */
export function frame(opcode, payload = '', { open = false, unmasked = false, reserved = 0, length } = {}) {
  const body = Buffer.from(payload);
  const claimed = length ?? body.length;
  const head = [(open ? 0 : 0x80) | (reserved << 4) | opcode];
  const masked = unmasked ? 0 : 0x80;
  let extended = Buffer.alloc(0);
  if (claimed < 126) {
    head.push(masked | claimed);
  } else if (claimed < 0x1_0000) {
    head.push(masked | 126);
    extended = Buffer.alloc(2);
    extended.writeUInt16BE(claimed);
  } else {
    head.push(masked | 127);
    extended = Buffer.alloc(8);
    extended.writeBigUInt64BE(BigInt(claimed));
  }
  if (unmasked) return Buffer.concat([Buffer.from(head), extended, body]);
  const mask = randomBytes(4);
  for (let index = 0; index < body.length; index += 1) body[index] ^= mask[index % 4];
  return Buffer.concat([Buffer.from(head), extended, mask, body]);
}

/** The payload of a close frame. */
export function closing(code, reason = '') {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

/** The answer to a handshake, or to any request that was sent raw. */
export class Answer {
  /** @param {string} head @param {Buffer} body */
  constructor(head, body) {
    const [statusLine, ...lines] = head.split('\r\n');
    this.status = Number(statusLine.split(' ')[1]);
    this.headers = Object.fromEntries(lines.map((line) => {
      const [name, value] = line.split(/:\s*(.*)/);
      return [name.toLowerCase(), value];
    }));
    this.body = body;
  }
}

/** A frame as it was received. */
class Received {
  constructor(first, payload) {
    this.final = (first & 0x80) !== 0;
    this.reserved = (first >> 4) & 0x7;
    this.opcode = first & 0xf;
    this.payload = payload;
  }

  get text() {
    return this.payload.toString();
  }

  /** The code of a close frame, or undefined if it has none. */
  get code() {
    return this.payload.length >= 2 ? this.payload.readUInt16BE() : undefined;
  }
}

export class Peer {
  /** Frames that came. */
  inbox = new Inbox();
  /** Whether the other side has closed its half. */
  ended = false;
  #input = Buffer.alloc(0);
  #upgraded = false;

  /** @param {net.Socket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {}); // a reset is an end like any other
    socket.on('close', () => {
      this.ended = true;
      this.inbox.end('the connection is closed');
    });
  }

  /** A connection on which nothing was sent. */
  static async dial(t, server) {
    const socket = net.connect(server.port, server.host);
    const peer = new Peer(socket);
    t.after(() => socket.destroy());
    await next(socket, 'connect');
    return peer;
  }

  /**
   * Connects and shakes hands; an undefined header is left out.
   *
   * @param {import('node:test').TestContext} t
   * @param {import('./server.js').Server} server
   * @param {{ path?: string, method?: string, headers?: Record<string, string | undefined>, behind?: Uint8Array }} [how]
   *   `behind`: bytes sent in the same packet as the request.
   */
  static async handshake(t, server, { path = server.settings.pathname, method = 'GET', headers = {}, behind = Buffer.alloc(0) } = {}) {
    const peer = await Peer.dial(t, server);
    const key = randomBytes(16).toString('base64');
    const all = {
      Host: `${server.host}:${server.port}`,
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': key,
      ...headers,
    };
    const lines = Object.entries(all).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`);
    const answer = peer.#answer();
    peer.socket.write(Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`), behind]));
    peer.answer = await answer;
    peer.accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    return peer;
  }

  /** @param {Uint8Array[]} chunks */
  send(...chunks) {
    this.socket.write(Buffer.concat(chunks));
  }

  /** Sends one text message. */
  say(text) {
    this.send(frame(TEXT, text));
  }

  /** The next frame. @returns {Promise<Received>} */
  frame() {
    return this.inbox.take();
  }

  /** The next frame that is a message, as text. */
  async text() {
    const frame = await this.frame();
    if (frame.opcode !== TEXT) throw new Error(`expected a text frame, got opcode ${frame.opcode}: ${frame.text}`);
    return frame.text;
  }

  /** The next close frame; what comes before it is passed over. */
  async close() {
    for (;;) {
      const frame = await this.frame();
      if (frame.opcode === CLOSE) return frame;
    }
  }

  /** Resolves when the connection is gone. */
  async gone() {
    if (!this.ended) await next(this.socket, 'close');
  }

  #answer() {
    return new Promise((resolve, reject) => {
      this.socket.on('data', (data) => {
        this.#input = Buffer.concat([this.#input, data]);
        if (!this.#upgraded) this.#head(resolve);
        if (this.#upgraded) this.#frames();
      });
      this.socket.once('close', () => reject(new Error('the connection was closed without an answer')));
    });
  }

  #head(resolve) {
    const end = this.#input.indexOf('\r\n\r\n');
    if (end < 0) return;
    const body = this.#input.subarray(end + 4);
    const answer = new Answer(this.#input.subarray(0, end).toString(), body);
    if (answer.status === 101) {
      this.#upgraded = true;
      this.#input = body;
      resolve(answer);
    } else if (body.length >= Number(answer.headers['content-length'] ?? 0)) {
      resolve(answer);
    }
  }

  #frames() {
    for (;;) {
      if (this.#input.length < 2) return;
      let length = this.#input[1] & 0x7f;
      let start = 2;
      if (length === 126) {
        if (this.#input.length < 4) return;
        length = this.#input.readUInt16BE(2);
        start = 4;
      } else if (length === 127) {
        if (this.#input.length < 10) return;
        length = Number(this.#input.readBigUInt64BE(2));
        start = 10;
      }
      if (this.#input[1] & 0x80) throw new Error('a server must not mask');
      if (this.#input.length < start + length) return;
      this.inbox.put(new Received(this.#input[0], this.#input.subarray(start, start + length)));
      this.#input = this.#input.subarray(start + length);
    }
  }
}

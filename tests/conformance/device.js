/**
 * @file A client of the plugin `tcp`: a plain socket, with messages as lines or behind their length.
 */

import net from 'node:net';

import { Inbox, next } from './waiting.js';

/** Messages as lines, written by `encode` and read by `decode`. */
export function lines(encode, decode) {
  const frame = (text) => Buffer.from(`${text}\n`);
  return {
    frame,
    write: (value) => frame(encode(value)),
    /** The first message of some bytes, and how many bytes it has with what stands around it. */
    read: (bytes) => {
      const end = bytes.indexOf(10);
      return end < 0 ? null : { value: decode(bytes.subarray(0, end).toString()), whole: end + 1 };
    },
  };
}

/** Messages behind their length, written by `encode` and read by `decode`. */
export function lengths(encode, decode) {
  const frame = (message) => {
    const payload = Buffer.from(message);
    const head = Buffer.alloc(4);
    head.writeUInt32BE(payload.length);
    return Buffer.concat([head, payload]);
  };
  return {
    frame,
    write: (value) => frame(encode(value)),
    read: (bytes) => {
      if (bytes.length < 4 || bytes.length < 4 + bytes.readUInt32BE()) return null;
      const whole = 4 + bytes.readUInt32BE();
      return { value: decode(bytes.subarray(4, whole)), whole };
    },
  };
}

export class Device {
  /** Messages that are not of Primus itself. */
  inbox = new Inbox();
  /** Those that are. @type {string[]} */
  control = [];
  closed = false;

  /** Connects, and ends with the test `t`. */
  static async connect(t, address, wire = lines(JSON.stringify, JSON.parse)) {
    const [host, port] = address.split(':');
    const device = new Device(net.connect(Number(port), host), wire);
    t.after(() => device.socket.destroy());
    await next(device.socket, 'connect');
    return device;
  }

  /** @param {net.Socket} socket */
  constructor(socket, wire) {
    this.socket = socket;
    this.wire = wire;
    let waiting = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      waiting = Buffer.concat([waiting, bytes]);
      for (let frame = wire.read(waiting); frame; frame = wire.read(waiting)) {
        waiting = waiting.subarray(frame.whole);
        this.#take(frame.value);
      }
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      this.closed = true;
      this.inbox.end('the connection is closed');
    });
  }

  send(value) {
    this.socket.write(this.wire.write(value));
  }

  async ask(value) {
    this.send(value);
    return this.inbox.take();
  }

  #take(value) {
    const control = typeof value === 'string' && value.startsWith('primus::');
    if (control) this.control.push(value);
    else this.inbox.put(value);
    if (control && value.startsWith('primus::ping::')) this.send(value.replace('ping', 'pong'));
  }
}

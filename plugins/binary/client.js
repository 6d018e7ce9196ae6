/**
 * BinaryPack for the client, as the npm package `binary-pack` writes and reads it. It is not MessagePack.
 *
 * A date is sent as its text, and comes back as one. A `Uint8Array`, an `ArrayBuffer` and other views are sent as their bytes, which
 * come back as a `Uint8Array`. Integers beyond 32 bits are sent as doubles: those that npm's writes, its own decoder can't read.
 */

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** Heads by the width of a length: up to 15 (added), 16 bits, 32 bits. */
const raw = [0xa0, 0xda, 0xdb];
const string = [0xb0, 0xd8, 0xd9];
const array = [0x90, 0xdc, 0xdd];
const map = [0x80, 0xde, 0xdf];

/** Puts a message together. */
class Writer {
  bytes = new Uint8Array(256);
  view = new DataView(this.bytes.buffer);
  length = 0;

  /**
   * Makes room for a number of bytes.
   *
   * @param {number} length
   * @returns {number} Where they go.
   */
  room(length) {
    const at = this.length;
    this.length += length;
    if (this.length > this.bytes.length) {
      const bytes = new Uint8Array(Math.max(this.length, this.bytes.length * 2));
      bytes.set(this.bytes.subarray(0, at));
      this.bytes = bytes;
      this.view = new DataView(bytes.buffer);
    }
    return at;
  }

  /** @param {number} byte */
  u8(byte) {
    const at = this.room(1);
    this.bytes[at] = byte;
  }

  /**
   * A byte, and a number in so many bits after it.
   *
   * @param {number} byte
   * @param {8 | 16 | 32 | 64} bits 64: a double.
   * @param {number} value
   */
  head(byte, bits, value) {
    const at = this.room(1 + bits / 8);
    this.bytes[at] = byte;
    if (bits === 8) this.view.setUint8(at + 1, value);
    else if (bits === 16) this.view.setUint16(at + 1, value);
    else if (bits === 32) this.view.setUint32(at + 1, value);
    else this.view.setFloat64(at + 1, value);
  }

  /**
   * @param {readonly number[]} heads
   * @param {number} length
   */
  sized([short, u16, u32], length) {
    if (length <= 0x0f) this.u8(short + length);
    else if (length <= 0xffff) this.head(u16, 16, length);
    else this.head(u32, 32, length);
  }

  /**
   * @param {readonly number[]} heads
   * @param {Uint8Array} bytes
   */
  binary(heads, bytes) {
    this.sized(heads, bytes.length);
    const at = this.room(bytes.length);
    this.bytes.set(bytes, at);
  }

  /**
   * A short text of ASCII, as most keys are, without the encoder: that takes its time to begin.
   *
   * @param {number} head To which the length is added.
   * @param {string} value
   * @returns {boolean} Whether it is one; else nothing is written.
   */
  ascii(head, value) {
    const at = this.room(1 + value.length);
    this.bytes[at] = head + value.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) {
        this.length = at;
        return false;
      }
      this.bytes[at + 1 + index] = code;
    }
    return true;
  }

  /** @param {string} value */
  string(value) {
    if (value.length <= 0x0f && this.ascii(0xb0, value)) return;
    this.binary(string, utf8.encode(value));
  }

  /** @param {any} value */
  value(value) {
    if (value === null || value === undefined) this.u8(0xc0);
    else if (typeof value === "string") this.string(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "boolean") this.u8(value ? 0xc3 : 0xc2);
    else if (typeof value === "object") this.object(value);
    else throw new TypeError(`BinaryPack has no ${typeof value}`);
  }

  /** @param {number} value */
  number(value) {
    const whole = Math.floor(value) === value;
    if (!whole || value < -0x80000000 || value > 0xffffffff) this.head(0xcb, 64, value);
    else if (-0x20 <= value && value <= 0x7f) this.u8(value & 0xff);
    else if (value >= 0) {
      if (value <= 0xff) this.head(0xcc, 8, value);
      else if (value <= 0xffff) this.head(0xcd, 16, value);
      else this.head(0xce, 32, value);
    } else if (value >= -0x80) this.head(0xd0, 8, value);
    else if (value >= -0x8000) this.head(0xd1, 16, value);
    else this.head(0xd2, 32, value);
  }

  /** @param {any} value */
  object(value) {
    if (Array.isArray(value)) {
      this.sized(array, value.length);
      for (let index = 0; index < value.length; index++) this.value(value[index]);
    } else if (ArrayBuffer.isView(value)) this.binary(raw, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (value instanceof ArrayBuffer) this.binary(raw, new Uint8Array(value));
    else if (value instanceof Date) this.value(value.toString());
    else {
      const keys = Object.keys(value);
      this.sized(map, keys.length);
      for (const key of keys) {
        this.value(key);
        this.value(value[key]);
      }
    }
  }
}

/** Takes a message apart. No length in it is trusted: what it counts has to come. */
class Reader {
  at = 0;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Goes on by a number of bytes.
   *
   * @param {number} length
   * @returns {number} Where they are.
   */
  skip(length) {
    const at = this.at;
    if (at + length > this.bytes.length) throw new RangeError("The BinaryPack message ends early");
    this.at = at + length;
    return at;
  }

  u8() {
    return this.view.getUint8(this.skip(1));
  }

  u16() {
    return this.view.getUint16(this.skip(2));
  }

  u32() {
    return this.view.getUint32(this.skip(4));
  }

  /** @returns {any} */
  value() {
    const head = this.u8();
    if (head < 0x80) return head;
    if (head < 0x90) return this.object(head & 0x0f);
    if (head < 0xa0) return this.array(head & 0x0f);
    if (head < 0xb0) return this.raw(head & 0x0f);
    if (head < 0xc0) return this.string(head & 0x0f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0: return null;
      case 0xc1:
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7: return undefined;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xca: return this.view.getFloat32(this.skip(4));
      case 0xcb: return this.view.getFloat64(this.skip(8));
      case 0xcc: return this.u8();
      case 0xcd: return this.u16();
      case 0xce: return this.u32();
      case 0xcf: return Number(this.view.getBigUint64(this.skip(8)));
      case 0xd0: return this.view.getInt8(this.skip(1));
      case 0xd1: return this.view.getInt16(this.skip(2));
      case 0xd2: return this.view.getInt32(this.skip(4));
      case 0xd3: return Number(this.view.getBigInt64(this.skip(8)));
      case 0xd8: return this.string(this.u16());
      case 0xd9: return this.string(this.u32());
      case 0xda: return this.raw(this.u16());
      case 0xdb: return this.raw(this.u32());
      case 0xdc: return this.array(this.u16());
      case 0xdd: return this.array(this.u32());
      case 0xde: return this.object(this.u16());
      case 0xdf: return this.object(this.u32());
      default: throw new TypeError(`The byte 0x${head.toString(16)} begins nothing in BinaryPack`);
    }
  }

  /** @param {number} length */
  raw(length) {
    const at = this.skip(length);
    return new Uint8Array(this.bytes.subarray(at, at + length));
  }

  /** @param {number} length */
  string(length) {
    const at = this.skip(length);
    return text.decode(this.bytes.subarray(at, at + length));
  }

  /** @param {number} length */
  array(length) {
    const array = [];
    for (let index = 0; index < length; index++) array.push(this.value());
    return array;
  }

  /** @param {number} length */
  object(length) {
    /** @type {Record<string, any>} */
    const object = {};
    for (let index = 0; index < length; index++) {
      const key = this.value();
      const value = this.value();
      if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
      else object[key] = value;
    }
    return object;
  }
}

/** @type {import("../../host/client/primus.d.ts").ParserPart} */
const binary = {
  name: "binary",

  encode(value) {
    const writer = new Writer();
    writer.value(value);
    return writer.bytes.slice(0, writer.length);
  },

  decode(data) {
    if (typeof data === "string") throw new TypeError("The message is text, and BinaryPack is binary");
    const reader = new Reader(ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data));
    const value = reader.value();
    if (reader.at < reader.bytes.length) throw new RangeError("More bytes follow the BinaryPack value");
    return value;
  },
};

export default binary;

/**
 * BinaryPack for the client, as the npm package `binary-pack` writes and reads it. It is not MessagePack.
 *
 * A date is sent as its text, and comes back as one. A `Uint8Array`, an `ArrayBuffer` and other views are sent as their bytes, which
 * come back as a `Uint8Array`. Integers beyond 32 bits are sent as doubles: those that npm's writes, its own decoder can't read.
 */

const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** Heads by the width of a length: up to 15 (added), 16 bits, 32 bits. */
const raw = [0xa0, 0xda, 0xdb];
const string = [0xb0, 0xd8, 0xd9];
const array = [0x90, 0xdc, 0xdd];
const map = [0x80, 0xde, 0xdf];

class Writer extends BinaryWriter {
  /**
   * @param {readonly number[]} heads
   * @param {number} length
   */
  sized([short, u16, u32], length) {
    if (length <= 0x0f) this.u8(short + length);
    else if (length <= 0xffff) this.wide(u16, 16, length);
    else this.wide(u32, 32, length);
  }

  /**
   * @param {readonly number[]} heads
   * @param {Uint8Array} bytes
   */
  binary(heads, bytes) {
    this.sized(heads, bytes.length);
    this.raw(bytes);
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
    if (!whole || value < -0x80000000 || value > 0xffffffff) this.wide(0xcb, 64, value);
    else if (-0x20 <= value && value <= 0x7f) this.u8(value & 0xff);
    else if (value >= 0) {
      if (value <= 0xff) this.wide(0xcc, 8, value);
      else if (value <= 0xffff) this.wide(0xcd, 16, value);
      else this.wide(0xce, 32, value);
    } else if (value >= -0x80) this.wide(0xd0, 8, value);
    else if (value >= -0x8000) this.wide(0xd1, 16, value);
    else this.wide(0xd2, 32, value);
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

class Reader extends BinaryReader {
  /** @param {any} data */
  constructor(data) {
    super("BinaryPack", data);
  }

  /** @returns {any} */
  value() {
    const head = this.u8();
    if (head < 0x80) return head;
    if (head < 0x90) return this.object(head & 0x0f);
    if (head < 0xa0) return this.array(head & 0x0f);
    if (head < 0xb0) return this.take(head & 0x0f);
    if (head < 0xc0) return this.text(head & 0x0f, text);
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
      case 0xd8: return this.text(this.u16(), text);
      case 0xd9: return this.text(this.u32(), text);
      case 0xda: return this.take(this.u16());
      case 0xdb: return this.take(this.u32());
      case 0xdc: return this.array(this.u16());
      case 0xdd: return this.array(this.u32());
      case 0xde: return this.object(this.u16());
      case 0xdf: return this.object(this.u32());
      default: throw new TypeError(`The byte 0x${head.toString(16)} begins nothing in BinaryPack`);
    }
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
      setKey(object, key, this.value());
    }
    return object;
  }
}

export default binaryParser("binary", Writer, Reader);

/**
 * MessagePack for the client, as the npm package `primus-msgpack` (msgpack-lite 0.1.26) writes and reads it.
 *
 * Dates, errors, regular expressions and typed arrays are extensions of msgpack-lite. Byte strings are read as `Uint8Array`; a
 * `Uint8Array` and an `ArrayBuffer` are written as such.
 */

const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** Constructors by the types of their extensions. @type {Record<number, any>} */
const views = {
  0x11: Int8Array,
  0x12: Uint8Array,
  0x13: Int16Array,
  0x14: Uint16Array,
  0x15: Int32Array,
  0x16: Uint32Array,
  0x17: Float32Array,
  0x18: Float64Array,
  0x19: Uint8ClampedArray,
  0x1d: DataView,
};

/** The same for errors. @type {Record<number, any>} */
const errors = { 1: EvalError, 2: RangeError, 3: ReferenceError, 4: SyntaxError, 5: TypeError, 6: URIError, 0x0e: Error };

const errorTypes = new Map(Object.entries(errors).map(([type, constructor]) => [constructor, Number(type)]));
const errorFields = ["name", "message", "stack", "columnNumber", "fileName", "lineNumber"];

class Writer extends BinaryWriter {
  /**
   * A length in the narrowest of three widths, whose heads follow each other.
   *
   * @param {number} byte The first of the heads.
   * @param {number} length
   * @param {number} [limit8] The longest for the first.
   */
  long(byte, length, limit8 = 0xff) {
    if (length <= limit8) this.wide(byte, 8, length);
    else if (length <= 0xffff) this.wide(byte + 1, 16, length);
    else this.wide(byte + 2, 32, length);
  }

  /** @param {any} value */
  value(value) {
    if (value === null || value === undefined) this.u8(0xc0);
    else if (typeof value === "string") this.string(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "boolean") this.u8(value ? 0xc3 : 0xc2);
    else if (typeof value === "object") this.object(value);
    else if (typeof value === "bigint") throw new TypeError("MessagePack messages have no bigint here");
    else this.u8(0xc0);
  }

  /** @param {number} value */
  number(value) {
    if ((value | 0) !== value) this.wide(0xcb, 64, value);
    else if (-0x20 <= value && value <= 0x7f) this.u8(value & 0xff);
    else if (value >= 0) this.long(0xcc, value);
    else if (value >= -0x80) this.wide(0xd0, 8, value);
    else if (value >= -0x8000) this.wide(0xd1, 16, value);
    else this.wide(0xd2, 32, value);
  }

  /** @param {string} value */
  string(value) {
    if (value.length < 32 && this.ascii(0xa0, value)) return;
    const bytes = utf8.encode(value);
    if (bytes.length < 32) this.u8(0xa0 + bytes.length);
    else this.long(0xd9, bytes.length);
    this.raw(bytes);
  }

  /** @param {any} value */
  object(value) {
    if (Array.isArray(value)) {
      this.sized(value.length, 0x90, 0xdc);
      for (let index = 0; index < value.length; index++) this.value(value[index]);
    } else if (value instanceof Uint8Array) this.binary(value);
    else if (value instanceof ArrayBuffer) this.binary(new Uint8Array(value));
    else if (ArrayBuffer.isView(value)) {
      const type = Object.keys(views).find((type) => value instanceof views[+type]);
      this.extension(Number(type), new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    } else if (value instanceof Date) this.extension(0x0d, msgpack.encode(Number(value)));
    else if (value instanceof RegExp) this.extension(0x0a, msgpack.encode([value.source, value.flags]));
    else if (errorTypes.has(value.constructor)) {
      const fields = errorFields.map((field) => [field, value[field]]);
      this.extension(Number(errorTypes.get(value.constructor)), msgpack.encode(Object.fromEntries(fields)));
    } else {
      const keys = Object.keys(value);
      this.sized(keys.length, 0x80, 0xde);
      for (const key of keys) {
        this.string(key);
        this.value(value[key]);
      }
    }
  }

  /**
   * The head of an array or object.
   *
   * @param {number} length
   * @param {number} short
   * @param {number} long
   */
  sized(length, short, long) {
    if (length < 16) this.u8(short + length);
    else this.long(long - 1, length, -1);
  }

  /** @param {Uint8Array} bytes */
  binary(bytes) {
    // 254, not 255: msgpack-lite is off by one.
    this.long(0xc4, bytes.length, 0xfe);
    this.raw(bytes);
  }

  /**
   * @param {number} type
   * @param {Uint8Array} bytes
   */
  extension(type, bytes) {
    const fixed = [1, 2, 4, 8, 16].indexOf(bytes.length);
    if (fixed < 0) this.long(0xc7, bytes.length, 0xfe);
    else this.u8(0xd4 + fixed);
    this.u8(type);
    this.raw(bytes);
  }
}

class Reader extends BinaryReader {
  /** @param {any} data */
  constructor(data) {
    super("MessagePack", data);
  }

  /** @returns {any} */
  value() {
    const head = this.u8();
    if (head < 0x80) return head;
    if (head < 0x90) return this.object(head & 0x0f);
    if (head < 0xa0) return this.array(head & 0x0f);
    if (head < 0xc0) return this.text(head & 0x1f, text);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0: return null;
      case 0xc1: throw new TypeError("The byte 0xc1 begins nothing in MessagePack");
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.take(this.u8());
      case 0xc5: return this.take(this.u16());
      case 0xc6: return this.take(this.u32());
      case 0xc7: return this.extension(this.u8());
      case 0xc8: return this.extension(this.u16());
      case 0xc9: return this.extension(this.u32());
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
      case 0xd9: return this.text(this.u8(), text);
      case 0xda: return this.text(this.u16(), text);
      case 0xdb: return this.text(this.u32(), text);
      case 0xdc: return this.array(this.u16());
      case 0xdd: return this.array(this.u32());
      case 0xde: return this.object(this.u16());
      case 0xdf: return this.object(this.u32());
      default: return this.extension(1 << (head - 0xd4));
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

  /** @param {number} length */
  extension(length) {
    const type = this.u8();
    const bytes = this.take(length);
    switch (type) {
      case 0x0d: return new Date(msgpack.decode(bytes));
      case 0x0a: return new RegExp(...(/** @type {[string, string]} */ (msgpack.decode(bytes))));
      // The boxes of a truth value, a text and a number.
      case 0x0b:
      case 0x0c:
      case 0x0f: return msgpack.decode(bytes);
      case 0x1a: return bytes.buffer;
      case 0x1b: return bytes;
      case 0xff: return timestamp(bytes);
    }
    if (type in errors) return Object.assign(new errors[type](), msgpack.decode(bytes));
    if (type in views) return new views[type](bytes.buffer);
    throw new TypeError(`The MessagePack extension type ${(type << 24) >> 24} is unknown`);
  }
}

/**
 * MessagePack's own dates: seconds, and nanoseconds in the upper 30 of 64 bits or before them.
 *
 * @param {Uint8Array} bytes
 */
function timestamp({ buffer, length }) {
  const view = new DataView(buffer);
  switch (length) {
    case 4: return new Date(view.getUint32(0) * 1000);
    case 8: {
      const both = view.getBigUint64(0);
      return new Date(Number(both & 0x3_ffff_ffffn) * 1000 + Math.floor(Number(both >> 34n) / 1e6));
    }
    case 12: return new Date(Number(view.getBigInt64(4)) * 1000 + Math.floor(view.getUint32(0) / 1e6));
    default: throw new TypeError("A MessagePack timestamp has a length that there isn't");
  }
}

const msgpack = binaryParser("msgpack", Writer, Reader);

export default msgpack;

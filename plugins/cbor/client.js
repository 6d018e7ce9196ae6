/**
 * CBOR (RFC 8949) for the client.
 *
 * Dates are seconds with tag 1. A `Uint8Array`, an `ArrayBuffer` and other views are byte strings, which come back as a `Uint8Array`.
 * A `bigint` of 64 bits is an integer; one comes back as a number. A `Map` is an object.
 */

const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Major types (section 3.1), where they stand in a head. */
const UNSIGNED = 0x00;
const NEGATIVE = 0x20;
const BYTES = 0x40;
const TEXT = 0x60;
const ARRAY = 0x80;
const MAP = 0xa0;
const TAG = 0xc0;

const BREAK = 0xff;

class Writer extends BinaryWriter {
  /**
   * The shortest head of a type with a number.
   *
   * @param {number} type
   * @param {number | bigint} argument
   */
  head(type, argument) {
    if (argument < 24) this.u8(type + Number(argument));
    else if (argument <= 0xff) this.wide(type + 24, 8, Number(argument));
    else if (argument <= 0xffff) this.wide(type + 25, 16, Number(argument));
    else if (argument <= 0xffffffff) this.wide(type + 26, 32, Number(argument));
    else {
      const at = this.room(9);
      this.bytes[at] = type + 27;
      this.view.setBigUint64(at + 1, BigInt(argument));
    }
  }

  /** @param {string} value */
  text(value) {
    if (value.length < 24 && this.ascii(TEXT, value)) return;
    this.string(TEXT, utf8.encode(value));
  }

  /** @param {any} value */
  value(value) {
    if (value === null) this.u8(0xf6);
    else if (typeof value === "string") this.text(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "boolean") this.u8(value ? 0xf5 : 0xf4);
    else if (typeof value === "object") this.object(value);
    else if (typeof value === "bigint" && BigInt.asIntN(64, value) === value) this.integer(value);
    else if (typeof value === "bigint" && BigInt.asUintN(64, value) === value) this.head(UNSIGNED, value);
    else if (typeof value === "undefined") this.u8(0xf7);
    else throw new TypeError(`CBOR messages have no such ${typeof value}`);
  }

  /** @param {number} value */
  number(value) {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.integer(value);
    else this.float(value);
  }

  /** @param {number | bigint} value */
  integer(value) {
    if (value >= 0) this.head(UNSIGNED, value);
    else this.head(NEGATIVE, typeof value === "bigint" ? -1n - value : -1 - value);
  }

  /**
   * In the narrowest precision that holds it.
   *
   * @param {number} value
   */
  float(value) {
    const half = halfOf(value);
    if (half !== undefined) this.wide(0xf9, 16, half);
    else if (Math.fround(value) === value) {
      const at = this.room(5);
      this.bytes[at] = 0xfa;
      this.view.setFloat32(at + 1, value);
    } else this.wide(0xfb, 64, value);
  }

  /**
   * @param {number} type
   * @param {Uint8Array} bytes
   */
  string(type, bytes) {
    this.head(type, bytes.length);
    this.raw(bytes);
  }

  /** @param {any} value */
  object(value) {
    if (Array.isArray(value)) {
      this.head(ARRAY, value.length);
      for (let index = 0; index < value.length; index++) this.value(value[index] ?? null);
    } else if (ArrayBuffer.isView(value)) this.string(BYTES, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    else if (value instanceof ArrayBuffer) this.string(BYTES, new Uint8Array(value));
    else if (value instanceof Date) this.date(value.getTime());
    else {
      // As with JSON, what is undefined isn't there.
      const pairs = (value instanceof Map ? [...value] : Object.entries(value)).filter(([, value]) => value !== undefined);
      this.head(MAP, pairs.length);
      for (const [key, value] of pairs) {
        this.text(String(key));
        this.value(value);
      }
    }
  }

  /** @param {number} ms */
  date(ms) {
    if (Number.isNaN(ms)) return this.u8(0xf6);
    this.head(TAG, 1);
    return ms % 1000 === 0 ? this.integer(ms / 1000) : this.float(ms / 1000);
  }
}

/**
 * The bits of a number in half precision (IEEE 754), if it has them.
 *
 * @param {number} value
 * @returns {number | undefined}
 */
function halfOf(value) {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === 0) return sign;
  if (size === Infinity) return sign | 0x7c00;
  if (size > 65504) return undefined;
  // Below 2^-14 there is no smaller exponent, only smaller fractions.
  const exponent = Math.max(Math.floor(Math.log2(size)), -14);
  const fraction = size / 2 ** (exponent - 10);
  if (!Number.isInteger(fraction)) return undefined;
  return fraction < 1024 ? sign | fraction : sign | ((exponent + 15) << 10) | (fraction - 1024);
}

/**
 * @param {number} half
 * @returns {number}
 */
function ofHalf(half) {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24);
}

class Reader extends BinaryReader {
  /** @param {any} data */
  constructor(data) {
    super("CBOR", data);
  }

  /**
   * The number of a head; `undefined` where the length is open.
   *
   * @param {number} head
   * @returns {number | undefined}
   */
  argument(head) {
    const short = head & 0x1f;
    if (short < 24) return short;
    switch (short) {
      case 24: return this.u8();
      case 25: return this.u16();
      case 26: return this.u32();
      case 27: return Number(this.view.getBigUint64(this.skip(8)));
      case 31: return undefined;
      default: throw unknown(head);
    }
  }

  /** @returns {any} */
  value() {
    const head = this.u8();
    const type = head & 0xe0;
    if (type > TAG) return this.simple(head);
    const argument = this.argument(head);
    switch (type) {
      case BYTES: return this.bytesOf(argument);
      case TEXT: return this.textOf(argument);
      case ARRAY: return this.array(argument);
      case MAP: return this.object(argument);
    }
    if (argument === undefined) throw unknown(head);
    if (type === UNSIGNED) return argument;
    return type === NEGATIVE ? -1 - argument : tagged(argument, this.value());
  }

  /** @param {number} head */
  simple(head) {
    switch (head) {
      case 0xf4: return false;
      case 0xf5: return true;
      case 0xf6: return null;
      case 0xf7: return undefined;
      case 0xf9: return ofHalf(this.u16());
      case 0xfa: return this.view.getFloat32(this.skip(4));
      case 0xfb: return this.view.getFloat64(this.skip(8));
      default: throw unknown(head);
    }
  }

  /**
   * Whether an open length ends here.
   *
   * @returns {boolean}
   */
  ends() {
    const at = this.skip(1);
    if (this.bytes[at] === BREAK) return true;
    this.at = at;
    return false;
  }

  /**
   * @param {number | undefined} length
   * @returns {Uint8Array}
   */
  bytesOf(length) {
    if (length !== undefined) return this.take(length);
    const chunks = [];
    while (!this.ends()) chunks.push(this.chunk(BYTES));
    return new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
  }

  /**
   * @param {number | undefined} length
   * @returns {string}
   */
  textOf(length) {
    if (length !== undefined) return this.text(length, text);
    let whole = "";
    while (!this.ends()) whole += text.decode(this.chunk(TEXT));
    return whole;
  }

  /**
   * A piece of a string of open length.
   *
   * @param {number} type
   * @returns {Uint8Array}
   */
  chunk(type) {
    const head = this.u8();
    const length = this.argument(head);
    if ((head & 0xe0) !== type || length === undefined) throw unknown(head);
    return this.bytesOf(length);
  }

  /** @param {number | undefined} length */
  array(length) {
    const array = [];
    for (let index = 0; length === undefined ? !this.ends() : index < length; index++) array.push(this.value());
    return array;
  }

  /** @param {number | undefined} length */
  object(length) {
    /** @type {Record<string, any>} */
    const object = {};
    for (let index = 0; length === undefined ? !this.ends() : index < length; index++) {
      const key = this.value();
      setKey(object, key, this.value());
    }
    return object;
  }
}

/**
 * @param {number} tag
 * @param {any} content
 */
function tagged(tag, content) {
  // "This is CBOR" (section 3.4.6).
  if (tag === 55799) return content;
  if (tag === 0 && typeof content === "string") return new Date(content);
  if (tag === 1 && typeof content === "number") return new Date(Math.round(content * 1000));
  throw new TypeError(`The CBOR tag ${tag} is unknown`);
}

/** @param {number} head */
function unknown(head) {
  return new TypeError(`The byte 0x${head.toString(16).padStart(2, "0")} begins nothing here in CBOR`);
}

export default binaryParser("cbor", Writer, Reader);

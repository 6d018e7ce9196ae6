/**
 * What the client parts of the binary parsers share: bytes that grow, and bytes that are taken apart. The plugins put this text
 * before their own (`tokens::client`). Knows no format's bytes.
 */

const utf8 = new TextEncoder();

/** Puts a message together. */
class BinaryWriter {
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
  wide(byte, bits, value) {
    const at = this.room(1 + bits / 8);
    this.bytes[at] = byte;
    if (bits === 8) this.view.setUint8(at + 1, value);
    else if (bits === 16) this.view.setUint16(at + 1, value);
    else if (bits === 32) this.view.setUint32(at + 1, value);
    else this.view.setFloat64(at + 1, value);
  }

  /** @param {Uint8Array} bytes */
  raw(bytes) {
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
}

/** Takes a message apart. No length in it is trusted: what it counts has to come. */
class BinaryReader {
  at = 0;

  /**
   * @param {string} format Its name, for errors.
   * @param {string | ArrayBuffer | ArrayBufferView} data
   */
  constructor(format, data) {
    if (typeof data === "string") throw new TypeError(`The message is text, and ${format} is binary`);
    this.format = format;
    this.bytes = ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /**
   * Goes on by a number of bytes.
   *
   * @param {number} length
   * @returns {number} Where they are.
   */
  skip(length) {
    const at = this.at;
    if (at + length > this.bytes.length) throw new RangeError(`The ${this.format} message ends early`);
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

  /**
   * A copy of so many bytes.
   *
   * @param {number} length
   */
  take(length) {
    const at = this.skip(length);
    return new Uint8Array(this.bytes.subarray(at, at + length));
  }

  /**
   * @param {number} length
   * @param {TextDecoder} decoder
   */
  text(length, decoder) {
    const at = this.skip(length);
    return decoder.decode(this.bytes.subarray(at, at + length));
  }
}

/**
 * Sets a key that a message brought, whatever its name.
 *
 * @param {Record<string, any>} object
 * @param {string} key
 * @param {any} value
 */
function setKey(object, key, value) {
  if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  else object[key] = value;
}

/**
 * The parser of a format.
 *
 * @param {string} name
 * @param {new () => BinaryWriter & { value(value: any): void }} Writer
 * @param {new (data: any) => BinaryReader & { value(): any }} Reader
 */
function binaryParser(name, Writer, Reader) {
  return {
    name,

    /** @param {any} value */
    encode(value) {
      const writer = new Writer();
      writer.value(value);
      return writer.bytes.slice(0, writer.length);
    },

    /** @param {any} data */
    decode(data) {
      const reader = new Reader(data);
      const value = reader.value();
      if (reader.at < reader.bytes.length) throw new RangeError(`More bytes follow the ${reader.format} value`);
      return value;
    },
  };
}

// What is used by the text behind this one.
void [utf8, setKey, binaryParser];

/**
 * EJSON for the client, as the npm package `ejson` writes and reads it: JSON text in which objects with certain keys stand for
 * dates, byte strings, regular expressions and numbers that aren't finite.
 *
 * Byte strings are read as `Uint8Array`; an `ArrayBuffer` is written as one. Values of an application's own types stay objects.
 */

const separators = /[\u2028\u2029]/g;

/**
 * How an object with this one key is read.
 *
 * @type {Record<string, (content: any) => any>}
 */
const readers = {
  $date: (ms) => new Date(ms),
  $InfNaN: (sign) => sign / 0,
  $binary: (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)),
  $escape: (object) => mapped(object, read),
};

/**
 * How an object that stands for something is read; `undefined` for one that is itself.
 *
 * @param {any} object
 * @returns {(() => any) | undefined}
 */
function readerOf(object) {
  const keys = Object.keys(object);
  if (keys.length === 1) {
    const [key] = keys;
    return Object.hasOwn(readers, key) ? () => readers[key](object[key]) : undefined;
  }
  /** @param {string[]} wanted */
  const has = (...wanted) => keys.length === 2 && wanted.every((key) => keys.includes(key));
  if (has("$regexp", "$flags")) {
    const { $regexp, $flags } = object;
    return () => new RegExp($regexp, [...new Set(String($flags).match(/[gimuy]/g))].join(""));
  }
  return has("$type", "$value") ? () => mapped(object, read) : undefined;
}

/**
 * An array or object with each of its values converted.
 *
 * @param {any} value
 * @param {(value: any) => any} convert
 */
function mapped(value, convert) {
  if (Array.isArray(value)) return value.map(convert);
  return Object.fromEntries(Object.keys(value).map((key) => [key, convert(value[key])]));
}

/**
 * JSON for a value.
 *
 * @param {any} value
 * @returns {any}
 */
function written(value) {
  if (typeof value === "number" && !Number.isFinite(value)) return { $InfNaN: Number.isNaN(value) ? 0 : Math.sign(value) };
  if (typeof value !== "object" || value === null) return value;
  // An invalid date would be read as 1970.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : { $date: value.getTime() };
  if (value instanceof RegExp) return { $regexp: value.source, $flags: value.flags };
  if (value instanceof Uint8Array) return { $binary: btoa(latin1(value)) };
  if (value instanceof ArrayBuffer) return written(new Uint8Array(value));
  const object = mapped(value, written);
  return !Array.isArray(value) && readerOf(value) ? { $escape: object } : object;
}

/**
 * Bytes as the characters of their numbers.
 *
 * @param {Uint8Array} bytes
 */
function latin1(bytes) {
  let chars = "";
  // A function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 0x8000) chars += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return chars;
}

/**
 * The value that JSON stands for.
 *
 * @param {any} json
 * @returns {any}
 */
function read(json) {
  if (typeof json !== "object" || json === null) return json;
  const reader = Array.isArray(json) ? undefined : readerOf(json);
  return reader ? reader() : mapped(json, read);
}

/** @type {import("../../host/client/primus.d.ts").ParserPart} */
const ejson = {
  name: "ejson",

  encode(value) {
    return JSON.stringify(written(value))?.replace(separators, (found) => (found === "\u2028" ? "\\u2028" : "\\u2029"));
  },

  decode(data) {
    if (typeof data !== "string") throw new TypeError("The message is binary, and EJSON is text");
    return read(JSON.parse(data));
  },
};

export default ejson;

/**
 * Makes `vectors.json`, which the Rust tests of the parsers read: `node tests/parsers/generate.js`.
 *
 * The wire is what npm's packages write, and what a server's application gets of it is what they read. For CBOR, which is ours, our
 * client part takes their place. See `src/lib.rs` for the form.
 */

import { writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

import { clientPart, npm } from "./parsers.js";
import { bytes, dates, halves, numbers, plain } from "./values.js";

/**
 * One more message of a format.
 *
 * @typedef {object} Case
 * @property {any} [read] What the server's application gets, where npm's package isn't the measure.
 * @property {any} [written] What the server's application writes to have that wire sent, where it isn't what it gets.
 * @property {boolean} [onlyRead] The server never writes it so.
 */

/** @type {(values: [string, any][], how?: (value: any) => Case) => [string, any, Case][]} */
const cases = (values, how = () => ({})) => values.map(([name, value]) => [name, value, how(value)]);

const replaced = (text) => text.replace(/[\ud800-\udfff]/g, "\ufffd");
const errorOf = ({ name, message, stack }) => ({ name, message, stack, columnNumber: null, fileName: null, lineNumber: null });

const error = Object.assign(new RangeError("too much"), { stack: "at the place" });
const plainError = Object.assign(new Error("of no kind"), { stack: "" });

/** npm's BinaryPack writes it as int64, which it can't read itself. */
const isInt64 = (value) => Number.isInteger(value) && (value > 2 ** 32 - 1 || value < -(2 ** 31));

/** npm's BinaryPack refuses it. */
const isBeyondInt64 = (value) => Math.floor(value) === value && Math.abs(value) > 2 ** 63;

const views = [Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, Uint8ClampedArray];

/** @type {Record<string, [string, any, Case][]>} */
const all = {
  ejson: [
    ...cases(plain),
    ...cases(numbers),
    ...cases(dates),
    ...cases(bytes),
    ...cases([["bytes of the browser", new Uint8Array([1, 2])]]),
    ...cases(halves, (value) => ({ read: replaced(value), onlyRead: true })),
    ["an invalid date", new Date(NaN), { read: null, onlyRead: true }],
    ["a regular expression", /a+\/"/gi, { read: { $regexp: "a+\\/\"", $flags: "gi" }, onlyRead: true }],
    ["undefined in an array", [undefined], {}],
    ["undefined in an object", { a: undefined, b: 1 }, {}],
    ["an object that looks like a date", { $date: 1 }, {}],
    ["an object that looks like a number", [{ $InfNaN: "x" }], {}],
    ["an object that looks like bytes", { $binary: null }, {}],
    ["an object that looks escaped", { $escape: { $date: 1 } }, {}],
    ["an object that looks escaped twice", { $escape: { $escape: { a: new Date(5) } } }, {}],
    ["an object that looks like a regular expression", { $flags: "g", $regexp: "a" }, {}],
    ["an object that looks like a type", { $type: "t", $value: { $binary: Buffer.from([1]) } }, {}],
    ["objects that look like none of them", [{ $date: 1, a: 2 }, { $regexp: 1 }, { $type: 1, $flags: 2 }, { $other: 1 }], {}],
  ],
  binary: [
    ...cases(plain.filter(([, value]) => !isBeyondInt64(value)), (value) => (isInt64(value) ? { read: value, onlyRead: true } : {})),
    ...cases(numbers.filter(([, value]) => Number.isNaN(value))),
    ...cases(dates.filter(([, value]) => value instanceof Date), (value) => ({ written: value })),
    // npm's refuses an empty `Buffer`.
    ...cases(bytes.filter(([, value]) => value.length !== 0)),
    ...cases(halves),
    ["an invalid date", new Date(NaN), {}],
    ["undefined", undefined, {}],
    ["undefined in an object", { a: undefined, b: [undefined] }, {}],
    ["zero below zero", -0, {}],
  ],
  msgpack: [
    ...cases(plain),
    ...cases(numbers),
    ...cases(dates),
    ...cases(bytes),
    ...cases(halves),
    ["an invalid date", new Date(NaN), { read: null, onlyRead: true }],
    ["undefined", undefined, {}],
    ["undefined in an object", { a: undefined, b: [undefined] }, {}],
    ["a function", () => {}, {}],
    ["zero below zero", -0, {}],
    ...views.map((View) => [`a ${View.name}`, new View([1, 2, 3]), { read: bytesOf(new View([1, 2, 3])), onlyRead: true }]),
    ["an ArrayBuffer", new Uint8Array([1, 2, 3]).buffer, { read: Buffer.from([1, 2, 3]), onlyRead: true }],
    ["a DataView", new DataView(new ArrayBuffer(3)), { read: Buffer.alloc(3), onlyRead: true }],
    ["a long Uint8Array", new Uint8Array(300), { read: Buffer.alloc(300), onlyRead: true }],
    ["an error", error, { read: errorOf(error), onlyRead: true }],
    ["an error of no kind", plainError, { read: errorOf(plainError), onlyRead: true }],
    ["a regular expression", /a\/b/gi, { read: ["a\\/b", "gi"], onlyRead: true }],
    ["a boxed truth value", new Boolean(false), { read: false, onlyRead: true }],
    ["a boxed text", new String("a"), { read: "a", onlyRead: true }],
    ["a boxed number", new Number(300), { read: 300, onlyRead: true }],
  ],
  cbor: [
    ...cases(plain),
    ...cases(numbers),
    ...cases(dates),
    ...cases(bytes),
    ...cases(halves),
    ["an invalid date", new Date(NaN), {}],
    ["undefined", undefined, { read: null, onlyRead: true }],
    ["undefined in an object", { a: undefined, b: [undefined] }, {}],
    ["zero below zero", -0, {}],
    // On both sides of what half precision holds.
    ...cases([2 ** -14, 2 ** -24, 1023 * 2 ** -24, 2 ** -25, 1 + 2 ** -10, 1 + 2 ** -11, 65503.5].map((number) => [`the float ${number}`, number])),
  ],
};

/** The bytes of a view. */
function bytesOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** A value as JSON with tags. */
function tagged(value) {
  if (typeof value === "number" && !Number.isFinite(value)) return { "@number": Number.isNaN(value) ? "NaN" : value > 0 ? "inf" : "-inf" };
  if (Object.is(value, -0)) return { "@number": "-0" };
  if (value === undefined || typeof value === "function") return null;
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : { "@date": value.getTime() };
  if (ArrayBuffer.isView(value)) return { "@bytes": bytesOf(value).toString("hex") };
  if (Array.isArray(value)) return value.map(tagged);
  return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, tagged(value)]));
}

/** The content of `vectors.json`. @returns {Promise<string>} */
export async function vectors() {
  // A date as text says in which zone it is.
  process.env.TZ = "UTC";
  const codecs = { ...npm, cbor: await clientPart("cbor") };
  const formats = Object.entries(all).map(([parser, cases]) => {
    const lines = cases.map(([name, value, { read, written, onlyRead }]) => {
      const wire = codecs[parser].encode(value);
      const vector = {
        name,
        wire: typeof wire === "string" ? { text: wire } : { hex: Buffer.from(wire).toString("hex") },
        read: tagged(read === undefined ? codecs[parser].decode(wire) : read),
        ...(written === undefined ? {} : { written: tagged(written) }),
        ...(onlyRead ? { only_read: true } : {}),
      };
      return `    ${JSON.stringify(vector)}`;
    });
    return `  ${JSON.stringify(parser)}: [\n${lines.join(",\n")}\n  ]`;
  });
  return `{\n${formats.join(",\n")}\n}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeFile(new URL("vectors.json", import.meta.url), await vectors());
}

/** The parsers as npm has them, and ours: the client parts of the plugins. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

const separators = { "\u2028": "\\u2028", "\u2029": "\\u2029" };

/**
 * A message format: values to text or bytes and back. Each throws what it can't.
 *
 * @typedef {{ encode(value: any): string | Uint8Array | undefined, decode(wire: any): any }} Codec
 */

const EJSON = require("ejson");
const BinaryPack = require("binary-pack");
const msgpack = require("primus-msgpack");

/** The packages, used as Primus 8 uses them. @type {Record<"ejson" | "binary" | "msgpack", Codec>} */
export const npm = {
  ejson: {
    // Primus escapes the separators in every text that it sends.
    encode: (value) => EJSON.stringify(value)?.replace(/[\u2028\u2029]/g, (found) => separators[found]),
    decode: (text) => EJSON.parse(text),
  },
  binary: {
    encode: (value) => BinaryPack.pack(value),
    decode: (bytes) => BinaryPack.unpack(Buffer.from(bytes)),
  },
  msgpack: {
    encode: (value) => msgpack.encode(value),
    decode: (bytes) => msgpack.decode(Buffer.from(bytes)),
  },
};

/** What the packages bring for browsers, as text. */
export const browserSource = { ejson: require("ejson/source"), binary: BinaryPack.BrowserSource, msgpack: msgpack.BrowserSource };

/** @param {string} path Below `plugins/`. */
const source = (path) => readFile(new URL(`../../plugins/${path}`, import.meta.url), "utf8");

/**
 * The text of a parser's client part. Those of binary formats begin with what they share.
 *
 * @param {string} name
 */
export async function partText(name) {
  const shared = ["binary", "cbor", "msgpack"].includes(name) ? [await source("tokens/client.js")] : [];
  return [...shared, await source(`${name}/client.js`)].join("\n");
}

/**
 * The client part of a parser.
 *
 * @param {string} name
 * @returns {Promise<Codec & { name: string }>}
 */
export async function clientPart(name) {
  // The host embeds the text, so nothing says to Node that it is a module.
  const module = await import(`data:text/javascript,${encodeURIComponent(await partText(name))}`);
  return module.default;
}

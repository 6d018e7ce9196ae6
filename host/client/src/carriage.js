/**
 * How messages go over a transport that carries text only: what a parser makes of bytes goes as base64, and the server is told so.
 *
 * @import { TransportPart } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

/** How many bytes become characters at a time: a function takes only so many arguments. */
const PIECE = 8_192;

/**
 * @typedef {object} Carriage
 * @property {(url: string) => string} address The URL with what the server is told.
 * @property {(message: any) => any} pack
 * @property {(data: any) => any} unpack Throws where a text is not base64.
 */

/** @type {Carriage} */
const plain = { address: (url) => url, pack: (message) => message, unpack: (data) => data };

/** @type {Carriage} */
const base64 = {
  address: (url) => `${url}${url.includes("?") ? "&" : "?"}_base64=1`,
  pack: (message) => (typeof message === "string" ? message : btoa(characters(new Uint8Array(message)))),
  unpack: (data) => (typeof data === "string" ? Uint8Array.from(atob(data), (character) => character.charCodeAt(0)).buffer : data),
};

/**
 * @param {Primus} primus
 * @param {TransportPart} part
 * @returns {Carriage}
 */
export function carriageOf(primus, part) {
  return part.carries === "text" && makesBytes(primus) ? base64 : plain;
}

/**
 * Whether the client's parser makes bytes of messages, even of texts.
 *
 * @param {Primus} primus
 * @returns {boolean}
 */
function makesBytes(primus) {
  /** @type {any} */
  let packet;
  primus.encoder("", (_error, encoded) => {
    packet = encoded;
  });
  return ArrayBuffer.isView(packet) || Object.prototype.toString.call(packet) === "[object ArrayBuffer]";
}

/**
 * A character for each byte, as `btoa` wants it.
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
function characters(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return text;
}

/**
 * The client without a format: text is text, bytes are bytes, and nothing else is sent.
 */

/** @type {import("../../host/client/primus.d.ts").ParserPart} */
const raw = {
  name: "raw",

  encode(value) {
    if (typeof value === "string" || value === undefined || value === null) return value ?? undefined;
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    if (value instanceof ArrayBuffer) return value;
    throw new TypeError(`The raw parser sends text and bytes, not ${Array.isArray(value) ? "an array" : `a value of the type ${typeof value}`}`);
  },

  decode(data) {
    return data;
  },
};

export default raw;

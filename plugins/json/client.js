/**
 * JSON for the client: messages as text.
 *
 * U+2028 and U+2029 are escaped as Primus does it: JSON may hold them, older JavaScript source may not. A binary message
 * reaches the application as it came.
 */

const separators = /[\u2028\u2029]/g;

/** @type {import("../../host/client/primus.d.ts").ParserPart} */
const json = {
  name: "json",

  encode(value) {
    return JSON.stringify(value)?.replace(separators, (found) => (found === "\u2028" ? "\\u2028" : "\\u2029"));
  },

  decode(data) {
    return typeof data === "string" ? JSON.parse(data) : data;
  },
};

export default json;

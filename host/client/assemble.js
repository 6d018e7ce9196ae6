/**
 * How a client is assembled from `dist/core.js` and the client parts of plugins: the reference for the host's own assembler,
 * used by tests and type checks.
 *
 * It works on text, with these rules and no others:
 *
 * 1. A part is the text of an ES module without imports, in which exactly one line begins with `export default `. A
 *    `library` is the text of a plain script instead.
 * 2. In a part, those words at the beginning of that line become `return `, and the text is wrapped in a strict function that
 *    is called at once: its value is the part.
 * 3. The body is: the core (defines `core`); `var Primus = core.define(<config>);`; then a `core.register(Primus, <kind>,
 *    <name>, <part>);` for each transport, the parser and each extension; then a `core.library(Primus, function (Primus) {
 *    <text> });` for each library; each group in the order of the plugins. The body isn't strict, because libraries may not be;
 *    core and parts are.
 * 4. Names and the configuration are written as JSON. In it, `<`, U+2028 and U+2029 are escaped (`\u003c` …), so that the text
 *    can also stand in a script element.
 * 5. The UMD file calls the body in a function, for CommonJS, AMD or a global variable; an AMD page gets the variable too. The
 *    ES module has the same body, and exports.
 * 6. Every text that is put in stands on lines of its own, so that a comment at its end can't swallow what follows.
 */

/**
 * @typedef {{ kind: "transport" | "parser" | "extension" | "library", name: string, text: string }} Part
 * @typedef {import("./primus.d.ts").ClientConfig} ClientConfig
 */

/**
 * The client as a script: CommonJS, AMD, or a global variable.
 *
 * @param {string} core Text of `dist/core.js`.
 * @param {ClientConfig} config
 * @param {readonly Part[]} parts
 * @returns {string}
 */
export function assembleUmd(core, config, parts) {
  return `(function (root, factory) {
  if (typeof module === "object" && module.exports) {
    module.exports = factory();
    return;
  }
  var Primus = (root[${json(config.global)}] = factory());
  if (typeof define === "function" && define.amd) define([], function () { return Primus; });
})(typeof globalThis !== "undefined" ? globalThis : this, function () {
${body(core, config, parts)}
return Primus;
});
`;
}

/**
 * The client as an ES module.
 *
 * @param {string} core
 * @param {ClientConfig} config
 * @param {readonly Part[]} parts
 * @returns {string}
 */
export function assembleModule(core, config, parts) {
  return `${body(core, config, parts)}
export default Primus;
export { Primus };
`;
}

/**
 * @param {string} core
 * @param {ClientConfig} config
 * @param {readonly Part[]} parts
 * @returns {string}
 */
function body(core, config, parts) {
  /** @param {Part["kind"]} kind */
  const registered = (kind) =>
    parts
      .filter((part) => part.kind === kind)
      .map((part) => `core.register(Primus, ${json(kind)}, ${json(part.name)}, ${partExpression(part)});`);
  const libraries = parts
    .filter((part) => part.kind === "library")
    .map((part) => `core.library(Primus, function (Primus) {\n${part.text}\n});`);

  return [
    core,
    `var Primus = core.define(${json(config)});`,
    ...registered("transport"),
    ...registered("parser"),
    ...registered("extension"),
    ...libraries,
  ].join("\n");
}

/**
 * @param {Part} part
 * @returns {string}
 */
function partExpression({ name, text }) {
  const exports = text.match(/^export default /gm)?.length ?? 0;
  if (exports !== 1) throw new Error(`The client part ${name} must have one line that begins with "export default ", not ${exports}`);
  return `(function () {\n"use strict";\n${text.replace(/^export default /m, "return ")}\n})()`;
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function json(value) {
  return JSON.stringify(value).replace(/[<\u2028\u2029]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

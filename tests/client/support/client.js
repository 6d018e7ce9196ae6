/** Loads assembled clients, as Node or a page would. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import vm from "node:vm";

import { assembleUmd } from "../../../host/client/assemble.js";

const root = new URL("../../../", import.meta.url);
const require = createRequire(import.meta.url);

/** The text of a file of the repository. */
export const source = (path) => readFile(new URL(path, root), "utf8");

export const core = await source("host/client/dist/core.js");

export const config = {
  pathname: "/primus",
  version: "8.0.9",
  pingTimeout: 45_000,
  authorization: false,
  global: "Primus",
  transports: ["websocket"],
  parser: "json",
  library: "0123456789abcdef",
};

export const websocket = { kind: "transport", name: "websocket", text: await source("plugins/websocket/client.js") };
export const json = { kind: "parser", name: "json", text: await source("plugins/json/client.js") };

/** The extension that a plugin brings. */
export const extension = async (name) => ({ kind: "extension", name, text: await source(`plugins/${name}/client.js`) });

/** The constructor of a client that was loaded as a CommonJS module. */
export function loadClient({ parts = [websocket, json], ...settings } = {}) {
  const module = { exports: {} };
  const text = assembleUmd(core, { ...config, ...settings }, parts);
  vm.runInThisContext(`(function (module, exports, require) {${text}\n})`, { filename: "primus.js" })(module, module.exports, require);
  return module.exports;
}

/** The global object of a page after the client was loaded into it by a script element; code from strings is forbidden. */
export function loadPage(globals, { parts = [websocket, json], ...settings } = {}) {
  const page = vm.createContext(
    { setTimeout, clearTimeout, setInterval, clearInterval, URL, URLSearchParams, ...globals },
    { codeGeneration: { strings: false, wasm: false } },
  );
  vm.runInContext(assembleUmd(core, { ...config, ...settings }, parts), page, { filename: "primus.js" });
  return page;
}

/** A promise for the arguments of the next event of a name. */
export const next = (emitter, event) => new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));

/** The names of events, with what `describe` makes of their arguments, in the order they come. */
export function record(emitter, events, describe = () => undefined) {
  const seen = [];
  for (const event of events) {
    emitter.on(event, (...args) => {
      const detail = describe(event, ...args);
      seen.push(detail === undefined ? event : `${event} ${detail}`);
    });
  }
  return seen;
}

/**
 * Bundles `src/` into `dist/core.js`, the file that the host embeds: `node host/client/bundle.js`.
 *
 * The result is readable on purpose: what is served is the host's to compress, and a reader of a page's sources may want to
 * know what runs there. esbuild is one of the packages of `tests/`.
 */

import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const require = createRequire(new URL("../../tests/package.json", import.meta.url));

/**
 * The bundle's text.
 *
 * @returns {Promise<string>}
 */
export async function bundle() {
  /** @type {typeof import("esbuild")} */
  const esbuild = require("esbuild");
  const { outputFiles } = await esbuild.build({
    // The bundle names its files relative to this folder.
    absWorkingDir: fileURLToPath(new URL(".", import.meta.url)),
    entryPoints: ["src/core.js"],
    bundle: true,
    write: false,
    format: "iife",
    globalName: "core",
    target: "es2022",
    legalComments: "none",
  });
  // Strictness belongs inside: what the host puts after the core in the same function may be a sloppy library.
  const opening = /^"use strict";\nvar core = \(\(\) => \{\n/;
  const { text } = outputFiles[0];
  if (!opening.test(text)) throw new Error("The bundle doesn't begin as expected; look at bundle.js");
  return text.replace(opening, 'var core = (() => {\n  "use strict";\n');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await writeFile(new URL("dist/core.js", import.meta.url), await bundle());
}

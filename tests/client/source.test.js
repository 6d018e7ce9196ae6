import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { bundle } from "../../host/client/bundle.js";
import { core } from "./support/client.js";

const typescript = dirname(createRequire(import.meta.url).resolve("typescript/package.json"));

/** Runs the type checker over a project; fails with its complaints. */
async function check(project) {
  const path = fileURLToPath(new URL(project, import.meta.url));
  await promisify(execFile)(process.execPath, [join(typescript, "bin/tsc"), "--noEmit", "-p", path]).catch(({ message, stdout }) => {
    assert.fail(stdout || message);
  });
}

test("dist/core.js is what the sources make; else run `node host/client/bundle.js`", async () => {
  assert.equal(core, await bundle());
});

for (const [what, project] of [
  ["the client's sources and the client parts of the plugins", "../../host/client/tsconfig.json"],
  ["the declarations: the sources keep them", "types/conformity/tsconfig.json"],
  ["the declarations: applications can be written against them", "types/usage/tsconfig.json"],
]) {
  test(`types fit: ${what}`, () => check(project));
}

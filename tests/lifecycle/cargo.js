/**
 * @file Builds a plugin as its author would: by Cargo, with a toolchain and features of one's choice, also from changed sources.
 */

import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { build as releases, repository } from '../conformance/server.js';

/** Where these builds lie: beside the one of the workspace. */
const builds = join(dirname(releases), 'builds');

/** Whether there is another toolchain of this name. */
export function has(toolchain) {
  return spawnSync('rustc', [`+${toolchain}`, '--version']).status === 0;
}

/**
 * Builds a package's library, without optimisation, and resolves with its bytes.
 *
 * @param {object} how
 * @param {string} how.workspace The folder of its workspace.
 * @param {string} how.name The package.
 * @param {string} how.library The library's name.
 * @param {string} [how.toolchain]
 * @param {string} [how.features]
 */
export async function built({ workspace, name, library, toolchain, features }) {
  const target = join(builds, toolchain ?? 'own');
  const common = ['--manifest-path', join(workspace, 'Cargo.toml'), '--target-dir', target, '--package', name];
  const cargo = (/** @type {string[]} */ ...args) => promisify(execFile)('cargo', toolchain ? [`+${toolchain}`, ...args] : args, { maxBuffer: 64 << 20 });
  // To cargo, a changed copy of a workspace has the same packages: what was built of one would count as fresh for the other.
  await cargo('clean', ...common, '--package', 'switchboard-plugin-api');
  await cargo('build', ...common, ...(features ? ['--features', features] : []));
  return readFileSync(join(target, 'debug', `lib${library}.so`));
}

/**
 * Copies parts of the repository, with some places changed.
 *
 * @param {string} name Of the copy.
 * @param {string} root The folder that the parts lie in, from the repository's root.
 * @param {string[]} parts
 * @param {Record<string, [RegExp | string, string][]>} changes By file: what is replaced by what. Each has to be there.
 */
export function copied(name, root, parts, changes) {
  const copy = join(builds, 'sources', name);
  rmSync(copy, { recursive: true, force: true });
  for (const part of parts) {
    mkdirSync(dirname(join(copy, part)), { recursive: true });
    cpSync(join(repository, root, part), join(copy, part), { recursive: true });
  }
  for (const [file, replacements] of Object.entries(changes)) {
    let text = readFileSync(join(copy, file), 'utf8');
    for (const [from, to] of replacements) {
      const changed = text.replace(from, to);
      if (changed === text) throw new Error(`${file} has no ${from}`);
      text = changed;
    }
    writeFileSync(join(copy, file), text);
  }
  return copy;
}

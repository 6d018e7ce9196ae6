/**
 * @file What a retired generation still costs: the private memory of a server, before and after its plugins were replaced.
 *
 * `node retired.js [--reloads N] [--apart] [PLUGIN …]` prints a table. By default a few servers share the shipped plugins, which
 * is quicker; `--apart` gives each plugin a server of its own. A library that stays mapped costs what was written to it (its
 * relocations and statics), what was allocated and not freed, and the tables of its pages; its file is kept beside.
 */

import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { library, repository, start } from '../../conformance/server.js';
import { until } from '../../conformance/waiting.js';

/** The shipped plugins, by the names of their libraries. */
export function shipped() {
  const plugins = join(repository, 'plugins');
  const manifests = readdirSync(plugins).map((folder) => [folder, join(plugins, folder, 'Cargo.toml')]);
  return manifests
    .filter(([, manifest]) => existsSync(manifest) && /crate-type = .*cdylib/.test(readFileSync(manifest, 'utf8')))
    .map(([folder]) => folder.replaceAll('-', '_'));
}

/** Replacements before it is measured: the first bring things that are not made again. */
const WARM_UP = 3;

/** Milliseconds in which a busy machine replaces a plugin, and looks at what is idle. */
const DEADLINE = 60_000;

/**
 * Replaces all of `plugins` so many times, and answers what one generation costs, in KiB.
 *
 * @param {string[]} plugins
 * @param {number} reloads
 */
export async function measure(plugins, reloads) {
  const server = await start({ plugins, tables: { server: { shards: 2 } } });
  try {
    let edition = 0;
    const replace = async (times) => {
      for (let time = 0; time < times; time += 1) {
        edition += 1;
        const mark = server.log.length;
        for (const plugin of plugins) put(server, plugin, edition);
        await until(`the ${edition}th generations`, () => server.lines(/is replaced/, mark).length >= plugins.length, DEADLINE);
      }
      const retired = edition * plugins.length;
      await until(`${retired} retired generations`, () => server.lines(/is retired/).length >= retired, DEADLINE);
      // It is assembled beside, and there before it is answered.
      await (await fetch(server.at('/primus.js'))).text();
    };
    await replace(WARM_UP);
    const before = memory(server.pid);
    await replace(reloads);
    const after = memory(server.pid);
    const generations = reloads * plugins.length;
    const each = (key) => (after[key] - before[key]) / generations;
    return { plugins, reloads, anonymous: each('anonymous'), tables: each('tables'), file: files(server.pid) / (edition * plugins.length) };
  } finally {
    await server.remove();
  }
}

/** Puts a library in its place at once, with other bytes behind its end than the last. */
function put(server, plugin, edition) {
  const aside = join(server.plugins, `.${plugin}.new`);
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(edition);
  writeFileSync(aside, Buffer.concat([readFileSync(library(plugin)), mark]));
  renameSync(aside, join(server.plugins, `lib${plugin}.so`));
}

/** KiB of a process that belong to it alone and can't be had again from a file, and those of the tables of its pages. */
function memory(pid) {
  const of = (file, key) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))[1]);
  return { anonymous: of('smaps_rollup', 'Anonymous'), tables: of('status', 'VmPTE') };
}

/** KiB of the private copies of a process on its disk. */
function files(pid) {
  const folders = readdirSync(tmpdir()).filter((name) => new RegExp(`^switchboard-\\d+-${pid}(-|$)`).test(name));
  const paths = folders.flatMap((folder) => readdirSync(join(tmpdir(), folder)).map((file) => join(tmpdir(), folder, file)));
  return paths.reduce((sum, path) => sum + statSync(path).size, 0) / 1024;
}

/** A table of measurements. */
export function table(measurements) {
  const lines = [['plugins', 'reloads of each', 'private KiB', 'page tables KiB', 'file KiB']];
  for (const { plugins, reloads, anonymous, tables, file } of measurements) {
    lines.push([plugins.join(', '), String(reloads), anonymous.toFixed(1), tables.toFixed(1), file.toFixed(0)]);
  }
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  return lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join('  ')).join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    options: { reloads: { type: 'string' }, apart: { type: 'boolean' } },
    allowPositionals: true,
  });
  const plugins = positionals.length > 0 ? positionals : shipped();
  const size = values.apart ? 1 : 4;
  const groups = Array.from({ length: Math.ceil(plugins.length / size) }, (_, index) => plugins.slice(index * size, (index + 1) * size));
  const reloads = Number(values.reloads ?? 100);
  const measurements = [];
  if (values.apart) for (const group of groups) measurements.push(await measure(group, reloads));
  else measurements.push(...(await Promise.all(groups.map((group) => measure(group, reloads)))));
  console.log(table(measurements));
}

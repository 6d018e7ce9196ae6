/**
 * @file The README's table of clients: `npm run table` runs the matrix and writes it anew.
 *
 * Whether the table is what the matrix consists of is tested without running it (`table.test.js`).
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { cellsOf, parsers, places, rows } from './matrix.js';
import { repository } from './server.js';

const readme = join(repository, 'README.md');
const [start, end] = ['<!-- clients: written by `npm run table` in tests/ -->\n', '<!-- /clients -->\n'];

/**
 * The table in Markdown. Carriers of one client that have the same cells share a line.
 *
 * @param {(cell: import('./matrix.js').Cell) => boolean} passed
 */
export function tableOf(passed) {
  const lines = new Map();
  for (const row of rows) {
    const cells = parsers.map((parser) => {
      const those = places.flatMap((place) => cellsOf(place, parser).filter((cell) => cell.row === row));
      return those.map((cell) => (passed(cell) ? cell.place : `~~${cell.place}~~`)).join(', ') || '–';
    });
    const key = [row.client, ...cells].join('|');
    const line = lines.get(key) ?? { client: row.client, carriers: [], cells };
    line.carriers.push(row.carrier.replace(', ', ' → '));
    lines.set(key, line);
  }
  const body = [...lines.values()].map(({ client, carriers, cells }) => [nameOf(client), carriers.join(', '), ...cells]);
  const table = [['client', 'over', ...parsers], Array(2 + parsers.length).fill('---'), ...body];
  return table.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** A package with the version that is tested, or the browser's own interface. */
function nameOf(client) {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'tests/package.json'), 'utf8'));
  const [, name, version] = /^(?:npm:(.+)@)?([^@]+)$/.exec(devDependencies[client] ?? '') ?? [];
  return version ? `\`${name ?? client}\` ${version}` : `\`${client}\``;
}

/** The README: its table, and what stands before and after it. */
export function readReadme() {
  const [before, rest] = readFileSync(readme, 'utf8').split(start);
  const [table, after] = rest.split(end);
  return { before, table, after };
}

/** Runs the matrix. @returns {Record<string, boolean>} Whether the tests of a name passed. */
function run() {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-table-'));
  const file = join(folder, 'results.json');
  const reporter = fileURLToPath(new URL('results.js', import.meta.url));
  const report = [`--test-reporter=${reporter}`, `--test-reporter-destination=${file}`, '--test-reporter=dot', '--test-reporter-destination=stdout'];
  const suites = ['conformance', 'browser'].map((suite) => join(repository, 'tests', suite, 'matrix.test.js'));
  spawnSync(process.execPath, ['--test', '--test-timeout=240000', '--test-concurrency=1', ...report, ...suites], { stdio: 'inherit' });
  const results = JSON.parse(readFileSync(file, 'utf8'));
  rmSync(folder, { recursive: true });
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = run();
  const { before, after } = readReadme();
  writeFileSync(readme, before + start + tableOf(({ name }) => results[name] ?? false) + end + after);
}

/**
 * @file Runs one of the suites, `node suite.js NAME`, with a file a process.
 *
 * In CI (the variable `CI` is set) the files in which a test failed are run once more, one after another. A test that passes then
 * counts as passed, and is named at the end: these tests start servers, browsers and clients on machines that others use too.
 */

import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** Folders of each suite, files that run at once, and milliseconds that one may take. */
const suites = {
  conformance: { folders: ['conformance'], concurrency: 2, timeout: 240_000 },
  // Plugins are built in it.
  lifecycle: { folders: ['lifecycle'], concurrency: 1, timeout: 1_200_000 },
  client: { folders: ['client', 'parsers'], concurrency: 2, timeout: 240_000 },
  browser: { folders: ['browser'], concurrency: 1, timeout: 240_000 },
};

const name = process.argv[2];
const suite = suites[name];
if (!suite) {
  console.error(`usage: node suite.js ${Object.keys(suites).join(' | ')}`);
  process.exit(2);
}

const files = suite.folders.flatMap((folder) =>
  readdirSync(join(here, folder))
    .filter((file) => file.endsWith('.test.js'))
    .sort()
    .map((file) => join(here, folder, file)),
);

const first = await take(files, suite.concurrency);
let failed = first.failed;
if (failed.size > 0 && process.env.CI) {
  console.log(`\nonce more: ${[...failed.keys()].map((file) => relative(here, file)).join(', ')}\n`);
  const second = await take([...failed.keys()], 1);
  for (const [file, names] of failed) {
    const again = second.failed.get(file) ?? [];
    for (const test of names.filter((test) => !again.includes(test))) {
      console.log(`passed at the second time only: ${relative(here, file)}: ${test}`);
    }
  }
  failed = second.failed;
}

const count = [...failed.values()].reduce((sum, names) => sum + names.length, 0);
console.log(`# pass ${Math.max(first.tests - first.skipped - count, 0)}\n# fail ${count}\n# skipped ${first.skipped}`);
process.exitCode = count > 0 || first.tests === 0 ? 1 : 0;

/**
 * Runs files, and shows how it goes.
 *
 * @param {string[]} files
 * @param {number} concurrency
 * @returns {Promise<{ tests: number, skipped: number, failed: Map<string, string[]> }>} The tests that failed, by file.
 */
async function take(files, concurrency) {
  const taken = { tests: 0, skipped: 0, failed: new Map() };
  const stream = run({ files, concurrency, timeout: suite.timeout });
  stream.on('test:diagnostic', ({ message }) => {
    const [, word, number] = /^(tests|skipped|todo) (\d+)$/.exec(message) ?? [];
    if (word === 'tests') taken.tests += Number(number);
    else if (word) taken.skipped += Number(number);
  });
  stream.on('test:fail', ({ name, file, details, skip, todo }) => {
    // What only holds a test that failed is told of by that one.
    if (details.error?.failureType === 'subtestsFailed' || skip !== undefined || todo !== undefined) return;
    const of = file ?? files.find((one) => name.endsWith(one)) ?? name;
    taken.failed.set(of, [...(taken.failed.get(of) ?? []), name]);
  });
  const shown = stream.compose(spec);
  for await (const text of shown) process.stdout.write(text.toString().replace(/^ℹ (tests|suites|pass|fail|cancelled|skipped|todo) \d+\n/gm, ''));
  return taken;
}

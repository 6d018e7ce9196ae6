/**
 * @file The plugins.toml that is shipped explains every key there is, and what it shows as defaults is taken.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { build, library } from '../conformance/server.js';

const text = readFileSync(new URL('../../plugins.toml', import.meta.url), 'utf8');

/** Each table's part of the file, by name. Comments above a table are the former's: no key is named there. */
const tables = Object.fromEntries(text.split(/^(?=\[)/m).flatMap((part) => (part.startsWith('[') ? [[/^\[(.+)\]/.exec(part)[1], part]] : [])));
const plugins = Object.keys(tables).filter((name) => !/^(server|trust)\b/.test(name));

/** The parsers share their keys, which stand in the first one's table. */
const shown = (name) => (['ejson', 'binary', 'msgpack', 'cbor'].includes(name) ? tables.json : tables[name]);

const check = (file, ...args) => execFileSync(join(build, 'switchboard'), ['check', file, ...args], { encoding: 'utf8' });

describe('plugins.toml', () => {
  for (const name of plugins) {
    const file = library(name.replaceAll('-', '_'));

    test(`explains every key of ${name}`, () => {
      const keys = /^ +configured by (.+)$/m.exec(check(file))?.[1].split(', ') ?? [];
      const missing = keys.filter((key) => !new RegExp(`^#? ?${key} = `, 'm').test(shown(name)));
      assert.deepEqual(missing, []);
    });

    test(`shows what ${name} takes`, () => {
      const folder = mkdtempSync(join(tmpdir(), 'switchboard-'));
      try {
        writeFileSync(join(folder, 'plugins.toml'), tables[name].replace(/^#(?=[a-z_]+ = )/gm, ''));
        assert.match(check(file, '--config', join(folder, 'plugins.toml')), /: ok$/m);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});

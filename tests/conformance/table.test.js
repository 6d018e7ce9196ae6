/**
 * @file The README's table of clients is what the matrix consists of, all of it passed.
 */

import assert from 'node:assert/strict';
import test from 'node:test';

import { readReadme, tableOf } from './table.js';

test('the table in the README is the matrix; `npm run table` writes it', () => {
  assert.equal(readReadme().table, tableOf(() => true));
});

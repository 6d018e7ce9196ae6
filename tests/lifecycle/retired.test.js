/**
 * @file What a replaced plugin leaves behind is little: a bound that is far above what it is, and far below a copy of the library.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { measure, shipped } from './bench/retired.js';

/** KiB of private memory. A retired generation has some 60 to 150; a few replacements bring the allocator's own ups and downs. */
const MOST = 1_024;

describe('a retired generation costs little', () => {
  const plugins = shipped();
  for (let first = 0; first < plugins.length; first += 4) {
    const group = plugins.slice(first, first + 4);
    test(group.join(', '), async () => {
      const { anonymous, tables } = await measure(group, 20);
      assert.ok(anonymous + tables < MOST, `${anonymous} KiB, and ${tables} KiB of page tables`);
    });
  }
});

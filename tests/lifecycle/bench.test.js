/**
 * @file Nothing is lost when plugins change: a short run of the bench, with a seed that stays the same.
 *
 * `cargo xtask lifecycle` runs it for longer, and with others.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Account } from './bench/account.js';
import { run } from './bench/bench.js';
import { Random } from './bench/random.js';
import { run as upgrades } from './bench/upgrade.js';

describe('the account of numbers', () => {
  const of = (numbers) => {
    const account = new Account();
    for (const number of numbers) account.put(number);
    return account;
  };

  test('of numbers that all came in order has nothing to say', () => {
    const { repeated, reordered } = of([1, 2, 3]);
    assert.deepEqual([of([1, 2, 3]).lost(3), repeated, reordered], [0, 0, 0]);
  });

  test('knows what was lost: in the middle, at the end, all of it', () => {
    assert.equal(of([1, 3, 5]).lost(5), 2);
    assert.equal(of([1, 2]).lost(4), 2);
    assert.equal(of([]).lost(3), 3);
  });

  test('knows what was repeated, and what came too late', () => {
    assert.equal(of([1, 2, 2, 3]).repeated, 1);
    const late = of([1, 3, 2, 4]);
    assert.deepEqual([late.lost(4), late.repeated, late.reordered], [0, 0, 1]);
  });

  test('takes an error for an answer, also one that somebody else got', () => {
    const account = of([1]);
    account.refuse(2);
    account.put(3);
    assert.deepEqual([account.lost(3), account.refused.has(2)], [0, true]);
    assert.equal(of([1, 4]).lost(5, new Set([2, 3])), 1);
    assert.equal(of([1, 4]).lost(5, new Set([2, 3, 5])), 0);
  });
});

test('a seed brings the same numbers again', () => {
  const numbers = (seed) => {
    const random = new Random(seed);
    return Array.from({ length: 5 }, () => random.between(1, 1_000));
  };
  assert.deepEqual(numbers(7), numbers(7));
  assert.notDeepEqual(numbers(7), numbers(8));
});

test('while plugins are replaced, disabled, corrupted and panic, each message comes once and in order', async () => {
  const result = await run({ seed: 4, seconds: 15 });
  const { lost, repeated, reordered, dropped, unpromised, forgotten, faults } = result;
  assert.deepEqual({ lost, repeated, reordered, dropped, unpromised, forgotten, faults }, {
    lost: 0,
    repeated: 0,
    reordered: 0,
    dropped: 0,
    unpromised: [],
    forgotten: [],
    faults: [],
  });
  assert.ok(result.reloads > 0 && result.sent > 1_000 && result.promised > 0, JSON.stringify(result));
});

test('upgrades are measured with all connections that there are, and break none', async () => {
  const results = await upgrades({ rounds: 2, idle: 300, active: 10 });
  assert.equal(results.length, 2);
  for (const { pause, waited } of results) {
    assert.match(pause, /^[\d.]+[mµ]?s$/);
    assert.ok(waited > 0);
  }
});

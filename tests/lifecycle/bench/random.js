/**
 * @file Random numbers that can be had again: the same seed gives the same run of choices.
 */

/** A source of random numbers (mulberry32, 32 bits of state). */
export class Random {
  /** @param {number} seed An integer; its low 32 bits count. */
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** At least 0, less than 1. */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from `least` to `most`, both included. */
  between(least, most) {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** One of them. @template T @param {T[]} choices @returns {T} */
  of(choices) {
    return choices[this.between(0, choices.length - 1)];
  }

  /** One of the keys, as often as its weight says. @param {Record<string, number>} weights */
  weighted(weights) {
    const entries = Object.entries(weights);
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) {
      rest -= weight;
      if (rest < 0) return key;
    }
    return entries[0][0];
  }
}

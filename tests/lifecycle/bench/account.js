/**
 * @file The account of one run of numbers: each of 1, 2, 3, … has to come once, and in this order.
 *
 * Knows numbers only; nothing of clients or of why one is missing.
 */

export class Account {
  repeated = 0;
  reordered = 0;
  /** Numbers that were passed over and have not come yet. @type {Set<number>} */
  missing = new Set();
  /** Numbers that were answered by an error. @type {Set<number>} */
  refused = new Set();
  #next = 1;

  /** How many have come, by an error or not. */
  get settled() {
    return this.#next - 1 - this.missing.size;
  }

  /** Whether a number has come, or an error in its place. */
  has(number) {
    return number < this.#next && !this.missing.has(number);
  }

  /** A number has come. */
  put(number) {
    if (number >= this.#next) {
      for (let passed = this.#next; passed < number; passed += 1) this.missing.add(passed);
      this.#next = number + 1;
    } else if (this.missing.delete(number)) {
      this.reordered += 1;
    } else {
      this.repeated += 1;
    }
  }

  /** An error has come in a number's place. */
  refuse(number) {
    this.put(number);
    this.refused.add(number);
  }

  /** How many never came, of so many that were sent, without those that somebody else was told to be refused. */
  lost(sent, refusedElsewhere = new Set()) {
    let lost = Math.max(0, sent - (this.#next - 1));
    for (let number = this.#next; number <= sent; number += 1) if (refusedElsewhere.has(number)) lost -= 1;
    for (const number of this.missing) if (!refusedElsewhere.has(number)) lost += 1;
    return lost;
  }
}

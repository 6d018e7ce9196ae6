/**
 * Durations as people write them: a number of milliseconds, or text such as `500 ms`, `30 seconds`, `1.5m`.
 */

/** @type {Record<string, number>} */
const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const pattern = /^\s*(\d+(?:\.\d+)?)\s*(?:(ms|milliseconds?|msecs?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))?\s*$/i;

/**
 * Reads a duration; text without a unit is milliseconds.
 *
 * @param {number | string} value
 * @returns {number} Milliseconds.
 * @throws {RangeError} When `value` is neither a number nor such text.
 */
export function milliseconds(value) {
  const number = Number(value);
  if (!Number.isNaN(number)) return number;

  const match = pattern.exec(String(value));
  if (!match) throw new RangeError(`Not a duration: ${JSON.stringify(value)} (write milliseconds, or text such as "30 seconds")`);
  const [, amount, , s, m, h, d] = match;
  const unit = s ? "s" : m ? "m" : h ? "h" : d ? "d" : "ms";
  return Number(amount) * unitMs[unit];
}

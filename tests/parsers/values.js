/** Values of every kind that a message can have, by what they are. */

const pair = "\ud83d\udc4b";

/** Whole numbers on both sides of each width that a format may give them. */
const integers = [0, 1, 23, 24, 31, 32, 127, 128, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 53 - 1];
const negatives = [-1, -24, -25, -31, -32, -33, -127, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 40), -(2 ** 53) + 1];
const floats = [0.5, -0.1, 0.1, 1.5, 1e-7, 5e-324, 2.2250738585072014e-308, 3.4028234663852886e38, 1.7976931348623157e-300, -123456.789];

/** Lengths on both sides of each width that a format may give them. */
const lengths = [15, 16, 23, 24, 31, 32, 254, 255, 256];

const named = (list, what, make = (value) => value) => list.map((value) => [`${what} ${value}`, make(value)]);
const object = (length) => Object.fromEntries(Array.from({ length }, (_, index) => [`key${index}`, index]));

/** Values of plain JSON. @type {[string, any][]} */
export const plain = [
  ["null", null],
  ["true", true],
  ["false", false],
  ...named(integers, "the integer"),
  ...named(negatives, "the integer"),
  ...named(floats, "the float"),
  ["an empty text", ""],
  ["a text", "hello"],
  ["a control message", "primus::id::"],
  ["a text with umlauts", "Grüße"],
  ["a text with an astral character", `a${pair}b`],
  ["a text with separators of lines", "a\u2028b\u2029"],
  ["a text with control characters", "\u0000\n\"\\\u007f"],
  ["a text that begins with a byte order mark", "\ufeffa"],
  ...named(lengths, "a text of the length", (length) => "x".repeat(length)),
  ["an empty array", []],
  ["an array in arrays", [1, [2, [3, []]]]],
  ...named([15, 16, 24, 256], "an array of the length", (length) => Array.from({ length }, (_, index) => index % 2 === 0)),
  ["an empty object", {}],
  ["an object", { a: 1 }],
  ["an object in objects", { b: { a: null, c: ["d"] }, a: {} }],
  ["an object whose keys are no names", { "": 1, "ä b": 2, [pair]: 3 }],
  ...named([15, 16, 24, 256], "an object of the size", object),
];

/** What JSON lacks. @type {[string, any][]} */
export const numbers = [
  ["NaN", NaN],
  ["infinity", Infinity],
  ["the infinity below zero", -Infinity],
  ["an array of these", [NaN, 1, Infinity, -Infinity]],
];

/** @type {[string, any][]} */
export const dates = [
  ["the epoch", new Date(0)],
  ["a date", new Date(1_700_000_000_000)],
  ["a date with milliseconds", new Date(1_700_000_000_123)],
  ["a date before 1970", new Date(-1)],
  ["a date of the next century", new Date(Date.UTC(2123, 1, 28, 23, 59, 59, 500))],
  ["a small date", new Date(86_400_000)],
  ["dates in an object", { from: new Date(0), to: [new Date(1_000)] }],
];

/** With `Buffer`s, as npm's packages have them in Node. @type {[string, any][]} */
export const bytes = [
  ["no bytes", Buffer.alloc(0)],
  ["bytes", Buffer.from([1, 2, 3])],
  ...named(lengths, "bytes of the length", (length) => Buffer.alloc(length, 0xfe)),
  ["bytes in an object", { file: Buffer.from([0, 255]), name: "a" }],
];

/** Half of a pair can't be written as UTF-8. @type {[string, any][]} */
export const halves = [
  ["half of a surrogate pair at the end", "a\ud83d"],
  ["half of a surrogate pair within", "\udc4ba"],
];

/**
 * A value made by chance: of plain JSON, with what `leaf` gives in between.
 *
 * @param {() => number} random From 0 up to 1.
 * @param {(() => any)[]} leaves
 * @param {number} [depth]
 * @returns {any}
 */
export function anyValue(random, leaves, depth = 0) {
  const choose = (list) => list[Math.floor(random() * list.length)];
  const size = () => (random() < 0.1 ? Math.floor(random() * 300) : Math.floor(random() * 5));
  const text = () => Array.from({ length: size() }, () => choose(["a", "é", "\u2028", pair, "$", "\u0000", "€", " "])).join("");
  const nested = () => anyValue(random, leaves, depth + 1);
  const containers = [
    () => Array.from({ length: size() }, nested),
    () => Object.fromEntries(Array.from({ length: size() }, () => [choose([text(), choose(specialKeys)]), nested()])),
  ];
  const scalars = [
    () => null,
    () => random() < 0.5,
    () => choose(integers),
    () => choose(negatives),
    () => Math.floor((random() - 0.5) * 2 ** (random() * 53)),
    () => (random() - 0.5) * 10 ** (random() * 30 - 15),
    text,
    ...leaves,
  ];
  return choose(depth < 4 ? [...scalars, ...containers, ...containers] : scalars)();
}

/** The keys that mean something in EJSON. */
const specialKeys = ["$date", "$InfNaN", "$binary", "$escape", "$regexp", "$flags", "$type", "$value"];

/**
 * A sequence of numbers that looks like chance and is always the same.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

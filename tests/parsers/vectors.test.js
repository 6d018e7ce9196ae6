/** Our client parts against npm's packages, byte by byte. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import vm from "node:vm";

import { vectors } from "./generate.js";
import { browserSource, clientPart, npm } from "./parsers.js";
import { anyValue, bytes, dates, halves, numbers, plain, randomFrom } from "./values.js";

const ours = Object.fromEntries(
  await Promise.all(["ejson", "binary", "msgpack", "cbor", "raw"].map(async (name) => [name, await clientPart(name)])),
);

const hex = (wire) => (typeof wire === "string" ? wire : wire === undefined ? undefined : Buffer.from(wire).toString("hex"));

/** A value with `Uint8Array` for a `Buffer`, which is one to the application. */
function withoutBuffers(value) {
  if (Buffer.isBuffer(value)) return new Uint8Array(value);
  if (Array.isArray(value)) return value.map(withoutBuffers);
  if (Object.prototype.toString.call(value) !== "[object Object]") return value;
  return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, withoutBuffers(value)]));
}

/** The same value of this realm, for one that code in another made. */
const ofThisRealm = (value) => structuredClone(value);

/** What a value is where JSON drops or replaces it. */
const isRefused = (encode, value) => {
  try {
    return encode(value) === undefined;
  } catch {
    return true;
  }
};

/** Whole numbers for which npm's BinaryPack writes what its own decoder can't read, or nothing. */
function hasInt64(value) {
  if (typeof value === "number") return Math.floor(value) === value && (value > 2 ** 32 - 1 || value < -(2 ** 31));
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && Object.values(value).some(hasInt64);
}

test("vectors.json is what npm's packages make; else run `node tests/parsers/generate.js`", async () => {
  assert.equal(await readFile(new URL("vectors.json", import.meta.url), "utf8"), await vectors());
});

const common = [...plain, ...numbers, ...dates, ...bytes, ...halves];
const views = [Int8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array, Uint8ClampedArray];

/** Values that only this format has, besides those that all have. @type {Record<string, [string, any][]>} */
const special = {
  ejson: [
    ["a Uint8Array", new Uint8Array([1, 2, 3])],
    ["a long Uint8Array", new Uint8Array(100_000).fill(7)],
    ["a regular expression", [/a+\/"/gi, /\n/]],
    ["undefined", undefined],
    ["undefined in an array and an object", [undefined, { a: undefined, b: () => {} }]],
    ["objects that look like something else", [{ $date: 1 }, { $binary: {} }, { $InfNaN: NaN }, { $escape: { $date: new Date(1) } }]],
    ["more of them", [{ $type: 1, $value: new Date(2) }, { $flags: "", $regexp: "a" }, { $date: 1, a: 1 }, { $regexp: "" }, { "$regexp $flags": 1 }]],
    ["an object of a class", new (class Point { x = 1; at = new Date(3); })()],
    ["a typed array", new Float32Array([1.5])],
  ],
  binary: [
    ["undefined", undefined],
    ["undefined in an object", { a: undefined, b: [undefined] }],
    ["zero below zero", -0],
    ["a text of 65536 bytes", "x".repeat(65536)],
    ["bytes of the length 65536", Buffer.alloc(65536)],
  ],
  msgpack: [
    ["undefined", undefined],
    ["undefined in an object", { a: undefined, b: [undefined, () => {}, Symbol("s")] }],
    ["zero below zero", -0],
    ["a Map", new Map([[1, 2]])],
    ["regular expressions", [/a\/b/gi, /\n/]],
    ["errors", [new Error("a"), new RangeError("b"), new TypeError("c"), new (class Own extends Error {})("d")]],
    ...views.map((View) => [`a ${View.name}`, new View([1, 2, 3])]),
    ["a DataView", new DataView(new ArrayBuffer(5))],
    ["a view of a part", new Int16Array(new Int16Array([1, 2, 3]).buffer, 2, 1)],
    ["a text of 65536 bytes", "x".repeat(65536)],
    ["an array of 65536 elements", new Array(65536).fill(1)],
    ["bytes of the length 65536", Buffer.alloc(65536)],
  ],
};

for (const [name, codec] of Object.entries(npm)) {
  const client = ours[name];
  // What npm's does badly in BinaryPack is tested on its own.
  const values = [...common, ...special[name]].filter(([, value]) => name !== "binary" || (!hasInt64(value) && !isRefused(codec.encode, value)));

  test(`${name}: our client writes what npm's writes`, () => {
    for (const [what, value] of values) assert.equal(hex(client.encode(value)), hex(codec.encode(value)), what);
  });

  test(`${name}: our client reads what npm's reads`, () => {
    for (const [what, value] of values) {
      const wire = codec.encode(value);
      if (wire !== undefined) assert.deepEqual(client.decode(wire), withoutBuffers(codec.decode(wire)), what);
    }
  });

  test(`${name}: our client writes and reads by chance what npm's does`, () => {
    const random = randomFrom(7);
    const leaves = {
      ejson: [() => new Date(Math.floor(random() * 2e12)), () => Buffer.from([random() * 256]), () => NaN, () => -Infinity],
      binary: [() => new Date(Math.floor(random() * 2e12)), () => Buffer.alloc(1 + random() * 300), () => NaN],
      msgpack: [() => new Date(Math.floor(random() * 2e12)), () => Buffer.alloc(random() * 300), () => NaN, () => -Infinity],
    }[name];
    let compared = 0;
    for (let round = 0; round < 1000; round++) {
      const value = anyValue(random, leaves);
      if (name === "binary" && hasInt64(value)) continue;
      const wire = codec.encode(value);
      assert.equal(hex(client.encode(value)), hex(wire));
      assert.deepEqual(client.decode(wire), withoutBuffers(codec.decode(wire)));
      compared++;
    }
    assert.ok(compared > 300, `${compared} values were compared`);
  });
}

test("binary: npm's reads the whole numbers that ours writes in its place", () => {
  for (const value of [2 ** 32, 2 ** 40, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER, 1e300, Infinity, -Infinity]) {
    assert.equal(npm.binary.decode(ours.binary.encode([value]))[0], value);
    assert.equal(ours.binary.decode(ours.binary.encode(value)), value);
  }
  assert.equal(ours.binary.decode(Buffer.from("d3ffffff0000000000", "hex")), -(2 ** 40));
  assert.equal(ours.binary.decode(Buffer.from("cf0000010000000000", "hex")), 2 ** 40);
});

test("binary: views and an ArrayBuffer are sent as their bytes", () => {
  const { buffer } = new Uint8Array([9, 1, 2, 3]);
  for (const value of [new Uint8Array(buffer, 1), new DataView(buffer, 1), buffer.slice(1)]) {
    assert.equal(hex(ours.binary.encode(value)), "a3010203");
  }
  assert.equal(hex(ours.binary.encode(new Uint8Array(0))), "a0");
});

test("binary: long arrays and objects have lengths of 16 and 32 bits", () => {
  // npm's takes minutes for them.
  assert.equal(hex(ours.binary.encode(new Array(65535).fill(null)).subarray(0, 4)), "dcffffc0");
  assert.equal(hex(ours.binary.encode(new Array(65536).fill(null)).subarray(0, 6)), "dd00010000c0");
  assert.deepEqual(ours.binary.decode(ours.binary.encode(new Array(65536).fill(7))), new Array(65536).fill(7));
});

test("ejson: an invalid date is null, and an ArrayBuffer its bytes", () => {
  assert.equal(ours.ejson.encode([new Date(NaN)]), "[null]");
  assert.equal(ours.ejson.encode(new Uint8Array([1, 2, 3]).buffer), '{"$binary":"AQID"}');
  assert.deepEqual(ours.ejson.decode('{"$type":"own","$value":{"$date":1}}'), { $type: "own", $value: new Date(1) });
});

test("msgpack: bytes are sent as such, whatever they are in", () => {
  for (const value of [new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3]).buffer, new Uint8Array([0, 1, 2, 3]).subarray(1)]) {
    assert.equal(hex(ours.msgpack.encode(value)), "c403010203");
  }
});

test("msgpack: an invalid date stays one", () => {
  const wire = ours.msgpack.encode(new Date(NaN));
  assert.equal(hex(wire), hex(npm.msgpack.encode(new Date(NaN))));
  assert.equal(ours.msgpack.decode(wire).getTime(), NaN);
});

test("msgpack: timestamps of the specification are dates", () => {
  const decode = (digits) => ours.msgpack.decode(Buffer.from(digits, "hex"));
  assert.deepEqual(decode("d6ff6553f100"), new Date(1_700_000_000_000));
  assert.deepEqual(decode("d7ff1d6f34546553f100"), new Date(1_700_000_000_123));
  assert.deepEqual(decode("c70cff1dcd6500ffffffffffffffff"), new Date(-500));
  assert.throws(() => decode("d5ff0000"), /timestamp/);
  assert.throws(() => decode("d46401"), /extension type 100 is unknown/);
});

test("cbor: what our client writes it reads", () => {
  const values = [...common.filter((each) => !halves.includes(each)), ["a bigint", [2n ** 53n, -1n]], ["zero below zero", -0]];
  for (const [what, value] of values) {
    const read = ours.cbor.decode(ours.cbor.encode(value));
    assert.deepEqual(read, what === "a bigint" ? value.map(Number) : withoutBuffers(value), what);
  }
  const random = randomFrom(11);
  const leaves = [() => new Date(Math.floor(random() * 4e12 - 2e12)), () => new Uint8Array(random() * 300), () => -0, () => NaN, () => Math.fround(random())];
  for (let round = 0; round < 2000; round++) {
    const value = anyValue(random, leaves);
    assert.deepEqual(ours.cbor.decode(ours.cbor.encode(value)), value);
  }
});

test("cbor: undefined is left out, a Map is an object", () => {
  assert.deepEqual(ours.cbor.decode(ours.cbor.encode({ a: undefined, b: [undefined] })), { b: [null] });
  assert.deepEqual(ours.cbor.decode(ours.cbor.encode(new Map([[1, "a"]]))), { 1: "a" });
  assert.equal(ours.cbor.decode(ours.cbor.encode(undefined)), undefined);
  assert.throws(() => ours.cbor.encode(2n ** 64n), TypeError);
  assert.throws(() => ours.cbor.encode(() => {}), TypeError);
});

test("cbor: all of the specification's forms are read", () => {
  const decode = (digits) => ours.cbor.decode(Buffer.from(digits, "hex"));
  // RFC 8949, appendix A.
  const forms = {
    "5f42010243030405ff": new Uint8Array([1, 2, 3, 4, 5]),
    "7f657374726561646d696e67ff": "streaming",
    "9f018202039f0405ffff": [1, [2, 3], [4, 5]],
    bf6346756ef563416d7421ff: { Fun: true, Amt: -2 },
    "1bffffffffffffffff": 2 ** 64,
    "3bffffffffffffffff": -(2 ** 64),
    f90001: 2 ** -24,
    f97c00: Infinity,
    fa47c35000: 100_000,
    c074323031332d30332d32315432303a30343a30305a: new Date(1_363_896_240_000),
    c1fb41d452d9ec200000: new Date(1_363_896_240_500),
    d9d9f781f6: [null],
  };
  for (const [digits, value] of Object.entries(forms)) assert.deepEqual(decode(digits), value, digits);
  for (const digits of ["", "8201", "9f01", "0102", "ff", "f0", "1c", "c24101", "c16161", "61ff", "7f4161ff", "1f"]) {
    assert.throws(() => decode(digits), digits);
  }
});

test("raw: text is text, bytes are bytes, nothing else is sent", () => {
  assert.equal(ours.raw.encode("a"), "a");
  assert.equal(hex(ours.raw.encode(new Uint8Array([0, 1, 2]).subarray(1))), "0102");
  assert.equal(hex(ours.raw.encode(new Uint8Array([1]).buffer)), "01");
  assert.equal(ours.raw.encode(undefined), undefined);
  assert.throws(() => ours.raw.encode({}), /not a value of the type object/);
  assert.throws(() => ours.raw.encode([1]), /not an array/);
  assert.equal(ours.raw.decode("{}"), "{}");
});

for (const name of ["binary", "msgpack", "cbor"]) {
  test(`${name}: bytes by chance are a value or an error, and no length is trusted`, () => {
    const random = randomFrom(13);
    for (let round = 0; round < 20_000; round++) {
      const bytes = Uint8Array.from({ length: random() * 20 }, () => random() * 256);
      try {
        ours[name].encode(ours[name].decode(bytes));
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }
    for (const head of name === "cbor" ? ["5b", "7b", "9b", "bb"] : ["db", "dd", "df"]) {
      assert.throws(() => ours[name].decode(Buffer.from(`${head}ffffffffffffffff`, "hex")), head);
    }
    assert.throws(() => ours[name].decode("text"), TypeError);
    const small = ours[name].encode([1]);
    assert.throws(() => ours[name].decode(Buffer.concat([small, small])), /More bytes/);
    assert.deepEqual(ours[name].decode(new Uint8Array(small).buffer), [1], "an ArrayBuffer is what a browser's socket gives");
  });

  test(`${name}: a key cannot change what an object is made of`, () => {
    const read = ours[name].decode(ours[name].encode(JSON.parse('{"__proto__":{"admin":true}}')));
    assert.equal(read.admin, undefined);
    assert.deepEqual(Object.keys(read), ["__proto__"]);
  });
}

/** What npm's packages are in a page, where there is no `Buffer`. */
const browser = {
  ejson: (page) => {
    vm.runInContext(browserSource.ejson, page);
    const { stringify, parse } = vm.runInContext("EJSON", page);
    return { encode: stringify, decode: parse };
  },
  binary: (page) => {
    vm.runInContext(`var holder = {}; (function () {${browserSource.binary}}).call(holder); holder.exports = exports`, page);
    const { pack, unpack } = page.exports.BinaryPack ?? page.holder.BinaryPack;
    return { encode: async (value) => new Uint8Array(await pack(value).arrayBuffer()), decode: (wire) => unpack(new Uint8Array(wire).buffer) };
  },
  msgpack: (page) => {
    vm.runInContext(browserSource.msgpack, page);
    return page.exports.msgpack;
  },
};

for (const [name, load] of Object.entries(browser)) {
  test(`${name}: npm's library for browsers and our client understand each other`, async () => {
    const page = vm.createContext({ exports: {}, Blob, File: Blob, Uint8Array, ArrayBuffer, Array, Object, Date });
    const library = load(page);
    // The library for browsers writes astral characters in BinaryPack with a wrong length, and reads small fractions inexactly.
    const isSound = ([, value]) => name !== "binary" || !(typeof value === "number" && Math.abs(value) < 1e-300 && value) && !/[\ud800-\udfff]/.test(JSON.stringify(value));
    for (const [what, value] of plain.filter(isSound).filter(([, value]) => name !== "binary" || !hasInt64(value))) {
      assert.deepEqual(ofThisRealm(library.decode(ours[name].encode(value))), value, `${what}, written by ours`);
      assert.deepEqual(ours[name].decode(await library.encode(value)), value, `${what}, written by npm's`);
    }
  });
}

import assert from "node:assert/strict";
import test from "node:test";

import { loadClient } from "./support/client.js";

/** The URL that a client of this address opens, without its unique stamp. */
function opened(address, options) {
  const Primus = loadClient();
  const client = new Primus(address, { manual: true, ...options });
  return client.uri({ protocol: "ws:", query: true }).replace(/[?&]_primuscb=\w+$/, "");
}

for (const [address, url] of Object.entries({
  "http://server.test": "ws://server.test/primus",
  "https://server.test": "wss://server.test/primus",
  "ws://server.test:8080": "ws://server.test:8080/primus",
  "wss://server.test:444/": "wss://server.test:444/primus",
  "http://server.test/ignored/path?a=1&b=%20#hash": "ws://server.test/primus?a=1&b=%20",
  "http://name:secret@server.test": "ws://name:secret@server.test/primus",
  "http://[::1]:8080": "ws://[::1]:8080/primus",
  "server.test:8080": "ws://server.test:8080/primus",
  "//server.test": "ws://server.test/primus",
  "?a=1": "ws://127.0.0.1/primus?a=1",
  "": "ws://127.0.0.1/primus",
})) {
  test(`${JSON.stringify(address)} connects to ${url}`, () => assert.equal(opened(address), url));
}

test("the address may also be an option, `url` or `uri`", () => {
  assert.equal(opened({ url: "http://a.test", manual: true }), "ws://a.test/primus");
  assert.equal(opened(undefined, { uri: "http://b.test" }), "ws://b.test/primus");
});

test("an address that is no URL is refused", () => {
  const Primus = loadClient();
  assert.throws(() => new Primus("http://", { manual: true }), TypeError);
});

test("no two URLs are the same, not even those of one instant", (t) => {
  t.mock.method(Date, "now", () => 1_700_000_000_000);
  const Primus = loadClient();
  const client = new Primus("http://server.test", { manual: true });
  assert.notEqual(client.uri({ query: true }), client.uri({ query: true }));
});

test("`uri` gives the parts when it is asked for them", () => {
  const Primus = loadClient();
  const client = new Primus("https://server.test?a=1", { manual: true });
  const parts = client.uri({ protocol: "http:", query: true, object: true });
  assert.deepEqual([parts.secure, parts.port, parts.pathname], [true, 443, "/primus"]);
  assert.match(parts.query, /^a=1&_primuscb=\w+$/);
  assert.equal(client.uri(), "https://server.test/primus");
});

test("query strings are read and written", () => {
  const Primus = loadClient();
  const client = new Primus("http://server.test", { manual: true });
  assert.deepEqual({ ...client.querystring("?a=1&a=2&b=%20+&__proto__=x") }, Object.fromEntries([["a", "1"], ["b", "  "], ["__proto__", "x"]]));
  assert.equal(client.querystringify({ a: "x y", b: undefined, c: 0 }), "a=x%20y&b=&c=0");
});

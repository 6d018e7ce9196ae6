import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { WritableStream } from "node:stream/web";
import test from "node:test";

import { loadClient, record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

test("transformers change messages on their way out and in, in the order they were added", (t) => {
  const { client, transport, open, receive } = scriptedClient(t);
  open();
  client
    .transform("outgoing", (packet) => void (packet.data = `${packet.data}1`))
    .transform("outgoing", (packet) => void (packet.data = `${packet.data}2`))
    .transform("incoming", function transformer(packet) {
      assert.equal(this, client);
      packet.data = packet.data.toUpperCase();
    });
  const events = record(client, ["data"], (event, data, raw) => `${data} ${raw}`);
  client.write("out");
  receive("in");
  assert.deepEqual(transport.last.sent, ["out12"]);
  assert.deepEqual(events, ['data IN "in"']);
});

test("a transformer keeps a message by `false`, at once or later", async (t) => {
  const { client, transport, open, receive } = scriptedClient(t);
  open();
  client.transform("outgoing", (packet) => packet.data !== "no");
  client.transform("outgoing", (packet, next) => queueMicrotask(() => next(null, packet.data !== "not now")));
  client.transform("incoming", ({ data }) => data !== "no");
  const events = record(client, ["data"], (event, data) => data);
  for (const message of ["no", "not now", "yes"]) client.write(message);
  for (const message of ["no", "yes"]) receive(message);
  await Promise.resolve();
  assert.deepEqual(transport.last.sent, ["yes"]);
  assert.deepEqual(events, ["data yes"]);
});

test("an error of a transformer is an `error` event, and the message stays behind", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  client.transform("outgoing", (packet, next) => next(new Error("no key")));
  const events = record(client, ["error"], (event, error) => error.message);
  client.write("x");
  assert.deepEqual(events, ["error no key"]);
  assert.deepEqual(transport.last.sent, []);
});

test("a transformer for another direction is refused", (t) => {
  const { client } = scriptedClient(t);
  assert.throws(() => client.transform("sideways", () => {}), /"sideways"/);
  const events = record(client, ["error"]);
  client.transform("constructor", () => {});
  assert.deepEqual(events, ["error"]);
});

test("an extension runs once for each client, with its options, and is found by its name", (t) => {
  const calls = [];
  const { Primus, client } = scriptedClient(t, {
    options: { greeting: { word: "hi" } },
    extensions: [
      { kind: "extension", name: "first", text: "export default (primus, options) => { primus.word = options.greeting.word; };" },
      { kind: "extension", name: "second", text: "export default function client(primus) { this.words = [primus.word, primus.word]; } // end" },
    ],
    setup: (constructor) => {
      constructor.prototype.ark.third = (primus) => calls.push(primus.words);
    },
  });
  assert.deepEqual(client.words, ["hi", "hi"]);
  assert.deepEqual(calls, [["hi", "hi"]]);
  assert.deepEqual(Object.keys(client.plugin()), ["first", "second", "third"]);
  assert.equal(client.plugin("third"), Primus.prototype.ark.third);
  assert.equal(client.plugin("fourth"), undefined);
});

test("listeners of `outgoing::url` change where the client connects to", (t) => {
  const { client, transport, tick } = scriptedClient(t);
  client.on("outgoing::url", (parts) => {
    const query = client.querystring(parts.query);
    query.token = "a b&c";
    parts.query = client.querystringify(query);
    parts.secure = true;
  });
  tick(0);
  assert.match(transport.last.url, /^https:\/\/server\.test\/primus\?_primuscb=\w+&token=a%20b%26c$/);
});

test("every connection has another URL", (t) => {
  const { transport, tick, open } = scriptedClient(t);
  open();
  transport.last.events.close();
  tick(500);
  assert.notEqual(transport.connections[0].url, transport.connections[1].url);
});

test("the names of the client's own events are reserved, and those of its hooks", (t) => {
  const { client } = scriptedClient(t);
  for (const event of ["open", "data", "reconnect scheduled", "readyStateChange", "incoming::x", "outgoing::url"]) assert.ok(client.reserved(event), event);
  for (const event of ["news", "constructor", "toString", "in"]) assert.ok(!client.reserved(event), event);
  client.reserved.events.news = 1;
  assert.ok(client.reserved("news"));
});

test("`emits` makes functions that emit, with arguments of their own", (t) => {
  const { client } = scriptedClient(t);
  const events = record(client, ["x", "error"], (event, ...args) => JSON.stringify(args));
  client.emits("x")(1, 2);
  client.emits("x", "own")(1);
  client.emits("x", "own", (next, value) => next(undefined, [value, value]))(1);
  client.emits("x", (next, value) => next(undefined, value + 1))(1);
  client.emits("x", "own", (next) => next(undefined, null))(1);
  client.emits("x", (next) => next())(1);
  client.emits("x", (next) => next("bad"))(1);
  assert.deepEqual(events, ["x [1,2]", 'x ["own",1]', 'x ["own",1,1]', "x [2]", 'x ["own"]', "x [1]", 'error ["bad"]']);
});

test("a client pipes its messages into a Node stream, through a reconnect, until its own end", async (t) => {
  const { client, transport, tick, open, receive } = scriptedClient(t);
  open();
  const stream = client.pipe(new PassThrough());
  receive("one ");
  transport.last.events.close();
  tick(500);
  transport.last.events.open();
  receive("two");
  client.end();
  t.mock.timers.reset();
  assert.equal(Buffer.concat(await stream.toArray()).toString(), "one two");
});

test("a client pipes its messages into a stream of the web", async (t) => {
  const { client, open, receive } = scriptedClient(t);
  open();
  const chunks = [];
  const closed = new Promise((resolve) => {
    client.pipe(new WritableStream({ write: (chunk) => void chunks.push(chunk), close: () => resolve() }));
  });
  receive({ a: 1 });
  receive("two");
  client.end();
  await closed;
  assert.deepEqual(chunks, [{ a: 1 }, "two"]);
});

test("with `end: false` a destination stays open", async (t) => {
  const { client, open, receive } = scriptedClient(t);
  open();
  const stream = client.pipe(new PassThrough({ objectMode: true }), { end: false });
  receive("one");
  client.end();
  assert.equal(stream.read(), "one");
  assert.equal(stream.writableEnded, false);
});

test("a Node stream pipes into a client, and ends it", async (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  t.mock.timers.reset();
  const ended = new Promise((resolve) => client.once("end", resolve));
  Readable.from([{ n: 1 }, { n: 2 }]).pipe(client);
  await ended;
  assert.deepEqual(transport.last.sent, [{ n: 1 }, { n: 2 }]);
});

test("listeners: once, removed, and added while an event is on its way", () => {
  const { EventEmitter } = loadClient();
  const emitter = new EventEmitter();
  const seen = [];
  const listener = () => seen.push("removed");
  emitter.once("x", () => emitter.on("x", () => seen.push("added")) && seen.push("once"));
  emitter.on("x", listener).off("x", listener);
  emitter.on("x", function context() {
    seen.push(this.name);
  }, { name: "context" });
  assert.equal(emitter.emit("x"), true);
  assert.deepEqual(seen, ["once", "context"]);
  emitter.emit("x");
  assert.deepEqual(seen, ["once", "context", "context", "added"]);
  assert.equal(emitter.listenerCount("x"), 2);
  assert.deepEqual(emitter.eventNames(), ["x"]);
  emitter.removeAllListeners("x");
  assert.equal(emitter.emit("x"), false);
  assert.equal(emitter.emit("error", new Error("nobody listens")), false);
  assert.throws(() => emitter.on("x", "not a function"), TypeError);
});

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

import { extension, json, loadClient, next, record, websocket } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";
import { connect, startServer } from "./support/server.js";

const npmEmitter = createRequire(import.meta.url)("primus-emitter");
const emitter = await extension("emitter");
const Primus = loadClient({ parts: [websocket, json, emitter] });

/** A primus-emitter server. */
const startEmitter = (t, connection) =>
  startServer(t, { plugins: { emitter: npmEmitter }, setup: (primus) => primus.on("connection", connection) });

test("an event reaches the server with all its arguments", async (t) => {
  const received = new Promise((resolve) => {
    startEmitter(t, (spark) => spark.on("news", (...args) => resolve(args))).then(({ url }) => {
      connect(t, Primus, url).send("news", 1, { two: [2] }, "three");
    });
  });
  assert.deepEqual(await received, [1, { two: [2] }, "three"]);
});

test("the server's event reaches the client's listeners, and not those of `data`", async (t) => {
  const { url } = await startEmitter(t, (spark) => {
    spark.send("news", 1, { two: [2] });
    spark.write("end");
  });
  const client = connect(t, Primus, url);
  const events = record(client, ["data", "news"], (event, ...args) => JSON.stringify(event === "data" ? args[0] : args));
  await next(client, "data");
  assert.deepEqual(events, ['news [1,{"two":[2]}]', 'data "end"']);
});

test("the server acknowledges: by callback with all values, by promise with the first", async (t) => {
  const { url } = await startEmitter(t, (spark) => spark.on("add", (a, b, reply) => reply(a + b, "sum")));
  const client = connect(t, Primus, url);
  assert.deepEqual(await new Promise((resolve) => client.send("add", 1, 2, (...values) => resolve(values))), [3, "sum"]);
  assert.equal(await client.request("add", 3, 4), 7);
  assert.deepEqual(await Promise.all([client.request("add", 5, 0), client.request("add", 6, 0)]), [5, 6]);
});

test("the client acknowledges, once", async (t) => {
  const answers = [];
  const { url } = await startEmitter(t, (spark) => {
    spark.send("ask", 7, (...values) => answers.push(values));
    spark.on("done", () => spark.write(answers));
  });
  const client = connect(t, Primus, url);
  client.on("ask", (value, reply) => {
    reply(value * 2, null);
    reply("again");
    client.send("done");
  });
  assert.deepEqual((await next(client, "data"))[0], [[14, null]]);
});

test("packets are those of primus-emitter", (t) => {
  const { client, transport, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  client.send("news", 1);
  client.send("ask", () => {});
  client.on("asked", (reply) => {
    reply(1, 2);
    reply("again");
  });
  receive({ type: 0, data: ["asked"], id: 9 });
  assert.deepEqual(transport.last.sent, [{ type: 0, data: ["news", 1] }, { type: 0, data: ["ask"], id: 1 }, { id: 9, type: 1, data: [1, 2] }]);
});

test("what is no packet, or carries a reserved name, is data", (t) => {
  const { client, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  const events = record(client, ["data", "end", "error", "incoming::end"], (event, data) => JSON.stringify(data));
  const messages = [null, 0, "text", [0], { type: 0 }, { type: 0, data: "x" }, { type: 0, data: [] }, { type: 0, data: [{}] },
    { type: 0, data: ["x"], id: "1" }, { type: 1, data: [] }, { type: 2, data: ["x"] }, { type: 0, data: ["end"] }, { type: 0, data: ["incoming::end"] }];
  for (const message of messages) receive(message);
  assert.deepEqual(events, messages.map((message) => `data ${JSON.stringify(message)}`));
});

test("transformers see events too", (t) => {
  const { client, transport, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  client.transform("outgoing", (packet) => void (packet.data = { sealed: packet.data }));
  client.transform("incoming", (packet) => void (packet.data = packet.data.sealed));
  const events = record(client, ["news"], (event, data) => data);
  client.send("x");
  receive({ sealed: { type: 0, data: ["news", "opened"] } });
  assert.deepEqual(transport.last.sent, [{ sealed: { type: 0, data: ["x"] } }]);
  assert.deepEqual(events, ["news opened"]);
});

test("a request without an answer is rejected after its time", async (t) => {
  const { client, tick, open, receive } = scriptedClient(t, { extensions: [emitter], options: { emitter: { timeout: 2000 } } });
  open();
  const rejected = assert.rejects(client.request("ask"), /"ask" within 2000 ms/);
  tick(2000);
  receive({ id: 1, type: 1, data: ["late"] });
  await rejected;
});

test("an acknowledgement with an error rejects the request", async (t) => {
  const { client, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  const rejected = assert.rejects(client.request("ask"), { message: "not allowed" });
  receive({ id: 1, type: 1, data: [], error: "not allowed" });
  await rejected;
});

test("a client's listener can acknowledge with an error", (t) => {
  const { client, transport, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  client.on("ask", (reply) => reply.error(new Error("busy")));
  receive({ type: 0, data: ["ask"], id: 3 });
  assert.deepEqual(transport.last.sent, [{ id: 3, type: 1, data: [], error: "busy" }]);
});

test("a connection that breaks rejects what it owed; what was queued waits for the next", async (t) => {
  const { client, transport, tick, open, receive } = scriptedClient(t, { extensions: [emitter], options: { emitter: { timeout: 60_000 } } });
  open();
  const owed = assert.rejects(client.request("first"), /closed before/);
  transport.last.events.close();
  const queued = client.request("second");
  tick(500);
  transport.last.events.open();
  assert.deepEqual(transport.last.sent, [{ type: 0, data: ["second"], id: 2 }]);
  receive({ id: 2, type: 1, data: ["answer"] });
  await owed;
  assert.equal(await queued, "answer");
});

test("a request that was queued, then sent, is owed by the connection that it went out on", async (t) => {
  const { client, transport, open } = scriptedClient(t, { extensions: [emitter] });
  const owed = assert.rejects(client.request("ask"), /closed before/);
  open();
  transport.last.events.close();
  await owed;
});

test("a late reply doesn't go to another connection", (t) => {
  const { client, transport, tick, open, receive } = scriptedClient(t, { extensions: [emitter] });
  open();
  let reply;
  client.on("ask", (fn) => (reply = fn));
  receive({ type: 0, data: ["ask"], id: 1 });
  transport.last.events.close();
  tick(500);
  transport.last.events.open();
  reply("for the old one");
  assert.deepEqual(transport.last.sent, []);
});

test("a destroyed client rejects its requests", async (t) => {
  const { client } = scriptedClient(t, { extensions: [emitter] });
  const rejected = assert.rejects(client.request("ask"), /destroyed/);
  client.destroy();
  await rejected;
});

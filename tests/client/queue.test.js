import assert from "node:assert/strict";
import test from "node:test";

import { record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

test("messages that are written early are sent in order, before `open` is told", (t) => {
  const { client, transport, open } = scriptedClient(t);
  client.write("a");
  client.write("b");
  client.on("open", () => client.write("c"));
  open();
  client.write("d");
  assert.deepEqual(transport.last.sent, ["a", "b", "c", "d"]);
  assert.deepEqual(client.buffer, []);
});

test("a full queue loses its oldest messages", (t) => {
  const { client, transport, open } = scriptedClient(t, { options: { queueSize: 2 } });
  for (const message of ["a", "b", "c", "d"]) client.write(message);
  open();
  assert.deepEqual(transport.last.sent, ["c", "d"]);
});

test("a queue of no size keeps nothing", (t) => {
  const { client, transport, open } = scriptedClient(t, { options: { queueSize: 0 } });
  client.write("a");
  open();
  client.write("b");
  assert.deepEqual(transport.last.sent, ["b"]);
});

test("the queue outlives reconnects", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  transport.last.events.close();
  client.write("a");
  tick(500);
  transport.last.events.close();
  client.write("b");
  tick(1000);
  transport.last.events.open();
  assert.deepEqual(transport.last.sent, ["a", "b"]);
});

test("what is written to a connection that is closing waits for the next one", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  transport.last.ready = false;
  client.write("late");
  transport.last.events.close();
  tick(500);
  transport.last.events.open();
  assert.deepEqual(transport.connections.map(({ sent }) => sent), [[], ["late"]]);
});

test("a message that can't be encoded is an error, and the rest goes on", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  const cycle = {};
  cycle.self = cycle;
  const events = record(client, ["error"], (event, error) => error instanceof TypeError);
  client.write(cycle);
  client.write(undefined);
  client.write("next");
  assert.deepEqual(events, ["error true"]);
  assert.deepEqual(transport.last.sent, ["next"]);
});

test("a message that can't be decoded is an error, and the connection goes on", (t) => {
  const { client, transport, open, receive } = scriptedClient(t);
  open();
  const events = record(client, ["error", "data", "close"], (event, detail) => (event === "data" ? detail : detail instanceof SyntaxError));
  transport.last.events.message("{half");
  receive("next");
  assert.deepEqual(events, ["error true", "data next"]);
});

test("a transport that fails to send reports an error", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  transport.last.send = () => {
    throw new Error("full");
  };
  const events = record(client, ["error"], (event, error) => error.message);
  client.write("x");
  assert.deepEqual(events, ["error full"]);
});

import assert from "node:assert/strict";
import test from "node:test";

import { record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

test("a ping is answered with its own time, past the transformers", (t) => {
  const { client, transport, open, receive } = scriptedClient(t);
  open();
  client.transform("outgoing", () => false);
  client.transform("incoming", () => false);
  const events = record(client, ["incoming::ping", "outgoing::pong", "data"], (event, time) => time);
  receive("primus::ping::1700000000000");
  assert.deepEqual(transport.last.sent, ["primus::pong::1700000000000"]);
  assert.deepEqual(events, ["outgoing::pong 1700000000000", "incoming::ping 1700000000000"]);
});

test("a server that is silent for `pingTimeout` is lost: offline, and a reconnect", (t) => {
  const { client, transport, tick, open } = scriptedClient(t, { options: { pingTimeout: 9000 } });
  open();
  const events = record(client, ["offline", "online", "close", "end", "reconnect scheduled", "open"]);
  tick(8999);
  assert.deepEqual(events, []);
  tick(1);
  assert.deepEqual(events, ["offline", "close", "reconnect scheduled"]);
  assert.equal(client.online, false);
  assert.equal(transport.last.closed, true);

  tick(500);
  transport.last.events.open();
  assert.deepEqual(events.slice(3), ["online", "open"]);
});

test("every ping begins the wait anew", (t) => {
  const { client, tick, open, receive } = scriptedClient(t, { options: { pingTimeout: 9000 } });
  open();
  const events = record(client, ["offline"]);
  for (let ping = 0; ping < 5; ping += 1) {
    tick(8000);
    receive("primus::ping::1");
  }
  assert.deepEqual(events, []);
});

test("the default wait is the server's; `false` waits for ever", (t) => {
  const { client, tick, open, Primus } = scriptedClient(t, { settings: { pingTimeout: 1000 } });
  open();
  const patient = new Primus("http://server.test", { pingTimeout: false });
  t.after(() => patient.destroy());
  open();
  const events = [record(client, ["offline"]), record(patient, ["offline"])];
  tick(1000);
  tick(1_000_000);
  assert.deepEqual(events, [["offline"], []]);
});

test("a server without heartbeats makes a client that expects none", (t) => {
  const { client, tick, open } = scriptedClient(t, { settings: { pingTimeout: false } });
  open();
  const events = record(client, ["offline"]);
  tick(1_000_000);
  assert.deepEqual(events, []);
});

import assert from "node:assert/strict";
import test from "node:test";

import { record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

/** Fails attempts until the client gives up or `count` were made, and gives the delays before them. */
function failingDelays({ client, transport, tick }, count) {
  const delays = [];
  client.on("reconnect scheduled", ({ scheduled }) => delays.push(scheduled));
  transport.last.events.close();
  for (let attempt = 0; attempt < count; attempt += 1) {
    tick(delays[attempt]);
    transport.last.events.error(new Error("refused"));
    transport.last.events.close();
  }
  return delays.slice(0, count);
}

test("the delay doubles from 500 ms", (t) => {
  const scripted = scriptedClient(t);
  scripted.open();
  assert.deepEqual(failingDelays(scripted, 5), [500, 1000, 2000, 4000, 8000]);
});

test("chance adds up to as much again, from the first attempt on", (t) => {
  const scripted = scriptedClient(t, { random: 0.5 });
  scripted.open();
  assert.deepEqual(failingDelays(scripted, 3), [750, 1500, 3000]);
});

test("min, factor and max shape the delays, and may be written as text", (t) => {
  const scripted = scriptedClient(t, { options: { reconnect: { min: "100 ms", factor: 3, max: "2 seconds" } } });
  scripted.open();
  assert.deepEqual(failingDelays(scripted, 4), [100, 300, 900, 2000]);
});

test("a delay longer than any timer doesn't fire at once", (t) => {
  const scripted = scriptedClient(t, { options: { reconnect: { min: 2 ** 40 } } });
  scripted.open();
  scripted.transport.last.events.close();
  scripted.tick(2 ** 31 - 2);
  assert.equal(scripted.transport.connections.length, 1);
});

test("a broken connection: the events of a reconnect, in order, with their figures", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  const events = record(
    client,
    ["open", "close", "end", "error", "readyStateChange", "reconnect scheduled", "reconnect", "reconnected"],
    (event, detail) => (event === "readyStateChange" ? detail : detail && `${detail.attempt}/${detail.retries} after ${detail.duration}`),
  );
  transport.last.events.close();
  tick(500);
  tick(40);
  transport.last.events.open();
  assert.deepEqual(events, [
    "readyStateChange end",
    "close",
    "reconnect scheduled 1/10 after 0",
    "readyStateChange opening",
    "reconnect 1/10 after 500",
    "reconnected 1/10 after 540",
    "readyStateChange open",
    "open",
  ]);
  assert.equal(client.recovery.reconnecting(), false);
});

test("after a success, the count begins anew", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  const attempts = [];
  client.on("reconnect scheduled", ({ attempt }) => attempts.push(attempt));
  transport.last.events.close();
  tick(500);
  transport.last.events.close();
  tick(1000);
  transport.last.events.open();
  transport.last.events.close();
  assert.deepEqual(attempts, [1, 2, 1]);
});

test("after the last attempt the client ends, and stays so", (t) => {
  const { client, transport, tick, open } = scriptedClient(t, { options: { reconnect: { retries: 2 } } });
  open();
  const events = record(client, ["reconnect", "error", "end", "reconnect failed"], (event, error, attempt) =>
    event === "reconnect failed" ? `${error instanceof Error} ${attempt.attempt}` : undefined,
  );
  transport.last.events.close();
  for (let wait = 0; wait < 5; wait += 1) {
    tick(60_000);
    transport.last.events.error(new Error("refused"));
    transport.last.events.close();
  }
  assert.deepEqual(events, ["reconnect", "reconnect", "end", "reconnect failed true 2"]);
  assert.equal(client.recovery.reconnecting(), false);
  assert.equal(transport.connections.length, 3);

  client.open();
  transport.last.events.open();
  assert.equal(client.readyState, 3);
});

test("an attempt that takes too long is given up for the next", (t) => {
  const { client, transport, tick, open } = scriptedClient(t, { options: { reconnect: { "reconnect timeout": 3000 } } });
  open();
  const events = record(client, ["reconnect", "reconnect timeout", "reconnect scheduled"], (event, first, second) => (second?.attempt ?? first.attempt));
  transport.last.events.close();
  tick(500);
  const hanging = transport.last;
  tick(3000);
  tick(1000);
  assert.deepEqual(events, ["reconnect scheduled 1", "reconnect 1", "reconnect timeout 1", "reconnect scheduled 2", "reconnect 2"]);
  assert.equal(hanging.closed, true);
  assert.equal(transport.connections.length, 3);
});

test("an attempt that breaks without an error, then hangs on its deadline, doesn't stall the recovery", (t) => {
  const { client, transport, tick, open } = scriptedClient(t, { options: { reconnect: { min: 5000, "reconnect timeout": 3000 } } });
  open();
  const events = record(client, ["reconnect timeout", "reconnect scheduled"], (event, { attempt }) => attempt);
  transport.last.events.close();
  tick(5000);
  transport.last.events.close();
  tick(10_000);
  assert.equal(transport.connections.length, 3);
  assert.deepEqual(events, ["reconnect scheduled 1", "reconnect scheduled 2"]);
});

for (const [when, wait] of [["while it waits", 100], ["while it connects", 600]]) {
  test(`an end of the application stops reconnecting ${when}`, (t) => {
    const { client, transport, tick, open } = scriptedClient(t);
    open();
    transport.last.events.close();
    tick(wait);
    const { length } = transport.connections;
    const events = record(client, ["end", "reconnect", "reconnect timeout", "reconnect scheduled"]);
    client.end();
    tick(1_000_000);
    assert.deepEqual(events, ["end"]);
    assert.equal(transport.connections.length, length);
  });
}

test("an end within a `reconnected` listener is the end", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  transport.last.events.close();
  tick(500);
  client.on("reconnected", () => client.end());
  const events = record(client, ["open", "close", "end"]);
  transport.last.events.open();
  assert.deepEqual(events, ["close", "end"]);
  assert.equal(client.readyState, 2);
});

test("an end within a `close` listener is the end", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  client.on("close", () => client.end());
  const events = record(client, ["end", "reconnect scheduled"]);
  transport.last.events.close();
  tick(1_000_000);
  assert.deepEqual(events, ["end"]);
});

test("without the strategy `disconnect`, a broken connection is the end", (t) => {
  const { client, transport, tick, open } = scriptedClient(t, { options: { strategy: "online, timeout" } });
  open();
  const events = record(client, ["close", "end", "reconnect scheduled"]);
  transport.last.events.close();
  tick(1_000_000);
  assert.deepEqual(events, ["close", "end"]);
});

import assert from "node:assert/strict";
import test from "node:test";

import { loadClient, record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

const allEvents = ["open", "close", "end", "error", "timeout", "readyStateChange", "reconnect scheduled", "reconnected", "destroy"];
const stateOnly = (event, detail) => (event === "readyStateChange" ? detail : undefined);

test("a client opens by itself, a moment after it was made", (t) => {
  const { client, transport, open } = scriptedClient(t);
  const events = record(client, ["outgoing::open", "incoming::open", ...allEvents], stateOnly);
  assert.equal(client.readyState, 2);
  assert.equal(transport.connections.length, 0);
  open();
  assert.deepEqual(events, ["readyStateChange opening", "outgoing::open", "readyStateChange open", "open", "incoming::open"]);
});

test("a manual client waits for `open`", (t) => {
  const { client, transport, tick } = scriptedClient(t, { options: { manual: true } });
  tick(60_000);
  assert.equal(transport.connections.length, 0);
  assert.equal(client.open(), client);
  assert.equal(transport.connections.length, 1);
});

test("an end before it opened keeps it from opening", (t) => {
  const { client, transport, tick } = scriptedClient(t);
  client.end();
  tick(60_000);
  assert.equal(transport.connections.length, 0);
});

for (const [what, strategy, expected] of [
  ["retries", undefined, ["timeout", "readyStateChange end", "reconnect scheduled"]],
  ["ends, without the strategy `timeout`", ["disconnect", "online"], ["timeout", "readyStateChange end", "close", "end"]],
  ["ends, without any strategy", false, ["timeout", "readyStateChange end", "close", "end"]],
]) {
  test(`a first connection that takes longer than \`timeout\` ${what}`, (t) => {
    const { client, transport, tick } = scriptedClient(t, { options: { timeout: 4000, strategy } });
    tick(0);
    const events = record(client, allEvents, stateOnly);
    tick(3999);
    assert.deepEqual(events, []);
    tick(1);
    assert.deepEqual(events, expected);
    assert.equal(transport.connections[0].closed, true);
  });
}

test("a dropped connection is not heard any more", (t) => {
  const { client, transport, tick } = scriptedClient(t, { options: { timeout: 4000 } });
  tick(0);
  tick(4000);
  const [late] = transport.connections;
  const events = record(client, [...allEvents, "data"]);
  late.events.open();
  late.events.message('"late"');
  late.events.error(new Error("late"));
  late.events.close();
  assert.deepEqual(events, []);
  assert.equal(client.readyState, 2);
});

test("a first connection that fails is an error, then retried", (t) => {
  const { client, transport, tick } = scriptedClient(t);
  tick(0);
  const events = record(client, allEvents, (event, detail) => (event === "error" ? detail.message : stateOnly(event, detail)));
  transport.last.events.error(new Error("refused"));
  transport.last.events.close();
  assert.deepEqual(events, ["error refused", "readyStateChange end", "reconnect scheduled"]);
  tick(20_000);
  transport.last.events.open();
  assert.deepEqual(events.slice(3), ["readyStateChange opening", "reconnected", "readyStateChange open", "open"]);
});

test("a first connection that closes without an error has failed as well", (t) => {
  const { client, transport, tick } = scriptedClient(t);
  tick(0);
  const events = record(client, allEvents, stateOnly);
  transport.last.events.close();
  assert.deepEqual(events, ["readyStateChange end", "reconnect scheduled"]);
});

test("errors are optional to hear, and are always errors", (t) => {
  const { client, transport, tick } = scriptedClient(t, { options: { strategy: false } });
  tick(0);
  transport.last.events.error("only text");
  assert.equal(client.readyState, 2);

  const errors = [];
  client.on("error", (error) => errors.push([error instanceof Error, error.message, error.code]));
  client.open();
  transport.last.events.error("only text");
  client.open();
  transport.last.events.error({ reason: "gone", code: 7 });
  assert.deepEqual(errors, [[true, "only text", undefined], [true, "gone", 7]]);
});

test("an end within an `error` listener is the end", (t) => {
  const { client, transport, tick } = scriptedClient(t);
  tick(0);
  client.on("error", () => client.end());
  const events = record(client, ["end", "reconnect scheduled"]);
  transport.last.events.error(new Error("refused"));
  transport.last.events.close();
  tick(1_000_000);
  assert.deepEqual(events, ["end"]);
});

test("an end within a `timeout` listener is the end", (t) => {
  const { client, tick } = scriptedClient(t, { options: { timeout: 4000 } });
  tick(0);
  client.on("timeout", () => client.end());
  const events = record(client, ["end", "reconnect scheduled"]);
  tick(4000);
  assert.deepEqual(events, ["end"]);
});

test("a connection opened within a `close` listener is the one that counts", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  client.once("close", () => client.open());
  const events = record(client, ["reconnect scheduled"]);
  transport.last.events.close();
  transport.last.events.open();
  tick(10_000);
  assert.equal(client.readyState, 3);
  assert.equal(transport.connections.length, 2);
  assert.deepEqual(events, []);
});

test("the close of an old connection is not the close of the new one", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  client.end();
  client.open();
  transport.last.events.open();
  transport.connections[0].events.close();
  assert.equal(client.readyState, 3);
  assert.deepEqual(transport.connections.map(({ closed }) => closed), [true, false]);
});

test("an error of an open connection leaves it open", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  const events = record(client, allEvents);
  transport.last.events.error(new Error("hiccup"));
  assert.deepEqual(events, ["error"]);
  assert.equal(client.readyState, 3);
});

test("a transport that throws when it opens has failed to connect", (t) => {
  const { client, transport, tick } = scriptedClient(t, { options: { manual: true, strategy: false } });
  transport.part.open = () => {
    throw new Error("insecure");
  };
  client.open();
  const events = record(client, allEvents, (event, detail) => detail?.message);
  tick(0);
  assert.deepEqual(events, ["error insecure", "readyStateChange", "close", "end"]);
});

test("`primus::server::close` makes the close that follows final", (t) => {
  const { client, transport, tick, open, receive } = scriptedClient(t);
  open();
  const events = record(client, [...allEvents, "data"], stateOnly);
  receive("primus::server::close");
  transport.last.events.close();
  tick(1_000_000);
  assert.deepEqual(events, ["readyStateChange end", "close", "end"]);

  client.open();
  transport.last.events.open();
  transport.last.events.close();
  assert.equal(client.recovery.reconnecting(), true);
});

test("messages that begin with `primus::` don't reach the application, known or not", (t) => {
  const { client, open, receive } = scriptedClient(t);
  open();
  const events = record(client, ["data", "error"], (event, data) => data);
  for (const message of ["primus::foo::1", "primus::", "primus::ping::1", "primus::server::else", "primus::id::x\ny"]) receive(message);
  receive("primus: not ours");
  assert.deepEqual(events, ["data primus: not ours"]);
});

test("the id is asked again when the connection broke before the answer", (t) => {
  const { client, transport, tick, open, receive } = scriptedClient(t);
  open();
  const ids = [];
  client.id((id) => ids.push(id));
  assert.deepEqual(transport.last.sent, ["primus::id::"]);
  transport.last.events.close();
  tick(500);
  transport.last.events.open();
  assert.deepEqual(transport.last.sent, ["primus::id::"]);
  receive("primus::id::abc");
  receive("primus::id::other");
  assert.deepEqual(ids, ["abc"]);
});

test("an id that the transport knows needs no question", (t) => {
  const { client, transport, open } = scriptedClient(t);
  open();
  transport.last.id = "sid";
  client.id((id) => assert.equal(id, "sid"));
  assert.deepEqual(transport.last.sent, []);
});

test("a destroyed client has told so, let go of everything, and does nothing more", (t) => {
  const { client, transport, tick, open } = scriptedClient(t);
  open();
  client.write("x");
  const events = record(client, allEvents, stateOnly);
  assert.equal(client.destroy(), true);
  assert.deepEqual(events, ["readyStateChange end", "close", "end", "destroy"]);
  assert.equal(transport.last.closed, true);
  assert.deepEqual(client.eventNames(), []);

  assert.equal(client.destroy(), false);
  assert.equal(client.write("y"), false);
  client.open().end();
  tick(1_000_000);
  assert.equal(transport.connections.length, 1);
  assert.equal(events.length, 4);
});

test("a client without a usable transport says at once what is missing", () => {
  const Primus = loadClient({ parts: [] });
  assert.throws(() => new Primus("http://server.test"), /No transport works here/);
});

test("the options `ping` and `pong` are refused, as Primus 8 does", () => {
  const Primus = loadClient();
  assert.throws(() => new Primus("http://server.test", { ping: 1000 }), /pingTimeout/);
});

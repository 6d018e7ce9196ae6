import assert from "node:assert/strict";
import test from "node:test";

import { json, loadClient, loadPage, record } from "./support/client.js";
import { scriptedTransport } from "./support/scripted.js";

const names = ["first", "second", "third"];

/** A client with several transports, played by hand under virtual time. */
function racing(t, options) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.mock.method(Math, "random", () => 0);
  return over(t, loadClient({ parts: [json], transports: names }), options);
}

/** @param {string} [socket] The one that is a WebSocket. */
function over(t, Primus, options, socket) {
  const transports = names.map((name) => scriptedTransport(name));
  for (const { part } of transports) if (part.name === socket) part.protocol = "ws:";
  Primus.prototype.transports.push(...transports.map(({ part }) => part));
  const client = new Primus("http://server.test", options);
  t.after(() => client.destroy());
  const errors = [];
  client.on("error", (error) => errors.push(error));
  const tick = (ms) => t.mock.timers.tick(ms);
  tick(0);
  /** How many connections of each have begun. */
  const begun = () => transports.map(({ connections }) => connections.length);
  return { client, transports, errors, tick, begun };
}

/** A client that is open by its second transport, which is therefore what worked. */
function opened(t, options) {
  const race = racing(t, options);
  race.tick(1_000);
  race.transports[1].last.events.open();
  return race;
}

test("a transport that does not answer has a second for itself, and stays in the race", (t) => {
  const { client, transports, tick, begun, errors } = racing(t);
  const [first, second] = transports;
  tick(999);
  assert.deepEqual(begun(), [1, 0, 0]);
  tick(1);
  assert.deepEqual(begun(), [1, 1, 0]);
  tick(1_000);
  assert.deepEqual(begun(), [1, 1, 1]);
  assert.deepEqual(transports.map(({ last }) => last.last), [false, false, true]);
  first.last.events.open();
  assert.deepEqual([client.readyState, client.transportName], [3, "first"]);
  assert.deepEqual(transports.map(({ last }) => last.closed), [false, true, true]);
  assert.equal(client.socket, first.last);
  // What those that were closed still say is not heard.
  const events = record(client, ["open", "error", "close", "data"]);
  second.last.events.open();
  second.last.events.message('"late"');
  second.last.events.error(new Error("late"));
  second.last.events.close();
  tick(10_000);
  assert.deepEqual(events, []);
  assert.deepEqual(errors, []);
  assert.deepEqual(begun(), [1, 1, 1]);
});

test("one that fails makes the next one begin at once, and is told of only when none is left", (t) => {
  const { client, transports, errors, begun } = racing(t, { strategy: false });
  const events = record(client, ["open", "end"]);
  transports[0].last.events.error(new Error("no UDP"));
  transports[0].last.events.close();
  assert.deepEqual(begun(), [1, 1, 0]);
  transports[1].last.events.close({ reason: "a proxy" });
  assert.deepEqual(begun(), [1, 1, 1]);
  assert.deepEqual([errors, events], [[], []]);
  const last = new Error("no way");
  transports[2].last.events.error(last);
  assert.equal(errors[0].message, "No transport came through (first: no UDP; second: a proxy; third: no way)");
  assert.equal(errors[0].cause, last);
  assert.deepEqual(errors[0].failures.map(({ transport }) => transport), names);
  assert.deepEqual(events, ["end"]);
});

test("while others are under way, the failure of the last one is not the end", (t) => {
  const { client, transports, tick, errors } = racing(t);
  tick(1_000);
  tick(1_000);
  transports[2].last.events.error(new Error("refused"));
  transports[1].last.events.error(new Error("refused"));
  transports[0].last.events.open();
  assert.deepEqual([client.transportName, errors], ["first", []]);
  client.write("hello");
  assert.deepEqual(transports[0].last.sent, ["hello"]);
});

test("the head start is an option", (t) => {
  const { tick, begun } = racing(t, { headStart: 5_000 });
  tick(4_999);
  assert.deepEqual(begun(), [1, 0, 0]);
  tick(1);
  assert.deepEqual(begun(), [1, 1, 0]);
});

test("`end` closes all that is under way", (t) => {
  const { client, transports, tick, begun } = racing(t);
  tick(1_000);
  client.end();
  assert.deepEqual(transports.slice(0, 2).map(({ last }) => last.closed), [true, true]);
  tick(60_000);
  assert.deepEqual(begun(), [1, 1, 0]);
});

test("what worked begins the next time, with a longer head start", (t) => {
  const { transports, tick, begun } = opened(t);
  transports[1].last.events.close();
  tick(500);
  assert.deepEqual(begun(), [1, 2, 0]);
  tick(3_999);
  assert.deepEqual(begun(), [1, 2, 0]);
  tick(1);
  assert.deepEqual(begun(), [2, 2, 0]);
});

test("after a day all are tried again, however often it has worked meanwhile", (t) => {
  const { client, transports, tick, begun } = opened(t, { pingTimeout: false });
  tick(23 * 60 * 60 * 1000);
  transports[1].last.events.close();
  tick(500);
  transports[1].last.events.open();
  assert.equal(client.transportName, "second");
  const before = begun();
  tick(60 * 60 * 1000);
  transports[1].last.events.close();
  tick(500);
  assert.deepEqual(begun(), [before[0] + 1, before[1], before[2]]);
});

test("a WebSocket that is to be avoided begins when all others have failed", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const { transports, tick, begun } = over(t, loadClient({ parts: [json], transports: names }), { websockets: false, timeout: false }, "first");
  assert.deepEqual(begun(), [0, 1, 0]);
  tick(1_000);
  assert.deepEqual(begun(), [0, 1, 1]);
  tick(60_000);
  transports[1].last.events.error(new Error("refused"));
  assert.deepEqual(begun(), [0, 1, 1]);
  transports[2].last.events.error(new Error("refused"));
  assert.deepEqual(begun(), [1, 1, 1]);
});

/** A page on a network that a test changes. */
function inPage(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  const network = new EventTarget();
  const connection = Object.assign(new EventTarget(), { type: "wifi" });
  const kept = new Map();
  const localStorage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value), removeItem: (key) => kept.delete(key) };
  const page = loadPage(
    {
      navigator: { onLine: true, connection },
      document: {},
      localStorage,
      addEventListener: network.addEventListener.bind(network),
      removeEventListener: network.removeEventListener.bind(network),
      setTimeout,
      clearTimeout,
    },
    { parts: [json], transports: names },
  );
  const race = over(t, page.Primus);
  race.tick(1_000);
  race.transports[1].last.events.open();
  assert.equal(kept.size, 1);
  return { ...race, network, connection, kept };
}

test("what worked is forgotten when the network comes back", (t) => {
  const { network, kept, tick, begun } = inPage(t);
  network.dispatchEvent(new Event("offline"));
  assert.equal(kept.size, 1);
  network.dispatchEvent(new Event("online"));
  assert.equal(kept.size, 0);
  tick(1_000);
  assert.deepEqual(begun(), [2, 1, 0]);
});

test("what worked is forgotten when the network is of another type", (t) => {
  const { connection, kept, client } = inPage(t);
  connection.dispatchEvent(new Event("change"));
  assert.equal(kept.size, 1, "only its speed has changed");
  connection.type = "cellular";
  connection.dispatchEvent(new Event("change"));
  assert.equal(kept.size, 0);
  assert.equal(client.readyState, 3);
});

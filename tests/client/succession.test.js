import assert from "node:assert/strict";
import test from "node:test";

import { json, loadClient } from "./support/client.js";
import { scriptedTransport } from "./support/scripted.js";

/** A client that is open by the second of two transports; chance and time are held still. */
function opened(t, parts = [{}, { stream: true }], options = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.mock.method(Math, "random", () => 0);
  const Primus = loadClient({ parts: [json], transports: ["better", "worse"] });
  const transports = ["better", "worse"].map((name, at) => {
    const transport = scriptedTransport(name);
    Object.assign(transport.part, parts[at]);
    return transport;
  });
  Primus.prototype.transports.push(...transports.map(({ part }) => part));
  const client = new Primus("http://server.test", { pingTimeout: false, ...options });
  t.after(() => client.destroy());
  const [better, worse] = transports;
  const tick = (ms) => t.mock.timers.tick(ms);
  tick(0);
  better.last.events.error(new Error("not now"));
  worse.last.events.open();
  const received = [];
  client.on("data", (data) => received.push(data));
  const moves = [];
  client.on("moved", (...names) => moves.push(names));
  return { client, better, worse, tick, received, moves, old: worse.last };
}

const says = (connection, message) => connection.events.message(JSON.stringify(message));

/** Lets promises go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Up to where the old connection is about to be left: the new one is open. */
async function leaving(t, ...how) {
  const all = opened(t, ...how);
  const { better, old, tick } = all;
  tick(1_000);
  assert.deepEqual(old.sent, ["primus::ticket::"]);
  says(old, "primus::ticket::id~secret");
  await settle();
  const heir = better.last;
  assert.match(heir.url, /&_move=id~secret$/);
  assert.deepEqual(old.sent, ["primus::ticket::"], "it goes on while the other opens");
  heir.events.open();
  assert.deepEqual(old.sent.splice(0), ["primus::ticket::", "primus::leave::"]);
  return { ...all, heir };
}

test("a stream is left by a last word, and what comes by both is in order", async (t) => {
  const { client, heir, old, received, moves } = await leaving(t);
  client.write("meanwhile");
  says(old, 1);
  says(old, "primus::left::");
  await settle();
  assert.deepEqual([old.sent, heir.sent], [[], ["primus::move::"]]);
  says(heir, "primus::moved::");
  says(heir, 3);
  says(old, 2);
  assert.deepEqual([received, moves, heir.sent.slice(1)], [[1, 2], [], []]);
  says(old, "primus::moved::");
  assert.deepEqual([received, moves], [[1, 2, 3], [["better", "worse"]]]);
  assert.deepEqual([old.closed, heir.closed, client.transportName, client.readyState], [true, false, "better", 3]);
  assert.deepEqual(heir.sent.slice(1), ["meanwhile"]);
  old.events.close();
  client.write("later");
  says(heir, 4);
  assert.deepEqual([heir.sent.at(-1), received.at(-1), client.readyState], ["later", 4, 3]);
});

test("the last word of the old connection may come first", async (t) => {
  const { heir, old, received, moves } = await leaving(t);
  says(old, "primus::left::");
  await settle();
  says(old, 1);
  says(old, "primus::moved::");
  old.events.close();
  says(heir, "primus::moved::");
  says(heir, 2);
  assert.deepEqual([received, moves], [[1, 2], [["better", "worse"]]]);
});

test("it stays where the other one breaks, and sends what was written meanwhile", async (t) => {
  const { client, heir, old, received, moves } = await leaving(t);
  client.write("meanwhile");
  heir.events.close();
  client.write("later");
  says(old, "primus::left::");
  await settle();
  says(old, 1);
  assert.deepEqual([old.sent, heir.sent, received, moves], [["meanwhile", "later"], [], [1], []]);
  assert.equal(client.readyState, 3);
});

test("it stays where nothing comes by the other one, and tries again later", async (t) => {
  const { client, better, heir, old, tick } = await leaving(t);
  client.write("meanwhile");
  tick(15_000);
  assert.deepEqual([heir.closed, old.sent], [true, ["meanwhile"]]);
  tick(8_000);
  says(old, "primus::ticket::id~other");
  await settle();
  assert.equal(better.connections.length, 3);
  assert.match(better.last.url, /&_move=id~other$/);
});

test("it comes again where both break", async (t) => {
  const { client, better, worse, heir, old, tick } = await leaving(t);
  client.write("meanwhile");
  old.events.close();
  assert.equal(heir.closed, true);
  tick(500);
  assert.deepEqual([better.connections.length, worse.connections.length], [2, 2]);
  worse.last.events.open();
  assert.deepEqual(worse.last.sent, ["meanwhile"]);
});

test("no better transport is looked for where it could not take over, where none could be left, or where it is not wanted", async (t) => {
  for (const [parts, options] of [[[{ succeeds: false }, { stream: true }]], [[{}, {}]], [[{}, { stream: true }], { upgrade: false }]]) {
    await t.test((t) => {
      const { better, old, tick } = opened(t, parts, options);
      for (let minutes = 0; minutes < 60; minutes += 1) tick(60_000);
      assert.deepEqual([better.connections.length, old.sent], [1, []]);
    });
  }
});

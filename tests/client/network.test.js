import assert from "node:assert/strict";
import test from "node:test";

import { json, loadPage, record } from "./support/client.js";
import { scriptedTransport } from "./support/scripted.js";

/** A client in a page whose network a test switches. */
function startPage(t, { onLine = true, options, settings } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  t.mock.method(Math, "random", () => 0);
  const network = new EventTarget();
  const followed = new Set();
  const navigator = { onLine };
  const page = loadPage(
    {
      navigator,
      location: { origin: "https://page.test" },
      addEventListener(event, listener) {
        followed.add(event);
        network.addEventListener(event, listener);
      },
      removeEventListener(event, listener) {
        followed.delete(event);
        network.removeEventListener(event, listener);
      },
      setTimeout,
      clearTimeout,
    },
    { parts: [json], transports: ["scripted"], ...settings },
  );
  const transport = scriptedTransport();
  page.Primus.prototype.transports.push(transport.part);
  const client = new page.Primus(undefined, options);
  t.after(() => client.destroy());
  t.mock.timers.tick(0);
  return {
    client,
    transport,
    followed,
    tick: (ms) => t.mock.timers.tick(ms),
    turn(state) {
      navigator.onLine = state === "online";
      network.dispatchEvent(new Event(state));
    },
    /** Lets scheduled attempts be made; in a page chance can't be held still. */
    settle: () => t.mock.timers.tick(1000),
  };
}

test("offline ends the connection at once, online brings it back", (t) => {
  const { client, transport, turn, settle } = startPage(t);
  transport.last.events.open();
  const events = record(client, ["offline", "online", "close", "end", "reconnect scheduled", "open"]);
  turn("offline");
  assert.equal(client.online, false);
  assert.equal(transport.last.closed, true);
  client.write("meanwhile");
  turn("online");
  settle();
  transport.last.events.open();
  assert.deepEqual(events, ["offline", "close", "end", "online", "reconnect scheduled", "open"]);
  assert.deepEqual(transport.last.sent, ["meanwhile"]);
});

test("repeated events of the network count once", (t) => {
  const { client, transport, turn } = startPage(t);
  transport.last.events.open();
  const events = record(client, ["offline", "online"]);
  for (const state of ["online", "offline", "offline", "online", "online"]) turn(state);
  assert.deepEqual(events, ["offline", "online"]);
});

test("offline stops attempts to reconnect, online begins them anew", (t) => {
  const { client, transport, turn, tick, settle } = startPage(t);
  transport.last.events.open();
  transport.last.events.close();
  turn("offline");
  tick(1_000_000);
  assert.equal(transport.connections.length, 1);
  const attempts = record(client, ["reconnect scheduled"], (event, { attempt }) => attempt);
  turn("online");
  settle();
  assert.deepEqual(attempts, ["reconnect scheduled 1"]);
  assert.equal(transport.connections.length, 2);
});

test("without the strategy `online` the client stays ended", (t) => {
  const { transport, turn, tick } = startPage(t, { options: { strategy: "disconnect" } });
  transport.last.events.open();
  turn("offline");
  turn("online");
  tick(1_000_000);
  assert.equal(transport.connections.length, 1);
});

test("a client that its application ended stays ended when the network returns", (t) => {
  const { client, transport, turn, tick } = startPage(t);
  transport.last.events.open();
  client.end();
  turn("offline");
  turn("online");
  tick(1_000_000);
  assert.equal(transport.connections.length, 1);
});

test("a client that the server ended stays ended when the network returns", (t) => {
  const { transport, turn, tick } = startPage(t);
  transport.last.events.open();
  transport.last.events.message('"primus::server::close"');
  transport.last.events.close();
  turn("offline");
  turn("online");
  tick(1_000_000);
  assert.equal(transport.connections.length, 1);
});

test("a page that begins offline connects when the network comes, even where the server authorizes", (t) => {
  const { client, transport, turn, settle } = startPage(t, { onLine: false, settings: { authorization: true } });
  assert.equal(client.online, false);
  transport.last.events.error(new Error("no network"));
  turn("online");
  settle();
  transport.last.events.open();
  assert.equal(client.readyState, 3);
});

test("the option `network: false` leaves the network's events alone", (t) => {
  const { client, transport, turn } = startPage(t, { options: { network: false } });
  transport.last.events.open();
  const events = record(client, ["offline", "close"]);
  turn("offline");
  assert.deepEqual(events, []);
});

test("a destroyed client doesn't listen to the network any more", (t) => {
  const { client, followed } = startPage(t);
  assert.deepEqual([...followed], ["offline", "online"]);
  client.destroy();
  assert.deepEqual([...followed], []);
});

test("without a URL, a page's client connects to where the page came from", (t) => {
  const { transport } = startPage(t);
  assert.match(transport.last.url, /^https:\/\/page\.test\/primus\?_primuscb=\w+$/);
});

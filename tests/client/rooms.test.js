import assert from "node:assert/strict";
import test from "node:test";

import { extension, record } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";

const rooms = await extension("rooms");
const key = "primus::rooms";

/** A client with rooms, whose requests and the server's answers are written without their envelope. */
function roomsClient(t, options) {
  const scripted = scriptedClient(t, { extensions: [rooms], options });
  return {
    ...scripted,
    get asked() {
      return scripted.transport.last.sent.map((message) => message[key] ?? message);
    },
    answer: (message) => scripted.receive({ [key]: message }),
    reconnect() {
      scripted.tick(scripted.client.recovery.attempt.scheduled);
      scripted.transport.last.events.open();
    },
  };
}

test("a client joins, asks for its rooms and leaves, when the server consents", async (t) => {
  const scripted = roomsClient(t);
  const { client, open, answer } = scripted;
  open();
  const joined = client.join("r");
  const listed = client.rooms();
  const left = client.leave("r");
  const leftAll = client.leaveAll();
  assert.deepEqual(scripted.asked, [
    { op: "join", room: "r", id: 1 },
    { op: "rooms", id: 2 },
    { op: "leave", room: "r", id: 3 },
    { op: "leaveAll", id: 4 },
  ]);
  answer({ id: 2, ok: true, rooms: ["r"] });
  answer({ id: 1, ok: true });
  answer({ id: 3, ok: true });
  answer({ id: 4, ok: true });
  assert.deepEqual(await Promise.all([joined, listed, left, leftAll]), [undefined, ["r"], undefined, undefined]);
});

test("a refusal rejects the promise with the server's reason, or goes to the callback", async (t) => {
  const { client, open, answer } = roomsClient(t);
  open();
  const refused = assert.rejects(client.join("secret"), { message: "members only" });
  const called = new Promise((resolve) => client.join("secret", resolve));
  answer({ id: 1, error: "members only" });
  answer({ id: 2, error: "members only" });
  await refused;
  assert.equal((await called).message, "members only");
});

test("requests and answers pass by transformers and `data`, and garbled ones do no harm", (t) => {
  const scripted = roomsClient(t);
  const { client, open, answer } = scripted;
  open();
  client.transform("outgoing", () => false);
  const events = record(client, ["data", "error"]);
  client.join("r", () => {});
  for (const message of [{}, { id: 99 }, { id: "1" }, { id: 1, ok: true }, { id: 1, ok: true }]) answer(message);
  assert.deepEqual(events, []);
  assert.deepEqual(scripted.asked, [{ op: "join", room: "r", id: 1 }]);
});

test("after a reconnect the client is back in its rooms, before queued messages go out", (t) => {
  const scripted = roomsClient(t);
  const { client, transport, open, answer, reconnect } = scripted;
  open();
  for (const room of ["a", "b", "c"]) client.join(room, () => {});
  for (const id of [1, 2, 3]) answer({ id, ok: true });
  client.leave("b", () => {});
  answer({ id: 4, ok: true });
  transport.last.events.close();
  client.write("queued");
  reconnect();
  assert.deepEqual(scripted.asked, [{ op: "join", room: "a", id: 5 }, { op: "join", room: "c", id: 6 }, "queued"]);
});

test("who left all rooms doesn't return into any", (t) => {
  const scripted = roomsClient(t);
  const { client, transport, open, answer, reconnect } = scripted;
  open();
  client.join("r", () => {});
  client.leaveAll(() => {});
  answer({ id: 1, ok: true });
  answer({ id: 2, ok: true });
  transport.last.events.close();
  reconnect();
  assert.deepEqual(scripted.asked, []);
});

test("a return that was not answered is asked once more, not twice", (t) => {
  const scripted = roomsClient(t);
  const { client, transport, open, answer, reconnect } = scripted;
  open();
  client.join("r", () => {});
  answer({ id: 1, ok: true });
  for (let loss = 0; loss < 2; loss += 1) {
    transport.last.events.close();
    reconnect();
  }
  assert.deepEqual(scripted.asked, [{ op: "join", room: "r", id: 2 }]);
});

test("a request that a broken connection left open is asked again", async (t) => {
  const scripted = roomsClient(t);
  const { client, transport, tick, open, answer, reconnect } = scripted;
  open();
  const joined = client.join("r");
  transport.last.events.close();
  tick(20_000);
  transport.last.events.close();
  reconnect();
  assert.deepEqual(scripted.asked, [{ op: "join", room: "r", id: 1 }]);
  transport.last.events.close();
  reconnect();
  assert.deepEqual(scripted.asked, [{ op: "join", room: "r", id: 1 }]);
  answer({ id: 1, ok: true });
  await joined;
});

test("a request made while there is no connection keeps its place among the messages", (t) => {
  const scripted = roomsClient(t);
  const { client, open } = scripted;
  client.write("before");
  client.join("r", () => {});
  client.write("after");
  open();
  assert.deepEqual(scripted.asked, ["before", { op: "join", room: "r", id: 1 }, "after"]);
});

test("a refused return into a room is an error, and is not tried again", (t) => {
  const scripted = roomsClient(t);
  const { client, transport, open, answer, reconnect } = scripted;
  open();
  client.join("r", () => {});
  answer({ id: 1, ok: true });
  transport.last.events.close();
  reconnect();
  const events = record(client, ["error"], (event, error) => error.message);
  answer({ id: 2, error: "members only" });
  assert.deepEqual(events, ["error Could not return into the room r: members only"]);
  transport.last.events.close();
  reconnect();
  assert.deepEqual(scripted.asked, []);
});

test("a return that the loss of the network cut off is made up for", (t) => {
  const scripted = roomsClient(t);
  const { client, transport, open, answer, reconnect } = scripted;
  open();
  client.join("r", () => {});
  answer({ id: 1, ok: true });
  transport.last.events.close();
  reconnect();
  const events = record(client, ["error"]);
  client.end();
  client.open();
  transport.last.events.open();
  assert.deepEqual(scripted.asked, [{ op: "join", room: "r", id: 3 }]);
  assert.deepEqual(events, []);
});

test("a server that doesn't answer in time rejects the request; time without a connection doesn't count", async (t) => {
  const { client, tick, open } = roomsClient(t, { rooms: { timeout: 3000 }, timeout: false, pingTimeout: false, manual: true });
  let settled = false;
  const rejected = assert.rejects(client.join("r").finally(() => (settled = true)), /"join" within 3000 ms/);
  tick(60_000);
  client.open();
  open();
  tick(2999);
  await Promise.resolve();
  assert.equal(settled, false);
  tick(1);
  await rejected;
});

for (const ending of ["end", "destroy"]) {
  test(`\`${ending}\` rejects what was not answered, and takes it out of the queue`, async (t) => {
    const { client } = roomsClient(t);
    const queued = assert.rejects(client.join("queued"), /before the server answered/);
    client[ending]();
    assert.deepEqual(client.buffer, []);
    await queued;
  });
}

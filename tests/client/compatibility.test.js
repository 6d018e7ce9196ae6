import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";

import { json, loadClient, next, record, websocket } from "./support/client.js";
import { connect, startServer } from "./support/server.js";

const require = createRequire(import.meta.url);
const events = ["open", "data", "close", "end", "error", "readyStateChange", "reconnect scheduled", "reconnect", "reconnected", "reconnect failed"];
const describe = (event, detail) => (event === "data" ? JSON.stringify(detail) : event === "readyStateChange" ? detail : detail?.attempt);

/** Scenarios that end with the event `until`. */
const scenarios = {
  "a conversation that the client ends": {
    setup: (primus) => primus.on("connection", (spark) => spark.on("data", (data) => spark.write(data))),
    play: (client) => client.on("data", () => client.end()).write({ a: 1 }),
    until: "end",
  },
  "a server that closes for good": {
    setup: (primus) => primus.on("connection", (spark) => spark.end("bye")),
    until: "end",
  },
  "a server that asks to come back": {
    setup: (primus) => primus.once("connection", (spark) => spark.end(undefined, { reconnect: true })),
    until: "reconnected",
  },
  "a server that refuses": {
    setup: (primus) => primus.authorize((request, done) => done("no")),
    options: { strategy: "disconnect, online" },
    until: "end",
  },
  "a server that refuses again and again": {
    setup: (primus) => primus.authorize((request, done) => done("no")),
    options: { strategy: "timeout", reconnect: { min: 1, retries: 2 } },
    until: "reconnect failed",
  },
};

for (const [what, { setup, play = () => {}, options, until }] of Object.entries(scenarios)) {
  test(`${what}: npm's client and ours tell the same story`, async (t) => {
    const stories = [];
    for (const clientOf of [(primus) => primus.Socket, () => loadClient()]) {
      const { url, primus } = await startServer(t, { setup });
      const client = connect(t, clientOf(primus), url, { reconnect: { min: 5 }, ...options });
      stories.push(record(client, events, describe));
      play(client);
      await next(client, until);
    }
    // Ours notices earlier that a connection that failed is closed; the order of what an application acts on is the same.
    const [theirs, ours] = stories.map((story) => story.filter((event) => !event.startsWith("readyStateChange")));
    assert.deepEqual(ours, theirs);
  });
}

test("an npm plugin's library and client part run on our client: primus-emitter", async (t) => {
  const plugin = require("primus-emitter");
  const { url } = await startServer(t, {
    plugins: { emitter: plugin },
    setup: (primus) => primus.on("connection", (spark) => spark.on("add", (a, b, reply) => reply(a + b))),
  });
  const parts = [
    websocket,
    json,
    { kind: "extension", name: "emitter", text: `export default ${plugin.client}` },
    { kind: "library", name: "emitter", text: plugin.library },
  ];
  const client = connect(t, loadClient({ parts }), url);
  assert.equal(await new Promise((resolve) => client.send("add", 1, 2, resolve)), 3);
});

test("an npm plugin's client part runs on our client: primus-emit", async (t) => {
  const plugin = require("primus-emit");
  const { url } = await startServer(t, {
    plugins: { emit: plugin },
    setup: (primus) => primus.on("connection", (spark) => spark.on("ask", (value) => spark.emit("answer", value * 2))),
  });
  const parts = [websocket, json, { kind: "extension", name: "emit", text: `export default ${plugin.client}` }];
  const client = connect(t, loadClient({ parts }), url);
  client.emit("ask", 21);
  assert.deepEqual(await next(client, "answer"), [42]);
});

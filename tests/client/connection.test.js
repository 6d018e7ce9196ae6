import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { loadClient, next, record } from "./support/client.js";
import { connect, startServer } from "./support/server.js";

const Primus = loadClient();

/** A server that sends everything back. */
const startEcho = (t, options) =>
  startServer(t, { ...options, setup: (primus) => primus.on("connection", (spark) => spark.on("data", (data) => spark.write(data))) });

/** Options for a client that is back soon after a loss. */
const soon = { reconnect: { min: 5, max: 20, retries: 1000 } };

test("a client opens, and both sides know it by the same id", async (t) => {
  const { url, primus } = await startServer(t);
  const connected = next(primus, "connection");
  const client = connect(t, Primus, url);
  const id = new Promise((resolve) => client.id(resolve));
  await next(client, "open");
  assert.equal(client.readyState, Primus.OPEN);
  assert.equal(await id, (await connected)[0].id);
});

for (const [what, message] of Object.entries({
  "a string": "hello",
  "an object": { list: [1, 2.5, null, true], nested: { deep: { er: "x" } } },
  "an empty array": [],
  "a number": 42,
  "zero": 0,
  "false": false,
  "null": null,
  "an empty string": "",
  "unicode": "grüße, 你好, 🎉, \u2028 and \u2029, \u0000",
  "1 MiB": "ab€".repeat(349_525),
})) {
  test(`${what} comes back as it was sent`, async (t) => {
    const { url } = await startEcho(t);
    const client = connect(t, Primus, url);
    const received = next(client, "data");
    assert.equal(client.write(message), true);
    const [data, raw] = await received;
    assert.deepEqual(data, message);
    assert.equal(typeof raw, "string");
  });
}

test("a binary message reaches the application as an ArrayBuffer", async (t) => {
  const { url, primus } = await startServer(t);
  primus.on("connection", (spark) => spark.emit("outgoing::data", Buffer.from([1, 2, 3])));
  const [data] = await next(connect(t, Primus, url), "data");
  assert.deepEqual(new Uint8Array(data), new Uint8Array([1, 2, 3]));
  assert.ok(data instanceof ArrayBuffer);
});

test("the query of the URL reaches the server, its path doesn't", async (t) => {
  const { url, primus } = await startServer(t);
  const connected = next(primus, "connection");
  connect(t, Primus, `${url}/elsewhere?room=a%20b&empty=`);
  const [spark] = await connected;
  assert.equal(spark.query.room, "a b");
  assert.equal(spark.query.empty, "");
  assert.match(spark.request.url, /^\/primus\?room=a%20b&empty=&_primuscb=[0-9a-z]+$/);
});

test("the pathname is the server's, and may be nested", async (t) => {
  const { url } = await startEcho(t, { pathname: "/rt/primus" });
  const client = connect(t, loadClient({ pathname: "/rt/primus" }), url);
  client.write("there");
  assert.deepEqual((await next(client, "data"))[0], "there");
});

test("options for `ws` reach it: a header that the server sees", async (t) => {
  const { url, primus } = await startServer(t);
  const connected = next(primus, "connection");
  connect(t, Primus, url, { transport: { headers: { "x-token": "abc" } } });
  assert.equal((await connected)[0].headers["x-token"], "abc");
});

test("credentials of the URL are sent as basic authorization", async (t) => {
  const { url, primus } = await startServer(t);
  const connected = next(primus, "connection");
  connect(t, Primus, url.replace("//", "//name:secret@"));
  assert.equal((await connected)[0].headers.authorization, `Basic ${btoa("name:secret")}`);
});

test("Node's own WebSocket serves as well, with headers and credentials", async (t) => {
  const { url, primus } = await startServer(t);
  const connected = next(primus, "connection");
  const script = fileURLToPath(new URL("support/native.js", import.meta.url));
  const child = spawn(process.execPath, ["--experimental-websocket", "--no-warnings", script, url.replace("//", "//name:s%3Acret@")], { stdio: "inherit" });
  const exited = once(child, "exit");
  const [spark] = await connected;
  assert.deepEqual([spark.headers["x-token"], spark.headers.authorization], ["abc", `Basic ${btoa("name:s:cret")}`]);
  assert.deepEqual(await once(spark, "data").then(([data]) => data), true);
  spark.write({ text: "ü" });
  assert.deepEqual(await once(spark, "data").then(([data]) => data), { text: "ü" });
  spark.end();
  assert.deepEqual(await exited, [0, null]);
});

test("pings are answered, as often as the server asks", async (t) => {
  const { url, primus } = await startServer(t, { pingInterval: 10 });
  const connected = next(primus, "connection");
  const client = connect(t, Primus, url);
  const [spark] = await connected;
  const ended = record(client, ["close", "error"]);
  for (let beat = 0; beat < 3; beat += 1) await once(spark, "heartbeat");
  assert.deepEqual(ended, []);
});

test("the server's end is final: no reconnect follows", async (t) => {
  const { url, primus } = await startServer(t);
  primus.on("connection", (spark) => spark.end({ last: "words" }));
  const client = connect(t, Primus, url, soon);
  const events = record(client, ["open", "data", "close", "end", "reconnect scheduled", "error"]);
  await next(client, "end");
  assert.deepEqual(events, ["open", "data", "close", "end"]);
  assert.equal(client.recovery.reconnecting(), false);
});

test("the server's end with `reconnect: true` brings the client back", async (t) => {
  const { url, primus } = await startServer(t);
  primus.once("connection", (spark) => spark.end(undefined, { reconnect: true }));
  const client = connect(t, Primus, url, soon);
  const events = record(client, ["open", "close", "end", "reconnect scheduled", "reconnect", "reconnected", "error"]);
  await next(client, "reconnected");
  assert.deepEqual(events, ["open", "close", "reconnect scheduled", "reconnect", "reconnected", "open"]);
});

test("the client's end reaches the server, with its last message before it", async (t) => {
  const { url, primus } = await startServer(t);
  const received = new Promise((resolve) => {
    primus.on("connection", (spark) => {
      const seen = record(spark, ["data", "end"], (event, data) => data);
      spark.on("end", () => resolve(seen));
    });
  });
  const client = connect(t, Primus, url);
  await next(client, "open");
  client.end("goodbye");
  assert.deepEqual(await received, ["data goodbye", "end"]);
});

test("what is written while the server restarts arrives afterwards, in order", async (t) => {
  const first = await startServer(t);
  const client = connect(t, Primus, first.url, soon);
  await next(client, "open");

  const closed = next(client, "close");
  await first.stop({ reconnect: true });
  await closed;
  for (const message of ["one", { two: 2 }, ["three"]]) client.write(message);

  const received = [];
  await startServer(t, {
    port: first.port,
    setup: (primus) => primus.on("connection", (spark) => spark.on("data", (data) => received.push(data) === 4 && spark.write("all"))),
  });
  await next(client, "open");
  client.write("four");
  assert.equal((await next(client, "data"))[0], "all");
  assert.deepEqual(received, ["one", { two: 2 }, ["three"], "four"]);
});

test("what is written to a socket that is closing is not lost", async (t) => {
  const { url } = await startEcho(t);
  const client = connect(t, Primus, url, soon);
  await next(client, "open");
  client.socket.close();
  client.write("late");
  assert.equal((await next(client, "data"))[0], "late");
});

test("U+2028 and U+2029 are escaped on the wire, as Primus does it", async (t) => {
  const { url, primus } = await startServer(t);
  const raw = new Promise((resolve) => primus.on("connection", (spark) => spark.on("data", (data, text) => resolve(String(text)))));
  connect(t, Primus, url).write("a\u2028b\u2029c\u2028");
  assert.equal(await raw, '"a\\u2028b\\u2029c\\u2028"');
});

test("a refused client that knows of authorization ends, and doesn't knock again", async (t) => {
  const { url } = await startServer(t, { setup: (primus) => primus.authorize((request, done) => done({ statusCode: 403, message: "no" })) });
  const client = connect(t, loadClient({ authorization: true }), url, soon);
  const events = record(client, ["open", "error", "close", "end", "reconnect scheduled"]);
  await next(client, "end");
  assert.deepEqual(events, ["error", "close", "end"]);
});

test("a refused client's application can see the answer, as `ws` shows it", async (t) => {
  const { url } = await startServer(t, { setup: (primus) => primus.authorize((request, done) => done({ statusCode: 403, message: "no" })) });
  const client = connect(t, loadClient({ authorization: true }), url);
  const status = new Promise((resolve) => {
    client.on("outgoing::open", () => {
      client.socket.on("unexpected-response", (request, response) => {
        resolve(response.statusCode);
        request.destroy();
      });
    });
  });
  assert.equal(await status, 403);
});

test("a granted client opens", async (t) => {
  const authorize = (request, done) => done(request.headers.authorization ? undefined : "who are you?");
  const { url } = await startServer(t, { setup: (primus) => primus.authorize(authorize) });
  await next(connect(t, loadClient({ authorization: true }), url.replace("//", "//name:secret@")), "open");
});

test("a server that isn't there: every attempt fails, then the client gives up", async (t) => {
  const server = await startServer(t);
  await server.stop();
  const client = connect(t, Primus, server.url, { reconnect: { min: 1, retries: 2 } });
  const events = record(client, ["error", "open", "reconnect scheduled", "reconnect", "reconnected", "reconnect failed", "end"]);
  await next(client, "reconnect failed");
  assert.deepEqual(events, ["error", "reconnect scheduled", "reconnect", "reconnect scheduled", "reconnect", "end", "reconnect failed"]);
});

test("ending a client while it connects is quiet", async (t) => {
  const { url } = await startServer(t);
  const client = connect(t, Primus, url, { manual: true });
  const events = record(client, ["open", "error", "close", "end", "reconnect scheduled"]);
  client.open();
  const aborted = new Promise((resolve) => client.socket.once("close", resolve));
  client.end();
  await aborted;
  assert.deepEqual(events, ["close", "end"]);
});

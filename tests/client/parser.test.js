import assert from "node:assert/strict";
import test from "node:test";

import { partText } from "../parsers/parsers.js";
import { json, loadClient, next, record, websocket } from "./support/client.js";
import { scriptedClient } from "./support/scripted.js";
import { connect, startServer } from "./support/server.js";

/** The part of a parser plugin. */
const parser = async (name) => ({ kind: "parser", name, text: await partText(name) });

/** What each of npm's parsers makes of a message with a date and bytes, sent back by the server. */
const message = { text: "Grüße", numbers: [1, -2, 2.5, 1e9], none: null };
const backs = {
  ejson: { date: new Date(1_700_000_000_000), bytes: new Uint8Array([1, 2, 3]) },
  binary: { date: String(new Date(1_700_000_000_000)), bytes: new Uint8Array([1, 2, 3]) },
  msgpack: { date: new Date(1_700_000_000_000), bytes: new Uint8Array([1, 2, 3]) },
};

for (const [name, back] of Object.entries(backs)) {
  test(`the client speaks ${name} with npm's server, if it is told to`, async (t) => {
    const { primus, url } = await startServer(t, { parser: name });
    const queries = [];
    primus.on("connection", (spark) => {
      queries.push(spark.query);
      spark.on("data", (data) => spark.write(data));
    });
    const Primus = loadClient({ parts: [websocket, json, await parser(name)] });
    const client = connect(t, Primus, `${url}?room=a`, { parser: name });
    await next(client, "open");
    client.write({ ...message, date: new Date(1_700_000_000_000), bytes: new Uint8Array([1, 2, 3]) });
    const [data] = await next(client, "data");
    assert.deepEqual(data, { ...message, ...back });
    assert.deepEqual([queries[0].room, queries[0]._parser], ["a", name]);

    // Control messages go through the parser, too.
    client.id((id) => client.emit("known", id));
    assert.equal((await next(client, "known"))[0].length, 21);
    primus.forEach((spark) => spark.end());
    await next(client, "end");
  });
}

test("the server's own parser is not asked for", async () => {
  const query = (Primus, options) => new Primus("http://server.test?a=1", { manual: true, ...options }).uri({ query: true });
  const Primus = loadClient({ parts: [websocket, json, await parser("msgpack")] });
  for (const options of [{}, { parser: "json" }, { parser: undefined }]) assert.doesNotMatch(query(Primus, options), /_parser/);
  assert.match(query(Primus, { parser: "msgpack" }), /\?a=1&_parser=msgpack&_primuscb=\w+$/);

  const Binary = loadClient({ parts: [websocket, json, await parser("msgpack")], parser: "msgpack" });
  assert.doesNotMatch(query(Binary, {}), /_parser/);
  assert.match(query(Binary, { parser: "json" }), /_parser=json/);
});

test("each client has the parser that it was made with", async () => {
  const Primus = loadClient({ parts: [websocket, json, await parser("msgpack")] });
  const encoded = (options) => {
    let packet;
    new Primus("http://server.test", { manual: true, ...options }).encoder([1], (error, result) => (packet = error ?? result));
    return packet;
  };
  assert.deepEqual(encoded({ parser: "msgpack" }), new Uint8Array([0x91, 1]));
  assert.equal(encoded({}), "[1]");
});

test("a parser that the client was not assembled with is refused by its name", () => {
  const Primus = loadClient();
  for (const name of ["msgpack", "toString"]) {
    assert.throws(() => new Primus("http://server.test", { manual: true, parser: name }), {
      message: `This client has no parser "${name}", but: json; the server's setting client_parsers adds others`,
    });
  }
});

/** What each parser can't read. */
const broken = { json: '{"a":', ejson: '{"$binary":7}', binary: [0xc4], msgpack: [0xc1], cbor: [0xff] };

for (const [name, wire] of Object.entries(broken)) {
  test(`${name}: what can't be read is an error, and the connection goes on`, async (t) => {
    const parts = name === "json" ? [] : [await parser(name)];
    const { client, transport, open } = scriptedClient(t, { extensions: parts, options: { parser: name } });
    open();
    const seen = record(client, ["error", "data", "close", "end"], (event, detail) => (event === "data" ? detail : undefined));
    transport.last.events.message(typeof wire === "string" ? wire : Uint8Array.from(wire).buffer);
    client.encoder("fine", (_, encoded) => transport.last.events.message(encoded));
    assert.deepEqual(seen, ["error", "data fine"]);
    assert.equal(client.readyState, 3);
  });
}

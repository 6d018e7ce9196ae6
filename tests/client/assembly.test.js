import assert from "node:assert/strict";
import { createRequire } from "node:module";
import test from "node:test";
import vm from "node:vm";

import { assembleModule, assembleUmd } from "../../host/client/assemble.js";
import { config, core, json, loadClient, loadPage, next, websocket } from "./support/client.js";
import { connect, startServer } from "./support/server.js";

const parts = [websocket, json];

/** A WebSocket for pages: the real one of `ws`. */
const WebSocket = createRequire(import.meta.url)("ws");

test("in a page, a script element defines the global, under a policy that forbids code from strings", async (t) => {
  const { url, primus } = await startServer(t);
  primus.on("connection", (spark) => spark.write("welcome"));
  const page = loadPage({ WebSocket });
  assert.throws(() => vm.runInContext("eval('1')", page), { name: "EvalError" });
  assert.deepEqual((await next(connect(t, page.Primus, url), "data"))[0], "welcome");
});

test("the global's name is a setting", () => {
  const page = loadPage({}, { global: "Switchboard" });
  assert.equal(typeof page.Switchboard, "function");
  assert.equal("Primus" in page, false);
});

test("an AMD loader gets the client, and the page too", () => {
  const defined = [];
  const define = Object.assign((names, factory) => defined.push(factory()), { amd: {} });
  const page = loadPage({ define });
  assert.deepEqual(defined, [page.Primus]);
});

test("the ES module exports the client by default and by name", async (t) => {
  const { url } = await startServer(t);
  const text = assembleModule(core, config, parts);
  const module = await import(`data:text/javascript,${encodeURIComponent(text)}`);
  assert.equal(module.default, module.Primus);
  await next(connect(t, module.default, url, { WebSocket }), "open");
});

test("two clients of different servers live side by side", () => {
  const one = loadClient({ pathname: "/one" });
  const two = loadClient({ pathname: "/two" });
  one.prototype.ark.x = () => {};
  assert.deepEqual([one.prototype.pathname, two.prototype.pathname, Object.keys(two.prototype.ark)], ["/one", "/two", []]);
});

test("the constructor knows its server, its states and itself", () => {
  const Primus = loadClient();
  const { pathname, version, library, authorization } = Primus.prototype;
  assert.deepEqual({ pathname, version, library, authorization }, { pathname: "/primus", version: "8.0.9", library: "0123456789abcdef", authorization: false });
  assert.deepEqual([Primus.OPENING, Primus.CLOSED, Primus.OPEN], [1, 2, 3]);
  assert.equal(Primus.name, "Primus");
  class Chat extends Primus {}
  const options = { manual: true };
  for (const client of [new Primus("http://server.test", options), Primus("http://server.test", options), Primus.connect("http://server.test", options), new Chat(options)]) {
    assert.ok(client instanceof Primus);
    assert.ok(client instanceof Primus.EventEmitter);
  }
  assert.ok(new Chat(options) instanceof Chat);
  assert.equal(new Primus(options).constructor, Primus);
});

test("the options that an application gave are left as they were", () => {
  const Primus = loadClient();
  const options = Object.freeze({ manual: true, strategy: " Online , TIMEOUT" });
  assert.equal(new Primus("http://server.test", options).options.strategy, "online,timeout");
});

test("strategies have their defaults, which authorization changes", () => {
  const strategyOf = (authorization, strategy) => new (loadClient({ authorization }))({ manual: true, strategy }).options.strategy;
  assert.equal(strategyOf(false), "disconnect,online,timeout");
  assert.equal(strategyOf(true), "disconnect,online");
  assert.equal(strategyOf(false, []), "disconnect,online,timeout");
  assert.equal(strategyOf(false, false), "");
  assert.equal(strategyOf(false, ["Disconnect"]), "disconnect");
});

test("transports are tried in the configured order; WebSocket last if it is to be avoided", () => {
  const part = (name, protocol = "", works = true) => ({
    kind: "transport",
    name,
    text: `export default { name: "${name}", protocol: "${protocol}" || undefined, supported: () => ${works}, open: ({ url }) => ({ name: "${name}", url, send() {}, close() {} }) };`,
  });
  const parts = [part("polling"), part("socket", "ws:"), part("broken", "", false), json];
  const Primus = loadClient({ parts, transports: ["broken", "socket", "polling"] });
  const opened = (options) => {
    const client = new Primus("http://server.test", { manual: true, timeout: false, ...options }).open();
    const { name, url } = client.socket;
    client.destroy();
    return `${name} ${url.slice(0, 3)}`;
  };
  assert.equal(opened(), "socket ws:");
  assert.equal(opened({ websockets: false }), "polling htt");
});

test("a library runs once, as a plain script, before any client", () => {
  const text = "this.loaded = (this.loaded || 0) + 1; implicit = typeof Primus; // the last line is a comment";
  const page = loadPage({}, { parts: [...parts, { kind: "library", name: "old", text }] });
  assert.equal(page.loaded, 1);
  assert.equal(page.implicit, "function");
});

test("in the ES module, a library finds the global object too", async () => {
  const text = "this.Primus_of_the_library = Primus;";
  const { Primus } = await import(`data:text/javascript,${encodeURIComponent(assembleModule(core, config, [...parts, { kind: "library", name: "old", text }]))}`);
  assert.equal(globalThis.Primus_of_the_library, Primus);
  delete globalThis.Primus_of_the_library;
});

test("a part whose last line is a comment doesn't swallow what follows", () => {
  const part = { kind: "extension", name: "x", text: "export default function client() {} // end" };
  assert.equal(typeof loadClient({ parts: [...parts, part] }).prototype.ark.x, "function");
});

test("a part is strict, and sees nothing of another part", () => {
  const part = { kind: "extension", name: "x", text: "const json = 1;\nexport default function client() { this.seen = [typeof websocket, json]; }\n" };
  const Primus = loadClient({ parts: [...parts, part] });
  assert.deepEqual(new Primus({ manual: true }).seen, ["undefined", 1]);
  assert.throws(() => loadClient({ parts: [{ ...part, text: "undeclared = 1;\nexport default 1;" }] }), ReferenceError);
});

test("a part without its one export is refused by name", () => {
  for (const text of ["function client() {}", "export default 1;\nexport default 2;"]) {
    assert.throws(() => assembleUmd(core, config, [{ kind: "extension", name: "broken", text }]), /client part broken/);
  }
});

test("the configuration can't break out of the text", () => {
  const pathname = '/"</script>\u2028';
  const text = assembleUmd(core, { ...config, pathname }, parts);
  assert.ok(!text.includes("</script>") && !text.includes("\u2028"));
  assert.equal(loadClient({ pathname }).prototype.pathname, pathname);
});

test("a client without a parser says so", (t) => {
  const Primus = loadClient({ parts: [websocket] });
  const client = connect(t, Primus, "http://server.test", { manual: true });
  const errors = [];
  client.on("error", (error) => errors.push(error.message));
  client.emit("incoming::data", "x");
  assert.match(errors[0], /no parser/);
});

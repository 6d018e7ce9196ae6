/** What an application writes against the declarations: everything here must compile, and the marked lines must not. */

import Primus, { type PrimusOptions, type ReconnectAttempt, type UriOptions } from "../../../../host/client/primus";
import type {} from "../../../../plugins/emitter/emitter";
import type {} from "../../../../plugins/rooms/rooms";

const options: PrimusOptions = {
  reconnect: { max: Infinity, min: "500 ms", retries: 10, factor: 2, "reconnect timeout": 30_000 },
  timeout: 10_000,
  pingTimeout: false,
  strategy: "online, timeout, disconnect",
  manual: true,
  websockets: true,
  network: false,
  transport: { headers: { authorization: "Basic …" } },
  queueSize: 100,
  headStart: 500,
  emitter: { timeout: 5000 },
};

const primus = new Primus("https://server.test?token=1", options);
Primus.connect({ url: "https://server.test", strategy: ["disconnect"] }).end();
Primus.connect("https://server.test", { strategy: false }).end({ last: "words" });

primus
  .on("open", () => primus.write({ hello: "world" }))
  .on("data", (data, raw) => console.log(data.anything, raw))
  .on("error", (error) => console.log(error.message))
  .on("readyStateChange", (state) => state === "opening" || state === "open" || state === "end")
  .on("reconnect scheduled", ({ scheduled, attempt, retries }: ReconnectAttempt) => console.log(scheduled + attempt + retries))
  .on("reconnect failed", (error, { duration }) => console.log(error.stack, duration.toFixed()))
  .on("outgoing::url", (parts: UriOptions) => void (parts.secure = true))
  .once("own event", (...args) => console.log(args.length))
  .transform("incoming", (packet) => packet.data !== null)
  .transform("outgoing", (packet, next) => next(undefined, packet.data))
  .id((id) => console.log(id.toUpperCase()))
  .open();

if (primus.readyState === Primus.OPEN) primus.emits("own event", 1)(2);
const stream: WritableStream = primus.pipe(new WritableStream(), { end: false });
console.log(stream.locked, primus.buffer.length, primus.plugin("rooms"), primus.reserved("open"), primus.destroy());

primus.send("news", 1, (answer: number) => console.log(answer)).end();
const sum: Promise<number> = primus.request<number>("add", 1, 2);
const names: Promise<string[]> = primus.rooms();
const joined: Promise<void> = primus.join("lobby");
primus.leave("lobby", (error) => console.log(error?.message));
void Promise.all([sum, names, joined, primus.leaveAll()]);

class Chat extends Primus {
  say(text: string): boolean {
    return this.write({ text });
  }
}
new Chat("https://server.test", { manual: true }).say("hi");

const page: typeof globalThis.Primus = globalThis.Primus;
page("https://server.test").on("end", () => {});

// @ts-expect-error: there is no such direction
primus.transform("sideways", () => {});
// @ts-expect-error: the id goes to a callback
primus.id();
// @ts-expect-error: the state is not the application's to set
primus.readyState = 1;
// @ts-expect-error: a queue's size is a number
new Primus({ queueSize: "many" });

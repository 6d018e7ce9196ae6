/**
 * How messages stand in an event stream, for `resumable` (see `resumable/client.js`), whose text goes before this.
 *
 * The stream is read by `fetch`, not by `EventSource`: so the status of a refusal is seen, headers can be sent, and it works in Node.
 */

/** So long the first event may take; what comes later is held back on the way. */
const FIRST_EVENT_MS = 3_000;

/** So long the first bytes of a further stream may take. */
const NEXT_STREAM_MS = 10_000;

/** @type {WeakSet<ResumableSession>} Sessions whose responses have to end to come through. */
const heldBack = new WeakSet();

/**
 * Calls with each event of a stream, until it ends.
 *
 * @param {ReadableStream<Uint8Array>} stream
 * @param {() => void} alive
 * @param {(event: string, data: string, id: string) => void} take
 */
async function readEvents(stream, alive, take) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let [event, id] = ["", ""];
  /** @type {string[]} */
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    // A line that goes on is not searched again from its beginning.
    let from = text.length;
    text += decoder.decode(value, { stream: true });
    let begin = 0;
    for (let end = text.indexOf("\n", from); end >= 0; end = text.indexOf("\n", begin)) {
      const line = text.slice(begin, end).replace(/\r$/, "");
      begin = end + 1;
      const colon = line.indexOf(":");
      const field = colon < 0 ? line : line.slice(0, colon);
      const content = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
      if (line === "") {
        if (data.length) take(event, data.join("\n"), id);
        event = "";
        data = [];
      } else if (field === "data") data.push(content);
      else if (field === "event") event = content;
      else if (field === "id") id = content;
    }
    text = text.slice(begin);
  }
}

/** @param {string} text */
function decoded(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

export default resumable({
  name: "sse",
  path: "/sse",
  streams: true,

  supported() {
    return typeof ReadableStream === "function";
  },

  async carry(session) {
    const first = !session.opened;
    const once = heldBack.has(session);
    try {
      const response = await (once ? session.get({ _once: 1 }) : session.get({}, first ? FIRST_EVENT_MS : NEXT_STREAM_MS));
      await readEvents(
        /** @type {ReadableStream<Uint8Array>} */ (response.body),
        () => session.alive(),
        (event, data, id) => {
          if (event === "open") session.open(JSON.parse(data));
          else if (event === "close") session.end(JSON.parse(data));
          else if (event === "") session.message(Number(id), data);
          // A byte order mark at its beginning belongs to it.
          else if (event === "text") session.message(Number(id), new TextDecoder("utf-8", { ignoreBOM: true }).decode(decoded(data)));
          else if (event === "binary") session.message(Number(id), decoded(data).buffer);
        },
      );
    } catch (error) {
      const held = first && !session.opened && /** @type {any} */ (error).name === "AbortError";
      if (!held) throw error;
      if (!session.last) throw new Error("No event came within 3 s: something on the way holds streams back");
      heldBack.add(session);
    }
  },
});

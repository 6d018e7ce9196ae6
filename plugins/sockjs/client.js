/**
 * The SockJS transport of the served client: frames by a streaming response, messages by requests, one at a time.
 *
 * For servers whose operator wants one path of theirs for npm's clients and for this one. It carries text.
 */

/** @param {any} value */
const isFunction = (value) => typeof value === "function";

/** A text that no other session has. */
const uniqueName = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(36).padStart(2, "0")).join("");

/** @type {import("../../host/client/primus.d.ts").TransportPart} */
const sockjs = {
  name: "sockjs",
  carries: "text",

  supported() {
    return isFunction(globalThis.fetch) && isFunction(globalThis.TextDecoderStream) && isFunction(globalThis.AbortController);
  },

  open({ url, options }, events) {
    const address = new URL(url);
    const { username, password } = address;
    // `fetch` takes no URL with credentials.
    address.username = address.password = "";
    const base = `${address.pathname.replace(/\/$/, "")}/000/${uniqueName()}`;
    const authorization = username ? { authorization: `Basic ${btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)}` } : {};
    const headers = { ...authorization, ...options.transport.headers };
    const abort = new AbortController();
    /** @type {any[]} What waits for the request before it. */
    let waiting = [];
    let isOpen = false;
    let isSending = false;
    let isOver = false;

    /**
     * @param {string} way
     * @param {string} [body]
     */
    const request = async (way, body) => {
      address.pathname = `${base}/${way}`;
      const response = await fetch(address, { method: "POST", headers, body, signal: abort.signal, cache: "no-store" });
      if (!response.ok) throw new Error(`The server answered with status ${response.status}: ${await response.text()}`);
      return response;
    };

    /** @param {import("../../host/client/primus.d.ts").CloseInfo} [info] */
    const end = (info) => {
      if (isOver) return;
      isOver = true;
      abort.abort();
      events.close(info);
    };

    /** @param {any} error */
    const fail = (error) => {
      if (isOver) return;
      events.error(error);
      end({ clean: false });
    };

    /** @param {string} frame */
    const take = (frame) => {
      if (isOver) return;
      if (frame === "o") {
        isOpen = true;
        events.open();
      } else if (frame.startsWith("a")) {
        for (const message of JSON.parse(frame.slice(1))) events.message(message);
      } else if (frame.startsWith("c")) {
        const [code, reason] = JSON.parse(frame.slice(1));
        end({ code, reason, clean: true });
      }
    };

    /** The server ends a response after so many bytes; the next one goes on. */
    const listen = async () => {
      while (!isOver) {
        const { body } = await request("xhr_streaming");
        const reader = /** @type {ReadableStream} */ (body).pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          const lines = (rest + value).split("\n");
          rest = /** @type {string} */ (lines.pop());
          lines.forEach(take);
        }
      }
    };

    const flush = async () => {
      isSending = true;
      while (waiting.length && !isOver) {
        const messages = waiting;
        waiting = [];
        await request("xhr_send", JSON.stringify(messages));
      }
      isSending = false;
    };

    listen().catch(fail);
    return {
      get ready() {
        return isOpen && !isOver;
      },
      send(data) {
        waiting.push(data);
        if (!isSending) flush().catch(fail);
      },
      close() {
        isOver = true;
        abort.abort();
      },
    };
  },
};

export default sockjs;

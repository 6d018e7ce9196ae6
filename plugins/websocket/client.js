/**
 * The WebSocket transport of the client, for browsers and for Node.
 *
 * The constructor is that of the option `WebSocket`, or the global one (browsers, Node from 22), or that of the package `ws`.
 * In Node, the option `transport` goes to either: `headers` are common to them.
 */

/**
 * @param {import("../../host/client/primus.d.ts").Options} options
 * @returns {any} A WebSocket constructor, or undefined.
 */
function constructorFor(options) {
  if (options.WebSocket) return options.WebSocket;
  if (typeof WebSocket !== "undefined") return WebSocket;
  try {
    // Through a name of its own, so that bundlers don't pull the package into a page.
    const load = typeof require === "function" ? require : undefined;
    return load?.("ws");
  } catch {
    return undefined;
  }
}

/**
 * @param {any} Constructor
 * @param {string} url
 * @param {Record<string, any>} transport
 * @returns {WebSocket}
 */
function connect(Constructor, url, transport) {
  // Only `ws` declares three parameters.
  if (Constructor.length === 3) return new Constructor(url, [], transport);
  if (Constructor !== globalThis.WebSocket || !isNode()) return new Constructor(url);

  // Node's own takes headers, but leaves out the credentials of a URL.
  const { username, password } = new URL(url);
  const credentials = btoa(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const authorization = username ? { authorization: `Basic ${credentials}` } : {};
  return new Constructor(url, { ...transport, headers: { ...authorization, ...transport.headers } });
}

/** @returns {boolean} */
function isNode() {
  return typeof document === "undefined" && Boolean(/** @type {any} */ (globalThis).process?.versions?.node);
}

/** @type {import("../../host/client/primus.d.ts").TransportPart} */
const websocket = {
  name: "websocket",
  protocol: "ws:",
  stream: true,

  supported(options) {
    return Boolean(constructorFor(options));
  },

  open({ url, options }, events) {
    const socket = connect(constructorFor(options), url, options.transport);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.open();
    socket.onmessage = ({ data }) => events.message(data);
    socket.onerror = (/** @type {any} */ { error, message }) => {
      events.error(error ?? new Error(message || "The WebSocket connection failed"));
    };
    socket.onclose = ({ code, reason, wasClean }) => events.close({ code, reason, clean: wasClean });

    return {
      socket,
      get ready() {
        return socket.readyState === 1;
      },
      send(data) {
        socket.send(data);
      },
      close() {
        // Listeners stay, deaf: `ws` throws the error of an aborted connection if none is there.
        const ignore = () => {};
        socket.onopen = socket.onmessage = socket.onerror = socket.onclose = ignore;
        socket.close();
      },
    };
  },
};

export default websocket;

/**
 * The address of the server: how the URL that an application gives is read, and how the one that a transport opens is built.
 *
 * Of the given URL, host, credentials and query count. Its path doesn't: the server's pathname is part of the client.
 *
 * @import { ParsedUrl, UriOptions } from "../primus.d.ts"
 * @import { Primus } from "./primus.js"
 */

/**
 * The page's own origin, or this machine where there is no page.
 *
 * @returns {string}
 */
export function defaultUrl() {
  const origin = globalThis.location?.origin;
  return origin && origin !== "null" ? origin : "http://127.0.0.1";
}

/**
 * Reads a URL. One without a scheme gets that of the page; one that begins with a path or a query is the page's own server.
 *
 * @param {string} text
 * @returns {ParsedUrl}
 * @throws {TypeError} When it is no URL.
 */
export function parseUrl(text) {
  const base = defaultUrl();
  const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text);
  const url = hasScheme || /^(?:[/?]|$)/.test(text) ? new URL(text, base) : new URL(`${new URL(base).protocol}//${text}`);
  const auth = url.username ? url.username + (url.password ? `:${url.password}` : "") : "";
  return {
    protocol: url.protocol,
    slashes: true,
    auth,
    username: url.username,
    password: url.password,
    host: url.host,
    hostname: url.hostname,
    port: url.port,
    pathname: url.pathname,
    query: url.search,
    hash: url.hash,
    origin: url.origin,
    href: url.href,
  };
}

/**
 * Reads a query string into an object; of a repeated name, the first value counts.
 *
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function parseQuery(text) {
  /** @type {Record<string, string>} */
  const values = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) values[name] ??= value;
  return values;
}

/**
 * Writes an object as a query string.
 *
 * @param {Record<string, unknown>} values
 * @returns {string}
 */
export function formatQuery(values) {
  return Object.entries(values)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value ?? ""))}`)
    .join("&");
}

/**
 * Builds the URL of a connection, after listeners of `outgoing::url` had their say.
 *
 * @param {Primus} primus
 * @param {Partial<UriOptions>} wanted
 * @returns {string | UriOptions} The parts instead of the text if `wanted.object`.
 */
export function buildUri(primus, wanted) {
  const { url } = primus;
  const { parser = primus.parserName } = primus.options;
  const asked = parser === primus.parserName ? "" : `_parser=${encodeURIComponent(parser)}`;
  const withQuery = Boolean(wanted.query);
  const secure = wanted.secure ?? /^(?:https|wss):$/.test(url.protocol);
  /** @type {UriOptions} */
  const parts = {
    protocol: "http:",
    auth: url.auth,
    pathname: primus.pathname,
    ...wanted,
    secure,
    port: Number(wanted.port ?? url.port) || (secure ? 443 : 80),
    query: [withQuery ? url.query.slice(1) : "", asked, `_primuscb=${uniqueStamp()}`].filter(Boolean).join("&"),
  };
  primus.emit("outgoing::url", parts);

  if (!withQuery) delete parts.query;
  if (parts.object) return parts;

  const scheme = parts.secure ? parts.protocol.replace(/:$/, "s:") : parts.protocol;
  const credentials = parts.auth ? `${parts.auth}@` : "";
  const query = withQuery ? `?${parts.query}` : "";
  return `${scheme}//${credentials}${url.host}${parts.pathname || ""}${query}`;
}

let lastStamp = 0;

/**
 * A text that no other URL of this page had, so that no cache answers for the server.
 *
 * @returns {string}
 */
function uniqueStamp() {
  lastStamp = Math.max(Date.now(), lastStamp + 1);
  return lastStamp.toString(36);
}

/**
 * @file What the matrix consists of: clients that no one here wrote, what carries them, the parsers that they speak, and where
 * they run. The tests run its cells, and the table in the README shows them.
 *
 * Knows names only: how a client is made is the business of who runs it.
 */

export const parsers = ['json', 'ejson', 'binary', 'msgpack'];

/** Carried as text, bytes would be corrupted: Primus lets it happen, we refuse it. */
const texts = ['json', 'ejson'];

export const places = ['Node', 'Chromium'];

/**
 * @typedef {object} Row
 * @property {string} client The npm package, or the browser's own interface.
 * @property {string} carrier The transformer of a Primus client; for others, the carriers that it uses.
 * @property {string[]} parsers
 * @property {string[]} places
 */

/** @type {Row[]} */
export const rows = [
  ...['websockets', 'faye', 'uws', 'engine.io'].map((carrier) => ({ client: 'primus', carrier, parsers, places })),
  ...['sockjs', 'browserchannel'].map((carrier) => ({ client: 'primus', carrier, parsers: texts, places })),
  ...['primus-6', 'primus.io'].flatMap((client) => [
    ...['websockets', 'engine.io'].map((carrier) => ({ client, carrier, parsers, places })),
    ...['sockjs', 'browserchannel'].map((carrier) => ({ client, carrier, parsers: texts, places })),
  ]),
  ...['engine.io-client', 'engine.io-client-3'].flatMap((client) =>
    ['polling', 'websocket', 'polling, websocket'].map((carrier) => ({ client, carrier, parsers, places })),
  ),
  { client: 'engine.io-client-3', carrier: 'jsonp-polling', parsers, places: ['Chromium'] },
  ...['websocket', 'xhr-streaming', 'xhr-polling', 'eventsource'].map((carrier) => ({
    client: 'sockjs-client', carrier, parsers: texts, places,
  })),
  ...['iframe-eventsource', 'htmlfile', 'iframe-htmlfile', 'iframe-xhr-polling', 'jsonp-polling'].map((carrier) => ({
    client: 'sockjs-client', carrier, parsers: texts, places: ['Chromium'],
  })),
  { client: 'browserchannel', carrier: 'xhr', parsers: texts, places },
  ...['sockjs', 'sse'].map((carrier) => ({ client: 'EventSource', carrier, parsers: texts, places: ['Chromium'] })),
];

/** Whether it comes back by itself, as every client of a Primus does. @param {Row} row */
export const reconnects = ({ client }) => client.startsWith('primus');

/** The libraries of the plugins that serve all of them, but for the parsers. */
export const transports = ['websocket', 'engine_io', 'sockjs', 'browserchannel', 'sse'];

/** One of `rows` with one parser in one place. @typedef {{ name: string, row: Row, parser: string, place: string }} Cell */

/** The cells of a place and parser. @returns {Cell[]} */
export function cellsOf(place, parser) {
  return rows
    .filter((row) => row.places.includes(place) && row.parsers.includes(parser))
    .map((row) => ({ name: `${row.client} (${row.carrier}), ${parser}, ${place}`, row, parser, place }));
}

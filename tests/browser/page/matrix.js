/**
 * @file The page of one cell of the matrix: its query names client, carrier and parser. Whoever opened the page runs the checks,
 * by their names.
 */

const { client, carrier, parser } = Object.fromEntries(new URLSearchParams(location.search));

// The values are written for Node. Libraries that find a `Buffer` would take it for the real one.
window.Buffer = { from: (list) => Uint8Array.from(list), alloc: (length, byte = 0) => new Uint8Array(length).fill(byte) };
const { checks, isBack, settled } = await import('/conformance/checks.js');
const { engineIo, eventSource, sockJs } = await import('/conformance/bare.js');
const { Connection } = await import('/conformance/connection.js');
delete window.Buffer;

function load(file) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `/libraries/${file}.js`;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${script.src} can't be loaded`));
    document.head.append(script);
  });
}

/** The constructor of the cell's client. For one that is no Primus client, Primus's library has the parser. */
async function constructorOf() {
  await load(`${client === 'primus' ? carrier : 'websockets'}-${parser}`);
  if (client === 'primus') return window.Primus;
  const codec = window.Primus.prototype;
  if (client === 'EventSource') return eventSource(codec);
  await load(client);
  return client === 'sockjs-client' ? sockJs(window.SockJS, carrier, codec) : engineIo(window.eio.Socket ?? window.eio, carrier.split(', '), codec);
}

const Constructor = await constructorOf();
const reconnect = { min: 5, max: 100, factor: 1.2, retries: 500, 'reconnect timeout': 2_000 };
const clients = [];

async function connect({ query = '', options = {} } = {}) {
  const connection = new Connection(new Constructor(`${location.origin}${query}`, { reconnect, ...options }));
  clients.push(connection);
  return connection;
}

/** Runs a check; what fails it is thrown. */
window.run = async (what) => {
  try {
    await checks[what](connect, parser);
  } finally {
    for (const connection of clients.splice(0)) connection.end();
  }
};

let held;

/** Opens the connection that the server is going to be lost to. */
window.hold = async () => {
  held = await settled(connect);
  const closed = held.event('close');
  window.lost = async () => {
    await closed;
    held.primus.write('written meanwhile');
  };
};

window.isBack = () => isBack(held);
window.isReady = true;

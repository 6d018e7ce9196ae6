/**
 * @file The page of one cell of the matrix: its query names client, carrier and parser. Whoever opened the page runs the checks,
 * by their names.
 */

const { client, carrier, parser } = Object.fromEntries(new URLSearchParams(location.search));

// The values are written for Node. Libraries that find a `Buffer` would take it for the real one.
window.Buffer = { from: (list) => Uint8Array.from(list), alloc: (length, byte = 0) => new Uint8Array(length).fill(byte) };
const { checks, isBack, patiently, settled } = await import('/conformance/checks.js');
const { browserChannel, engineIo, eventSource, sockJs } = await import('/conformance/bare.js');
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
  const isPrimus = client.startsWith('primus');
  await load(isPrimus ? `${client}-${carrier}-${parser}` : `primus-websockets-${parser}`);
  if (isPrimus) return window.Primus;
  const codec = window.Primus.prototype;
  if (client === 'EventSource') return eventSource(carrier, codec);
  await load(client);
  if (client === 'sockjs-client') return sockJs(window.SockJS, carrier, codec);
  if (client === 'browserchannel') return browserChannel(window.BCSocket, codec);
  return engineIo(window.eio.Socket ?? window.eio, carrier.split(', '), codec);
}

const Constructor = await constructorOf();
const clients = [];

async function connect(how) {
  const { query = '', options = {} } = patiently(carrier, how);
  const connection = new Connection(new Constructor(`${location.origin}${query}`, options));
  clients.push(connection);
  return connection;
}

/** Runs a check; what fails it is thrown. */
window.run = async (what) => {
  try {
    await checks[what](connect, client, parser);
  } finally {
    for (const connection of clients.splice(0)) connection.end();
  }
};

let held;

/** Opens the connection that the server is going to be lost to. */
window.hold = async () => {
  held = await settled(connect);
};

window.isBack = () => isBack(held);
window.isReady = true;

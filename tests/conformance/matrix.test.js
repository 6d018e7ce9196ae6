/**
 * @file The matrix in Node: every client that no one here wrote, over every carrier and with every parser.
 *
 * One server for each parser has all transports at once, on one path.
 */

import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';

import { browserChannel, engineIo, sockJs } from './bare.js';
import { checks, isBack, keepsBeating, patiently, settled } from './checks.js';
import { connecting, inNodeOver, olderInNodeOver } from './clients.js';
import { cellsOf, parsers, reconnects, transports } from './matrix.js';
import { ours, start } from './server.js';

const require = createRequire(import.meta.url);
const packages = {
  'engine.io-client': require('engine.io-client').Socket,
  'engine.io-client-3': require('engine.io-client-3').Socket,
  'sockjs-client': require('sockjs-client'),
  browserchannel: require('browserchannel').BCSocket,
};

/** Of the servers whose heartbeat is waited for, in milliseconds. */
const pingInterval = 2_000;

/** The options of a client for these: the older ones ping the server, and the newer ones refuse to. */
const beats = ({ row: { client } }) => (['primus-6', 'primus.io'].includes(client) ? { ping: pingInterval / 4 } : {});

/** How the client of a cell is made. @returns {import('./clients.js').Kind} */
function kindOf({ name, row: { client, carrier } }) {
  if (client === 'primus') return inNodeOver(carrier);
  if (client.startsWith('primus')) return olderInNodeOver(carrier, client);
  return {
    name,
    transformer: carrier,
    headers: true,
    constructorFor: async (server) => {
      // The parser is npm's, and the client of a Primus has it.
      const codec = (await inNodeOver('websockets').constructorFor(server)).prototype;
      if (client === 'sockjs-client') return sockJs(packages[client], carrier, codec);
      if (client === 'browserchannel') return browserChannel(packages[client], codec);
      return engineIo(packages[client], carrier.split(', '), codec);
    },
  };
}

describe('the matrix in Node', { concurrency: parsers.length, ...ours }, () => {
  for (const parser of parsers) {
    describe(parser, { concurrency: 8 }, () => {
      const settings = { parser, plugins: [...transports, parser, 'conformance_app'] };
      /** @type {import('./server.js').Server} */
      let server;
      /** @type {import('./server.js').Server} */
      let beating;
      before(async () => {
        [server, beating] = await Promise.all([start(settings), start({ ...settings, pingInterval })]);
      });
      after(() => Promise.all([server.remove(), beating.remove()]));

      for (const cell of cellsOf('Node', parser)) {
        const kind = kindOf(cell);
        test(cell.name, async (t) => {
          const connect = (how) => connecting(t, kind, server, patiently(cell.row.carrier, how));
          for (const [what, check] of Object.entries(checks)) await t.test(what, () => check(connect, cell.row.client, parser));
          await t.test('answers the heartbeat', () => keepsBeating((how) => connecting(t, kind, beating, patiently(cell.row.carrier, how)), beats(cell)));
        });
      }
    });

    test(`after a restart, ${parser}`, async (t) => {
      const server = await start({ parser, plugins: [...transports, parser, 'conformance_app'] });
      const cells = cellsOf('Node', parser).filter(({ row }) => reconnects(row));
      const clients = await Promise.all(cells.map((cell) => settled((how) => connecting(t, kindOf(cell), server, patiently(cell.row.carrier, how)))));
      // After the clients, which would look for it.
      t.after(() => server.remove());
      const closed = clients.map((client) => client.event('close'));
      await server.end('SIGKILL');
      await Promise.all(closed);
      await server.start();
      await Promise.all(cells.map((cell, at) => t.test(cell.name, () => isBack(clients[at]))));
    });
  }
});

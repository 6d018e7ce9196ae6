/**
 * @file The matrix in Chromium: every client that no one here wrote, as browsers have it, over every carrier and with every
 * parser. A cell is a page; one server for each parser has all transports at once, on one path.
 */

import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { checks } from '../conformance/checks.js';
import { libraryText } from '../conformance/clients.js';
import { cellsOf, parsers, reconnects, rows, transports } from '../conformance/matrix.js';
import { ours, repository, start } from '../conformance/server.js';
import { launch, openPage } from './browser.js';

const folder = (name) => join(repository, 'tests', name);

/** What the packages have for browsers. */
const builds = {
  'engine.io-client': 'engine.io-client/dist/engine.io.js',
  'engine.io-client-3': 'engine.io-client-3/engine.io.js',
  'sockjs-client': 'sockjs-client/dist/sockjs.js',
  browserchannel: 'browserchannel/dist/bcsocket-uncompressed.js',
};

const libraries = mkdtempSync(join(tmpdir(), 'switchboard-libraries-'));

/** @type {import('playwright-core').Browser} */
let browser;
before(async () => {
  for (const [name, file] of Object.entries(builds)) copyFileSync(folder(`node_modules/${file}`), join(libraries, `${name}.js`));
  for (const { client, carrier, parsers } of rows.filter(reconnects)) {
    for (const parser of parsers) {
      const text = libraryText(carrier, { parser, pathname: '/primus', pingInterval: 30_000 }, { name: client });
      writeFileSync(join(libraries, `${client}-${carrier}-${parser}.js`), text);
    }
  }
  browser = await launch();
});
after(async () => {
  await browser.close();
  rmSync(libraries, { recursive: true });
});

/** Serves the pages too, and the modules that they share with the tests in Node. */
function startWith(parser) {
  return start({
    parser,
    plugins: [...transports, parser, 'conformance_app'],
    tables: {
      server: { static: { '/': folder('browser/page'), '/conformance': folder('conformance'), '/parsers': folder('parsers'), '/libraries': libraries } },
      sockjs: { client_url: '/libraries/sockjs-client.js' },
    },
  });
}

/** The page of a cell, closed with the test `t`. */
async function pageOf(t, server, { row: { client, carrier }, parser }) {
  const tab = await openPage(t, browser);
  await tab.goto(`${server.url}/matrix.html?${new URLSearchParams({ client, carrier, parser })}`);
  await tab.waitForFunction(() => window.isReady);
  return tab;
}

for (const parser of parsers) {
  describe(`the matrix in Chromium, ${parser}`, ours, () => {
    /** @type {import('../conformance/server.js').Server} */
    let server;
    before(async () => {
      server = await startWith(parser);
    });
    after(() => server.remove());

    describe('checks', { concurrency: 4 }, () => {
      for (const cell of cellsOf('Chromium', parser)) {
        test(cell.name, async (t) => {
          const tab = await pageOf(t, server, cell);
          for (const what of Object.keys(checks)) await t.test(what, () => tab.evaluate((what) => window.run(what), what));
        });
      }
    });

    test('after a restart', async (t) => {
      // In a browser, BrowserChannel's client first asks another site whether there is a network at all.
      const cells = cellsOf('Chromium', parser).filter(({ row }) => reconnects(row) && row.carrier !== 'browserchannel');
      const tabs = await Promise.all(cells.map((cell) => pageOf(t, server, cell)));
      await Promise.all(tabs.map((tab) => tab.evaluate(() => window.hold())));
      await server.restart();
      await Promise.all(cells.map((cell, at) => t.test(cell.name, () => tabs[at].evaluate(() => window.isBack()))));
    });
  });
}

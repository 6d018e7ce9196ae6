/**
 * @file The commands of `switchboard` besides `serve`: they say what is there, and what is wrong with it.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { inBrowser } from '../conformance/clients.js';
import { configuration } from '../conformance/configuration.js';
import { build, library, startFor } from '../conformance/server.js';
import { DEADLINE } from '../conformance/waiting.js';

/** A folder with plugins and a plugins.toml. */
let folder;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-command-'));
  mkdirSync(join(folder, 'plugins'), { mode: 0o755 });
  for (const plugin of ['json', 'websocket', 'lifecycle_greeter', 'lifecycle_dependent']) {
    copyFileSync(library(plugin), join(folder, 'plugins', `lib${plugin}.so`));
  }
  writeFileSync(join(folder, 'plugins.toml'), configuration({ port: 0, pathname: '/primus', pingInterval: 30_000, maxLength: 1_000 }, 'plugins'));
});
after(() => rmSync(folder, { recursive: true }));

/** Runs the command in the folder. @returns {Promise<{ code: number, out: string, err: string }>} */
function switchboard(...args) {
  return new Promise((resolve) => {
    execFile(join(build, 'switchboard'), args, { cwd: folder, timeout: DEADLINE }, (error, out, err) => {
      resolve({ code: error ? error.code : 0, out, err });
    });
  });
}

describe('switchboard check', () => {
  test('says what a plugin is and what it brings', async () => {
    const { code, out } = await switchboard('check', library('websocket'), library('lifecycle_greeter'), library('lifecycle_dependent'));
    assert.equal(code, 0);
    assert.match(out, /websocket/);
    assert.match(out, /transport/);
    assert.match(out, /greeter/);
    assert.match(out, /incoming/);
    assert.match(out, /extension|client/);
    assert.match(out, /requires.*greeter/i);
  });

  const faulty = {
    'another ABI': () => library('lifecycle_foreign'),
    'half a library': () => {
      const bytes = readFileSync(library('lifecycle_greeter'));
      writeFileSync(join(folder, 'half.so'), bytes.subarray(0, bytes.length / 2));
      return 'half.so';
    },
    text: () => {
      writeFileSync(join(folder, 'letter.so'), 'Dear server');
      return 'letter.so';
    },
    'a file that is not there': () => 'nothing.so',
  };
  for (const [what, file] of Object.entries(faulty)) {
    test(`refuses ${what} with a reason, and goes on to the next`, async () => {
      const name = file();
      const { code, out, err } = await switchboard('check', name, library('json'));
      assert.notEqual(code, 0);
      assert.ok((out + err).includes(name), out + err);
      assert.match(out, /json/);
      assert.doesNotMatch(err, /panicked|backtrace/);
    });
  }
});

describe('switchboard plugins', () => {
  test('lists what would be loaded', async () => {
    const { code, out } = await switchboard('plugins', '--config', 'plugins.toml');
    assert.equal(code, 0);
    for (const plugin of ['json', 'websocket', 'greeter', 'dependent']) assert.match(out, new RegExp(plugin));
  });
});

describe('switchboard library', () => {
  test('prints the client, and saves it', async () => {
    const printed = await switchboard('library', '--config', 'plugins.toml');
    assert.equal(printed.code, 0);
    assert.equal(typeof inBrowser(printed.out), 'function');
    assert.match(printed.out, /primus\.greeter = "one"/);
    const saved = await switchboard('library', '--config', 'plugins.toml', '--save', 'primus.js');
    assert.equal(saved.code, 0);
    assert.equal(readFileSync(join(folder, 'primus.js'), 'utf8').trimEnd(), printed.out.trimEnd());
  });

  test('is what the server serves', async (t) => {
    const server = await startFor(t, { plugins: ['json', 'websocket', 'lifecycle_greeter', 'lifecycle_dependent'] });
    const served = await (await fetch(server.at('/primus.js'))).text();
    const { out } = await switchboard('library', '--config', server.config);
    assert.equal(out.trimEnd(), served.trimEnd());
  });
});

describe('switchboard serve', () => {
  test('does not start on a faulty plugins.toml, and says where the fault is', async () => {
    writeFileSync(join(folder, 'faulty.toml'), '[server]\nlisten = "127.0.0.1:0"\nplugin = "plugins"\n');
    const { code, out, err } = await switchboard('serve', '--config', 'faulty.toml');
    assert.notEqual(code, 0);
    assert.match(out + err, /faulty\.toml:3/);
    assert.match(out + err, /plugins/);
  });

  test('loads nothing from a folder that others may write', async (t) => {
    const server = await startFor(t, { plugins: ['json', 'websocket'], tables: {} });
    await server.end();
    chmodSync(server.plugins, 0o777);
    const mark = server.log.length;
    await server.start();
    assert.equal((await fetch(server.at(''))).status, 503);
    const lines = server.lines(/\b(WARN|ERROR)\b/, mark);
    assert.equal(lines.length, 1);
    assert.match(lines[0], /plugins/);
    assert.match(lines[0], /writ/);
  });
});

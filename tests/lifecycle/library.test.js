/**
 * @file The host assembles the client as `host/client/assemble.js` does, byte by byte.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { assembleModule, assembleUmd } from '../../host/client/assemble.js';
import { build, library, repository } from '../conformance/server.js';

const read = (path) => readFileSync(join(repository, path), 'utf8');

/** The parts of the shipped plugins, in the order in which the host loads them. */
const parts = [
  { kind: 'extension', name: 'emitter', text: read('plugins/emitter/client.js') },
  { kind: 'parser', name: 'json', text: read('plugins/json/client.js') },
  { kind: 'extension', name: 'rooms', text: read('plugins/rooms/client.js') },
  { kind: 'transport', name: 'websocket', text: read('plugins/websocket/client.js') },
];

for (const [file, assemble] of [['primus.js', assembleUmd], ['primus.mjs', assembleModule]]) {
  test(`${file} is what the reference makes of the same parts`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-assembly-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'plugins'), { mode: 0o755 });
    for (const { name } of parts) copyFileSync(library(name), join(folder, 'plugins', `lib${name}.so`));
    writeFileSync(join(folder, 'plugins.toml'), '[server]\nping_interval = "20s"\nglobal = "Chat"\n');

    execFileSync(join(build, 'switchboard'), ['library', '--save', file], { cwd: folder });
    const text = readFileSync(join(folder, file), 'utf8');
    const config = JSON.parse(/^var Primus = core\.define\((.*)\);$/m.exec(text)[1]);
    assert.equal(config.pingTimeout, 30_000);
    assert.equal(config.global, 'Chat');
    assert.match(config.library, /^[0-9a-f]{32}$/);
    assert.equal(text, assemble(read('host/client/dist/core.js'), config, parts));
  });
}

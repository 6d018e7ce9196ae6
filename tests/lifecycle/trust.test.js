/**
 * @file Only what can be trusted is loaded: files that nobody else may write, and, where it is wanted, pinned or signed ones.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { library, start, startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { command } from './command.js';
import { answer, answers, complaints, drop, edit, put, remove, serving } from './folder.js';
import { Signer } from './signing.js';

const app = ['json', 'websocket', 'conformance_app'];
const greeter = { plugins: [...app, ['lifecycle_greeter', 'libgreeter.so']] };

/** Resolves with the first line of complaint since `mark`. */
function complaint(server, mark) {
  return until('a line of complaint', () => complaints(server, mark)[0]);
}

describe('nothing is loaded', () => {
  test('from a folder whose parent others may write, until they may not', async (t) => {
    const server = await startFor(t, { plugins: app });
    await server.end();
    chmodSync(server.directory, 0o777);
    const mark = server.log.length;
    await server.start();
    assert.equal((await fetch(server.at(''))).status, 503);
    const [line] = complaints(server, mark).filter((line) => /no plugin is loaded/.test(line));
    assert.ok(line.includes(`${server.directory} may be written by others (mode 0777); run: chmod go-w ${server.directory}`), line);
    chmodSync(server.directory, 0o755);
    await until('the plugins', async () => (await fetch(server.at(''))).status === 426);
  });

  test('from a folder that others may write by `switchboard reload` either, until they may not', async (t) => {
    const { server, steady } = await serving(t, greeter);
    for (const folder of [server.plugins, server.directory]) {
      chmodSync(folder, 0o777);
      await until('it to be said', async () => /nothing is loaded from the plugins folder: .*written by others/.test((await command(server, 'plugins')).err));
      const { code, err } = await command(server, 'reload', 'greeter');
      assert.equal(code, 1);
      assert.match(err, /greeter: \S+ may be written by others \(mode 0777\).*the former generation goes on/);
      chmodSync(folder, 0o755);
    }
    await until('all to be well', async () => {
      const { out, err } = await command(server, 'plugins');
      return err === '' && !out.includes('refused');
    });
    const { code, err } = await command(server, 'reload', 'greeter');
    assert.equal(code, 0, err);
    await steady.goesOn();
  });

  test('that is no file, and a pipe holds nobody up', async (t) => {
    const server = await startFor(t, greeter);
    const mark = server.log.length;
    const pipe = join(server.plugins, 'libpipe.so');
    execFileSync('mkfifo', [pipe]);
    assert.match(await complaint(server, mark), /libpipe\.so is not a regular file$/);
    for (const args of [['check', pipe], ['pin']]) {
      const { code, out, err } = await command(server, ...args);
      assert.equal(code, 1);
      assert.match(out + err, /libpipe\.so is not a regular file/);
    }
    assert.match((await command(server, 'plugins')).out, /^pipe .*refused: \S+libpipe\.so is not a regular file$/m);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    await server.restart('SIGTERM');
    assert.equal(await answer(server, 'greet'), 'greetings from one');
  });

  test('that others may write, until they may not', async (t) => {
    const { server, steady } = await serving(t);
    const mark = server.log.length;
    const file = join(server.plugins, 'libgreeter.so');
    const aside = join(server.directory, 'aside');
    copyFileSync(library('lifecycle_greeter'), aside);
    chmodSync(aside, 0o666);
    put(server, 'libgreeter.so', '');
    rmSync(file);
    copyFileSync(aside, file);
    chmodSync(file, 0o666);
    assert.match(await complaint(server, mark), /libgreeter\.so.*may be written by others \(mode 0666\)/);
    chmodSync(file, 0o644);
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
  });

  test('that has a second name', async (t) => {
    const { server, steady } = await serving(t);
    const mark = server.log.length;
    const outside = join(server.directory, 'outside.so');
    copyFileSync(library('lifecycle_greeter'), outside);
    linkSync(outside, join(server.plugins, 'libgreeter.so'));
    assert.match(await complaint(server, mark), /libgreeter\.so has 2 names/);
    rmSync(outside);
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
  });

  test('by a link that leaves the folder, unless that is allowed', async (t) => {
    const { server, steady } = await serving(t);
    const mark = server.log.length;
    const outside = join(server.directory, 'releases');
    mkdirSync(outside, { mode: 0o755 });
    copyFileSync(library('lifecycle_greeter'), join(outside, 'one.so'));
    symlinkSync(join(outside, 'one.so'), join(server.plugins, 'libgreeter.so'));
    assert.match(await complaint(server, mark), /libgreeter\.so is a symbolic link that leaves its folder.*\[trust\] symlinks = true/);
    assert.equal(await answer(server, 'greet'), 'greet');
    edit(server, { trust: { symlinks: true } });
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
  });
});

describe('pinning', () => {
  test('by `switchboard pin` lets in what is there; a new version only when it is pinned, and the former one back', async (t) => {
    const { server, steady } = await serving(t, greeter);
    const pinned = await command(server, 'pin');
    assert.equal(pinned.code, 0, pinned.err);
    assert.match(pinned.out, /^greeter: [0-9a-f]{64}$/m);
    assert.match(pinned.out, /\[trust\] pin = true/);
    writeFileSync(server.config, `${readFileSync(server.config, 'utf8')}\n# Nothing else.\n[trust]\npin = true\n`);
    await server.line(/configuration has changed.*trust\.pin/);
    const mark = server.log.length;
    drop(server, 'lifecycle_dependent');
    assert.match(await complaint(server, mark), /liblifecycle_dependent\.so has the SHA-256 \w+, which `plugins\.toml` does not list.*switchboard pin/);
    remove(server, 'liblifecycle_dependent.so');
    put(server, 'libgreeter.so', readFileSync(library('lifecycle_greeter_two')));
    await until('a line on the greeter', () => complaints(server, mark).find((line) => /libgreeter\.so has the SHA-256/.test(line)));
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    const again = await command(server, 'pin', 'greeter', '--keep');
    assert.equal(again.code, 0, again.err);
    await answers(server, 'greet', 'greetings from two');
    put(server, 'libgreeter.so', readFileSync(library('lifecycle_greeter')));
    await answers(server, 'greet', 'greetings from one');
    assert.match(readFileSync(server.config, 'utf8'), /# Nothing else\./);
    await steady.goesOn();
  });

  test('by a file that others may write says nothing, until they may not', async (t) => {
    const { server, steady } = await serving(t, greeter);
    const mark = server.log.length;
    chmodSync(server.config, 0o666);
    const pin = { trust: { pin: true }, server: { ping_interval: '17s' } };
    edit(server, pin);
    assert.match(await complaint(server, mark), /stays in force: the file says which libraries.*plugins\.toml may be written by others \(mode 0666\)/);
    const interval = async () => (await (await fetch(server.at('/spec'))).json()).pingInterval;
    assert.equal(await interval(), 30_000);
    chmodSync(server.config, 0o644);
    edit(server, pin, '\n');
    await until('the new configuration', async () => (await interval()) === 17_000);
    await steady.goesOn();
  });

  test('is not ended by a file that others may write, and no server starts with one', async (t) => {
    const server = await startFor(t, greeter);
    assert.equal((await command(server, 'pin')).code, 0);
    const text = readFileSync(server.config, 'utf8');
    writeFileSync(server.config, `${text}\n[trust]\npin = true\n`);
    await server.line(/configuration has changed.*trust\.pin/);
    const mark = server.log.length;
    chmodSync(server.config, 0o666);
    writeFileSync(server.config, text);
    const refusal = /old configuration stays in force: the file says which libraries.*plugins\.toml may be written by others \(mode 0666\)/;
    assert.match(await complaint(server, mark), refusal);
    const listed = await command(server, 'plugins', '--json');
    assert.match(listed.err, refusal);
    assert.ok(Array.isArray(JSON.parse(listed.out)));
    chmodSync(server.config, 0o644);
    await server.line(/configuration has changed.*trust\.pin/, mark);
    await server.end();
    chmodSync(server.config, 0o666);
    server.settings.tables = { trust: { pin: true } };
    await assert.rejects(server.start(), /plugins\.toml may be written by others/);
  });

  test('of a library that is called otherwise than its plugin is refused', async (t) => {
    const server = await startFor(t, { plugins: [...app, ['lifecycle_greeter', 'libzzz.so']] });
    const before = readFileSync(server.config, 'utf8');
    const { code, err } = await command(server, 'pin', 'zzz');
    assert.equal(code, 1);
    assert.match(err, /libzzz\.so is the plugin `greeter`.*rename it to libgreeter\.so/);
    assert.equal(readFileSync(server.config, 'utf8'), before);
  });

  test('of a plugin that is not there is refused', async (t) => {
    const server = await startFor(t, greeter);
    const before = readFileSync(server.config, 'utf8');
    const { code, err } = await command(server, 'pin', 'greeter', 'nobody');
    assert.equal(code, 1);
    assert.match(err, /no library of `nobody`; it has: .*greeter/);
    assert.equal(readFileSync(server.config, 'utf8'), before);
  });

  test('by signatures lets in what a named key has signed, whichever of both files comes first', async (t) => {
    const signer = new Signer();
    const stranger = new Signer();
    const server = await start({ plugins: app });
    t.after(() => server.remove());
    for (const plugin of app) put(server, `lib${plugin}.so.minisig`, signer.sign(readFileSync(library(plugin))));
    await server.end();
    server.settings.tables = { trust: { pin: true, keys: [signer.key] } };
    await server.start();
    assert.equal(await answer(server, 'greet'), 'greet');

    const [one, two] = [readFileSync(library('lifecycle_greeter')), readFileSync(library('lifecycle_greeter_two'))];
    let mark = server.log.length;
    put(server, 'libgreeter.so', one);
    assert.match(await complaint(server, mark), /libgreeter\.so has the SHA-256 .*libgreeter\.so\.minisig can't be read/);
    put(server, 'libgreeter.so.minisig', signer.sign(one));
    await answers(server, 'greet', 'greetings from one');

    mark = server.log.length;
    put(server, 'libgreeter.so', two);
    assert.match(await complaint(server, mark), /is not a signature of this file by one of the keys/);
    put(server, 'libgreeter.so.minisig', stranger.sign(two));
    await until('another line of complaint', () => complaints(server, mark).length === 2);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    put(server, 'libgreeter.so.minisig', signer.sign(two));
    await answers(server, 'greet', 'greetings from two');
  });
});

describe('the private folder of copies', () => {
  /** Runs with a folder for temporary files of its own. */
  function elsewhere(t) {
    const folder = mkdtempSync(join(tmpdir(), 'switchboard-tmp-'));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder;
    t.after(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmSync(folder, { recursive: true, force: true });
    });
    return folder;
  }

  test('is not made where others could change it', async (t) => {
    const folder = elsewhere(t);
    const server = await startFor(t, { plugins: app });
    await server.end();
    chmodSync(folder, 0o777);
    await assert.rejects(server.start(), new RegExp(`no private folder for copies of plugins can be made \\(TMPDIR says where\\): ${folder} may be written by others`));
    chmodSync(folder, 0o755);
  });

  test('of a server that was killed is cleared away by the next one, that of one that lives is not', async (t) => {
    const folder = elsewhere(t);
    const copies = () => readdirSync(folder).filter((name) => /^switchboard-\d+-\d+-\d+$/.test(name));
    const first = await startFor(t, { plugins: app });
    const [living] = copies();
    const second = await startFor(t, { plugins: app });
    const dead = copies().find((name) => name !== living);
    await second.restart('SIGKILL');
    assert.equal(copies().length, 2);
    assert.ok(copies().includes(living) && !copies().includes(dead));
    assert.equal(await answer(first, 'still there'), 'still there');
    await first.end();
    await second.end();
    assert.deepEqual(copies(), []);
  });
});

/**
 * @file A server that runs is asked and told: by the control socket's commands, by signals, and by its supervisor.
 */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { CLOSE, Peer, frame } from '../conformance/frames.js';
import { build, startFor } from '../conformance/server.js';
import { DEADLINE, until, within } from '../conformance/waiting.js';
import { command, follow, plugins } from './command.js';
import { answer, answers, drop, edit, serving } from './folder.js';

const greeter = { plugins: ['json', 'websocket', 'conformance_app', ['lifecycle_greeter', 'libgreeter.so']] };

/** A socket of the configuration's own, whose path a test knows. */
const socket = { server: { control: 'control.sock' } };

describe('switchboard plugins', () => {
  test('says how each plugin stands in the server that runs', async (t) => {
    const server = await startFor(t, { plugins: [...greeter.plugins, 'lifecycle_failing', 'lifecycle_panicking'], tables: { chat: {} } });
    drop(server, 'lifecycle_dependent');
    await answers(server, 'depend', 'I can, the greeter is here');
    assert.equal(await answer(server, 'panic'), 'closed with 1011');
    const { greeter: serves, panicking, failing, chat } = await plugins(server);
    assert.deepEqual({ ...serves, version: '' }, { ...serves, version: '', state: 'serving', generation: 1, file: 'libgreeter.so' });
    assert.equal(panicking.state, 'quarantined');
    assert.match(panicking.reason, /over a cliff/);
    assert.equal(failing.state, 'refused');
    assert.match(failing.reason, /there is no moon tonight/);
    assert.equal(chat.state, 'missing');
    const { out } = await command(server, 'plugins');
    assert.match(out, /^greeter .*libgreeter\.so +serving, generation 1$/m);
    assert.match(out, /^panicking .*in quarantine: .*over a cliff/m);
  });

  test('goes on with --watch, and tells of each change', async (t) => {
    const server = await startFor(t, greeter);
    const lists = follow(t, server, 'plugins', '--watch', '--json');
    const stands = async () => JSON.parse(await lists.take()).find(({ name }) => name === 'greeter')?.state;
    assert.equal(await stands(), 'serving');
    edit(server, { greeter: { enabled: false } });
    await until('the greeter to be disabled', async () => (await stands()) === 'disabled');
  });

  test('can only be watched where a server runs', async (t) => {
    const server = await startFor(t, greeter);
    await server.end();
    const { code, err } = await command(server, 'plugins', '--watch');
    assert.equal(code, 1);
    assert.match(err, /no server runs/);
  });
});

describe('switchboard reload', () => {
  test('makes a new generation, out of quarantine, too; nobody notices', async (t) => {
    const { server, steady } = await serving(t, { plugins: [...greeter.plugins, 'lifecycle_panicking'] });
    assert.equal(await answer(server, 'panic'), 'closed with 1011');
    assert.equal(await answer(server, 'calm'), 'calm', 'its hooks are skipped');
    for (const plugin of ['panicking', 'websocket', 'greeter']) {
      const { code, out, err } = await command(server, 'reload', plugin);
      assert.equal(code, 0, err);
      assert.match(out, new RegExp(`^${plugin} \\S+ serves, generation 2$`, 'm'));
    }
    assert.equal(await answer(server, 'calm'), 'calm as the sea');
    assert.equal((await plugins(server)).greeter.generation, 2);
    await steady.goesOn();
  });

  test('says why it comes to nothing, and the old generation goes on', async (t) => {
    const server = await startFor(t, greeter);
    writeFileSync(join(server.plugins, 'libgreeter.so'), 'no library any more');
    const broken = await command(server, 'reload', 'greeter');
    assert.equal(broken.code, 1);
    assert.match(broken.err, /greeter: .*not a shared library.*the former generation goes on/);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    const unknown = await command(server, 'reload', 'greter');
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /no plugin `greter`.*greeter/);
  });
});

describe('switchboard enable and disable', () => {
  test('change one key of plugins.toml, and wait until it is in force', async (t) => {
    const { server, steady } = await serving(t, greeter);
    const before = `# Mine.\n${readFileSync(server.config, 'utf8')}\n[greeter] # this one\n# Polite.\ngreeting = "good day"\n`;
    writeFileSync(server.config, before);
    await answers(server, 'greet', 'good day');
    const disabled = await command(server, 'disable', 'greeter');
    assert.deepEqual([disabled.code, disabled.out], [0, 'greeter is disabled\n'], disabled.err);
    assert.equal(await answer(server, 'greet'), 'greet');
    assert.equal(readFileSync(server.config, 'utf8'), `${before}enabled = false\n`);
    const enabled = await command(server, 'enable', 'greeter');
    assert.equal(enabled.code, 0, enabled.err);
    assert.match(enabled.out, /^greeter \S+ serves/);
    assert.equal(await answer(server, 'greet'), 'good day');
    assert.equal(readFileSync(server.config, 'utf8'), `${before}enabled = true\n`);
    await steady.goesOn();
  });

  test('lose nothing of each other where several come at once, with a server and without', async (t) => {
    const server = await startFor(t, { plugins: [...greeter.plugins, ['lifecycle_dependent', 'libdependent.so']] });
    const names = ['json', 'websocket', 'conformance_app', 'greeter', 'dependent'];
    const all = (wanted) => Promise.all(names.map((name) => command(server, wanted, name)));
    for (const { code, err } of await all('disable')) assert.equal(code, 0, err);
    const stand = Object.values(await plugins(server)).map(({ state }) => state);
    assert.deepEqual(stand, names.map(() => 'disabled'));
    await server.end();
    for (const { code, err } of await all('enable')) assert.equal(code, 0, err);
    assert.equal(readFileSync(server.config, 'utf8').match(/^enabled = true$/gm).length, names.length);
  });

  test('say why a plugin does not serve', async (t) => {
    const server = await startFor(t, { plugins: ['json', 'websocket', 'lifecycle_failing'], tables: { failing: { enabled: false } } });
    const { code, err } = await command(server, 'enable', 'failing');
    assert.equal(code, 1);
    assert.match(err, /failing: .*there is no moon tonight/);
    const unknown = await command(server, 'disable', 'nobody');
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /no plugin `nobody`/);
  });

  test('leave a faulty file alone', async (t) => {
    const server = await startFor(t, greeter);
    const faulty = `${readFileSync(server.config, 'utf8')}\n[greeter\n`;
    writeFileSync(server.config, faulty);
    const { code, err } = await command(server, 'disable', 'greeter');
    assert.equal(code, 1);
    assert.match(err, /plugins\.toml:\d+/);
    assert.equal(readFileSync(server.config, 'utf8'), faulty);
  });

  test('are for the next start where no server runs', async (t) => {
    const server = await startFor(t, greeter);
    await server.end();
    const { code, out } = await command(server, 'disable', 'greeter');
    assert.equal(code, 0);
    assert.match(out, /next start/);
    assert.match(readFileSync(server.config, 'utf8'), /\[greeter\]\nenabled = false/);
  });
});

describe('switchboard sparks', () => {
  test('counts and lists who is connected', async (t) => {
    const server = await startFor(t, greeter);
    const peers = await Promise.all([0, 1, 2].map(() => Peer.handshake(t, server)));
    for (const peer of peers) {
      peer.say('"here"');
      await peer.text();
    }
    const report = JSON.parse((await command(server, 'sparks', '--json', '--limit', '2')).out);
    assert.equal(report.count, 3);
    assert.deepEqual(Object.values(report.transports), [3]);
    assert.deepEqual(report.parsers, { json: 3 });
    assert.deepEqual(report.addresses, [['127.0.0.1', 3]]);
    assert.equal(report.sparks.length, 2);
    for (const { id, address, age_s: age } of report.sparks) {
      assert.match(id, /^[\w-]{21}$/);
      assert.match(address, /^127\.0\.0\.1:\d+$/);
      assert.ok(Number.isInteger(age));
    }
    assert.match((await command(server, 'sparks')).out, /^3 sparks$/m);
  });
});

describe('switchboard drain', () => {
  test('sends clients away so that they come back, and ends the server', async (t) => {
    const server = await startFor(t, { ...greeter, tables: { server: { shutdown: { reconnect: false, drain: '4s' } } } });
    const peer = await Peer.handshake(t, server);
    const drained = command(server, 'drain');
    await until('not being ready', async () => (await fetch(`${server.url}/readyz`)).status === 503);
    assert.equal((await peer.frame()).opcode, CLOSE, 'no primus::server::close before it');
    peer.send(frame(CLOSE));
    const { code, out, err } = await drained;
    assert.deepEqual([code, out], [0, 'the server has ended\n'], err);
    assert.match(err, /1 spark is connected/);
    assert.deepEqual(await server.end(), { code: 0, signal: null });
  });

  test('and others say that no server runs where none does', async (t) => {
    const server = await startFor(t, greeter);
    await server.end();
    for (const args of [['drain'], ['reload', 'greeter'], ['sparks']]) {
      const { code, err } = await command(server, ...args);
      assert.equal(code, 1);
      assert.match(err, /no server runs with .*plugins\.toml; start it/);
    }
  });
});

describe('the control socket', () => {
  /** What is answered to raw bytes, up to the end. */
  async function raw(server, bytes) {
    const connection = net.connect(join(server.directory, 'control.sock'));
    let text = '';
    connection.on('data', (data) => (text += data));
    connection.on('error', () => {});
    const ended = within(DEADLINE, 'the end of the conversation', (resolve) => connection.once('close', resolve));
    connection.write(bytes);
    await ended;
    return text;
  }

  test('is its owner\'s, lies where the configuration says, and goes with the server', async (t) => {
    const server = await startFor(t, { ...greeter, tables: socket });
    const path = join(server.directory, 'control.sock');
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.equal((await plugins(server)).greeter.state, 'serving');
    await server.end();
    assert.equal(statSync(path, { throwIfNoEntry: false }), undefined);
  });

  test('refuses what is no question, and answers the next one', async (t) => {
    const server = await startFor(t, { ...greeter, tables: socket });
    for (const nonsense of ['\n', 'hello\n', '{"ask":"dance"}\n', '{"ask":"reload"}\n', `${'x'.repeat(5_000)}\n`]) {
      assert.match(await raw(server, nonsense), /^\{"refused":".*"\}\n$/);
    }
    assert.match(await raw(server, '{"ask":"plugins"}\n'), /^\{"plugins":\[/);
  });

  test('of a server that was killed is replaced by the next one\'s', async (t) => {
    const server = await startFor(t, { ...greeter, tables: socket });
    assert.equal((await plugins(server)).greeter.state, 'serving');
    await server.restart('SIGKILL');
    assert.equal((await plugins(server)).greeter.generation, 1);
  });

  test('is not put where something else lies, which stays', async (t) => {
    const server = await startFor(t, { ...greeter, tables: socket });
    await server.end();
    const path = join(server.directory, 'control.sock');
    writeFileSync(path, 'mine');
    await server.start();
    await server.line(/control\.sock is there already, and no socket: nothing is put in its place/);
    await server.end();
    assert.equal(readFileSync(path, 'utf8'), 'mine');
  });

  test('is not taken by a second server with the same configuration', async (t) => {
    const server = await startFor(t, greeter);
    const second = spawn(join(build, 'switchboard'), ['serve', '--config', server.config], { cwd: server.directory, stdio: ['ignore', 'ignore', 'pipe'] });
    t.after(() => second.kill('SIGKILL'));
    let log = '';
    second.stderr.on('data', (data) => (log += data));
    await until('the second one to say so', () => /belongs to another server/.test(log));
    const peer = await Peer.handshake(t, server);
    peer.say('"mine"');
    await peer.text();
    assert.equal(JSON.parse((await command(server, 'sparks', '--json')).out).count, 1, 'the first one answers');
    await server.end();
    await until('the second one to answer', async () => {
      const { out } = await command(server, 'sparks', '--json');
      return out && JSON.parse(out).count === 0;
    });
  });
});

describe('SIGHUP', () => {
  test('has plugins.toml read again, and says what has changed or why it is refused', async (t) => {
    const server = await startFor(t, greeter);
    edit(server, { greeter: { greeting: 'good day' } });
    process.kill(server.pid, 'SIGHUP');
    await server.line(/configuration has changed.*greeter/);
    await server.line(/SIGHUP: .*plugins\.toml is in force/);
    edit(server, {}, '[greeter\n');
    process.kill(server.pid, 'SIGHUP');
    await server.line(/old configuration stays in force.*plugins\.toml:\d+/);
    await server.line(/SIGHUP: what was in force stays so/);
    assert.equal(await answer(server, 'greet'), 'good day');
  });
});

describe('a second SIGTERM', () => {
  test('ends the server at once', async (t) => {
    const server = await startFor(t, { ...greeter, tables: { server: { shutdown: { drain: '1h' } } } });
    const exit = server.end('SIGTERM');
    await until('not being ready', async () => (await fetch(`${server.url}/readyz`)).status === 503);
    process.kill(server.pid, 'SIGTERM');
    assert.deepEqual(await exit, { code: 143, signal: null });
  });
});

/**
 * @file plugins.toml is edited while the server serves: what is right is applied, what is wrong is explained and left out.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { library, startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { command } from './command.js';
import { answer, answers, complaints, drop, edit, serving } from './folder.js';

const greeter = { plugins: ['json', 'websocket', 'conformance_app', ['lifecycle_greeter', 'libgreeter.so']] };

describe('an edit of plugins.toml', () => {
  test('reaches the plugin that it is about', async (t) => {
    const { server, steady } = await serving(t, greeter);
    for (const greeting of ['good day', 'good night']) {
      edit(server, { greeter: { greeting } });
      await answers(server, 'greet', greeting);
    }
    edit(server, {});
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
  });

  test('disables a plugin, and enables it again', async (t) => {
    const { server, steady } = await serving(t, greeter);
    edit(server, { greeter: { enabled: false } });
    await answers(server, 'greet', 'greet');
    edit(server, { greeter: { enabled: true } });
    await answers(server, 'greet', 'greetings from one');
    await steady.goesOn();
  });

  test('changes what the server itself is told', async (t) => {
    const { server, steady } = await serving(t, greeter);
    const spec = async () => (await fetch(server.at('/spec'))).json();
    edit(server, { server: { ping_interval: '17s' } });
    await until('the new spec', async () => (await spec()).pingInterval === 17_000);
    edit(server, { server: { cors: { origins: ['http://friend.example'] } } });
    await until('the new origins', async () => (await fetch(server.at('/spec'), { headers: { Origin: 'http://page.example' } })).status === 403);
    await steady.goesOn();
  });

  const faults = {
    'that is no TOML': [{}, '[greeter\n', /plugins\.toml:\d+/],
    'with an unknown key of a plugin': [{ greeter: { greting: 'hi' } }, '', /plugins\.toml:\d+/, /greting/, /did you mean `greeting`|allowed:.*greeting/],
    'with a value of another type': [{ greeter: { greeting: 7 } }, '', /plugins\.toml:\d+/, /greeting/, /string/],
    'that the plugin refuses': [{ greeter: { greeting: '' } }, '', /plugins\.toml:\d+/, /an empty greeting is impolite/],
    'with an unknown key of the server': [{ server: { pong_interval: '1s' } }, '', /plugins\.toml:\d+/, /pong_interval/, /ping_interval/],
    'with a parser that no plugin brings': [{ server: { parser: 'jsn' } }, '', /plugins\.toml:\d+:\d+: server\.parser/, /"jsn"; did you mean `json`\? \(allowed: json\)/],
    'with a parser of the client that no plugin brings': [{ server: { client_parsers: ['nope'] } }, '', /plugins\.toml:\d+:\d+: server\.client_parsers\.0/, /"nope"/],
    'with a value of the server that makes no sense': [{ server: { max_message: 0 } }, '', /plugins\.toml:\d+/, /max_message/],
  };
  for (const [what, [tables, behind, ...patterns]] of Object.entries(faults)) {
    test(`${what} is refused with one clear line; what was in force stays so until it is put right`, async (t) => {
      const { server, steady } = await serving(t, { ...greeter, tables: { greeter: { greeting: 'as before' } } });
      assert.equal(await answer(server, 'greet'), 'as before');
      const mark = server.log.length;
      edit(server, { greeter: { greeting: 'as before' }, ...tables }, behind);
      const line = await until('a line of complaint', () => complaints(server, mark)[0]);
      for (const pattern of patterns) assert.match(line, pattern);
      assert.equal(await answer(server, 'greet'), 'as before');
      // A plugin that comes now has everything looked at again: no second line may come of it.
      drop(server, 'lifecycle_dependent');
      await answers(server, 'depend', 'I can, the greeter is here');
      assert.equal(await answer(server, 'greet'), 'as before');
      assert.deepEqual(complaints(server, mark), [line]);
      edit(server, { greeter: { greeting: 'put right' } });
      await answers(server, 'greet', 'put right');
      await steady.goesOn();
    });
  }
});

describe('a plugins.toml that has become empty', () => {
  test('is not taken for one that says nothing, as an editor leaves it for a moment', async (t) => {
    const { server, steady } = await serving(t, { ...greeter, tables: { greeter: { greeting: 'as before' } } });
    const mark = server.log.length;
    writeFileSync(server.config, '');
    const line = await until('a line of complaint', () => complaints(server, mark)[0]);
    assert.match(line, /WARN.*old configuration stays in force: \S+plugins\.toml is empty; if it is to say nothing, write a comment/);
    assert.equal(await answer(server, 'greet'), 'as before');
    assert.match((await command(server, 'plugins')).err, /old configuration stays in force: .*is empty/);
    writeFileSync(server.config, '# Nothing.\n');
    await answers(server, 'greet', 'greetings from one');
    assert.deepEqual(complaints(server, mark).filter((line) => !/next start only/.test(line)), [line]);
    assert.equal((await command(server, 'plugins')).err, '');
    await steady.goesOn();
  });
});

describe('a table whose plugin is not there', () => {
  test('gets a line with its place and what was meant, once', async (t) => {
    const { server, steady } = await serving(t, { ...greeter, tables: { greter: { greeting: 'hi' } } });
    const line = await server.line(/WARN.*plugins\.toml:\d+:\d+ names \[greter\], and no such plugin is there \(there are: .*greeter.*\); did you mean \[greeter\]\?/);
    drop(server, 'lifecycle_dependent');
    await answers(server, 'depend', 'I can, the greeter is here');
    assert.deepEqual(complaints(server, 0), [line]);
    await steady.goesOn();
  });

  test('keeps the server from starting where it is required', async (t) => {
    const tables = { 'auth-bsic': { required: true } };
    await assert.rejects(startFor(t, { ...greeter, tables }), /do not serve: \S+plugins\.toml:\d+:\d+ names \[auth-bsic\], and no such plugin is there .*; it is required/);
  });
});

describe('plugins that the file does not name', () => {
  test('are not loaded when auto_load is off', async (t) => {
    const named = { json: { enabled: true }, websocket: { enabled: true }, conformance_app: { enabled: true } };
    const server = await startFor(t, { ...greeter, tables: { server: { auto_load: false }, ...named } });
    assert.equal(await answer(server, 'greet'), 'greet');
    edit(server, { server: { auto_load: false }, ...named, greeter: { enabled: true } });
    await answers(server, 'greet', 'greetings from one');
  });
});

describe('pinning', () => {
  test('lets in what has the hash that the file names, and nothing else', async (t) => {
    const pin = (plugin) => ({ sha256: [createHash('sha256').update(readFileSync(library(plugin))).digest('hex')] });
    const pinned = {
      trust: { pin: true },
      json: pin('json'),
      websocket: pin('websocket'),
      conformance_app: pin('conformance_app'),
      greeter: pin('lifecycle_greeter'),
    };
    const { server, steady } = await serving(t, { ...greeter, tables: pinned });
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    const mark = server.log.length;
    drop(server, 'lifecycle_greeter_two', 'libgreeter.so');
    const line = await until('a line of complaint', () => complaints(server, mark)[0]);
    assert.match(line, /sha-?256|pin/i);
    assert.equal(await answer(server, 'greet'), 'greetings from one');
    edit(server, { ...pinned, greeter: pin('lifecycle_greeter_two') });
    await answers(server, 'greet', 'greetings from two');
    await steady.goesOn();
  });
});

/**
 * @file What the tests of the loader do to a server's folder, and how they see what has come of it.
 */

import assert from 'node:assert/strict';
import { copyFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import WebSocket from 'ws';

import { library, start } from '../conformance/server.js';
import { Inbox, next, until } from '../conformance/waiting.js';
import { Steady } from './steady.js';

/** A server, and the connection that must not notice anything: it is looked at once more when the test `t` is over. */
export async function serving(t, settings = {}) {
  const server = await start(settings);
  const steady = await Steady.start(server);
  t.after(async () => {
    steady.leave();
    await server.remove();
    steady.assertUnbroken();
  });
  return { server, steady };
}

/** Copies a library of the build into the plugins, as `cp` does it. */
export function drop(server, plugin, file = `lib${plugin}.so`) {
  copyFileSync(library(plugin), join(server.plugins, file));
}

/** Puts a file into the plugins at once, as a careful installer does it. */
export function put(server, file, content) {
  const temporary = join(server.directory, 'incoming');
  writeFileSync(temporary, content);
  renameSync(temporary, join(server.plugins, file));
}

export function remove(server, file) {
  rmSync(join(server.plugins, file));
}

/** Writes plugins.toml anew with other tables than the server was started with, and something behind them. */
export function edit(server, tables, behind = '') {
  writeFileSync(server.config, server.configuration(tables) + behind);
}

/** What a new connection is answered to one message; `closed with 1011` or the like if it is closed instead. */
export async function answer(server, message) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/primus`);
  const inbox = new Inbox();
  socket.on('message', (data) => inbox.put(JSON.parse(data)));
  socket.on('close', (code) => inbox.put(`closed with ${code}`));
  try {
    await next(socket, 'open');
    socket.send(JSON.stringify(message));
    return await inbox.take();
  } finally {
    socket.terminate();
  }
}

/** Resolves when a new connection is answered `expected` to `message`. */
export function answers(server, message, expected) {
  return until(`the answer ${JSON.stringify(expected)}`, async () => (await answer(server, message)) === expected);
}

/** The served client: its tag and its text. */
export async function client(server) {
  const response = await fetch(server.at('/primus.js'));
  return { tag: response.headers.get('etag'), text: await response.text() };
}

/** Lines of the log that complain, since `mark`. */
export function complaints(server, mark) {
  return server.lines(/\b(WARN|ERROR)\b/, mark);
}

/**
 * Something faulty comes: there has to be exactly one line of complaint that matches all the patterns, also after everything
 * has been looked at again (a good plugin that is dropped in afterwards is live), and the open connection goes on.
 */
export async function refused({ server, steady }, come, ...patterns) {
  const mark = server.log.length;
  await come();
  const line = await until('a line of complaint', () => complaints(server, mark)[0]);
  for (const pattern of patterns) assert.match(line, pattern);
  drop(server, 'lifecycle_greeter', 'libzz_greeter.so');
  await answers(server, 'greet', 'greetings from one');
  assert.deepEqual(complaints(server, mark), [line]);
  await steady.goesOn();
}

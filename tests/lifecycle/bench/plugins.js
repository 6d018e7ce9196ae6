/**
 * @file The plugins of the bench, and the ways in which their files change.
 */

import { appendFileSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { library } from '../../conformance/server.js';

/** Each plugin's name, the library of the build, and its file among the plugins. */
export const plugins = [
  ['json', 'json', 'libjson.so'],
  ['ejson', 'ejson', 'libejson.so'],
  ['websocket', 'websocket', 'libwebsocket.so'],
  ['engine-io', 'engine_io', 'libengine_io.so'],
  ['sockjs', 'sockjs', 'libsockjs.so'],
  ['rooms', 'rooms', 'librooms.so'],
  ['emitter', 'emitter', 'libemitter.so'],
  ['ledger', 'lifecycle_ledger', 'libledger.so'],
  ['clerk', 'lifecycle_clerk', 'libclerk.so'],
].map(([name, built, file]) => ({ name, built, file }));

/** @typedef {typeof plugins[number]} Plugin */

/** The ways to put a file in another's place. */
export const ways = ['rename over', 'write in place', 'write by halves', 'delete and create', 'symlink switch'];

/** Milliseconds between the halves: long enough that the first is seen alone. */
const BETWEEN_HALVES = 150;

/** The plugins folder of a server. */
export class Folder {
  #editions = 0;

  /** @param {string} path */
  constructor(path) {
    this.path = path;
  }

  /** The library of a plugin with other bytes than ever before: some more behind its end, which no loader reads. */
  edition(plugin) {
    this.#editions += 1;
    const mark = Buffer.alloc(16);
    mark.writeUInt32LE(this.#editions);
    return Buffer.concat([readFileSync(library(plugin.built)), mark]);
  }

  /** Puts bytes in the place of a plugin's file, and answers when, in milliseconds since 1970. */
  put(plugin, bytes, way) {
    const file = join(this.path, plugin.file);
    const aside = join(this.path, `.${plugin.file}.new`);
    if (way === 'write in place') {
      writeFileSync(file, bytes);
    } else if (way === 'write by halves') {
      const half = bytes.length >> 1;
      writeFileSync(file, bytes.subarray(0, half));
      // Nothing else is to happen meanwhile.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BETWEEN_HALVES);
      appendFileSync(file, bytes.subarray(half));
    } else if (way === 'delete and create') {
      rmSync(file);
      writeFileSync(file, bytes);
    } else if (way === 'symlink switch') {
      const target = `.${plugin.file}.${this.#editions}`;
      writeFileSync(join(this.path, target), bytes);
      symlinkSync(target, aside);
      renameSync(aside, file);
    } else {
      writeFileSync(aside, bytes);
      renameSync(aside, file);
    }
    return performance.timeOrigin + performance.now();
  }
}

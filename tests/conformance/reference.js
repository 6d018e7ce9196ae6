/**
 * @file The original: a real npm Primus server with the conformance application on it, as a process of its own.
 *
 * It exists so that the tests themselves are validated: what they say of Switchboard must first be true of Primus.
 * Usage: `node reference.js '{"port":0, …settings}'` (see `server.js` for the settings); prints one line when it listens.
 */

import { readFile } from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';

const require = createRequire(import.meta.url);
const Primus = require('primus');

const settings = JSON.parse(process.argv[2]);

const types = { '.html': 'text/html', '.js': 'text/javascript' };

const server = http.createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (!settings.static) return response.writeHead(404).end();
  readFile(join(settings.static, pathname), (error, content) => {
    if (error) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': types[extname(pathname)] ?? 'application/octet-stream' }).end(content);
  });
});

const primus = new Primus(server, {
  // The server of `uws` needs a binary that no current Node can load; on the wire it is a WebSocket server like the others.
  transformer: settings.transformer === 'uws' ? 'websockets' : settings.transformer,
  parser: settings.parser ?? 'json',
  pathname: settings.pathname,
  pingInterval: settings.pingInterval || false,
  maxLength: settings.maxLength,
  compression: settings.compression,
  iknowhttpsisbetter: true,
  ...(settings.origins ? { origins: settings.origins.join(',') } : {}),
  authorization: authorize,
});
if (settings.emitter) primus.plugin('emitter', require('primus-emitter'));
if (settings.rooms) primus.plugin('rooms', require('primus-rooms'));

/** `?refuse=403:reason` refuses with that status and message; with `settings.users`, Basic credentials are asked for. */
function authorize(request, done) {
  const { refuse } = request.query;
  if (refuse) {
    const [statusCode, message] = refuse.split(/:(.*)/);
    return done({ statusCode: Number(statusCode), message });
  }
  if (!settings.users) return done();
  const [scheme, credentials = ''] = (request.headers.authorization ?? '').split(' ');
  const [name, password] = Buffer.from(credentials, 'base64').toString().split(/:(.*)/);
  if (scheme.toLowerCase() === 'basic' && Object.hasOwn(settings.users, name) && settings.users[name] === password) {
    return done();
  }
  done({ statusCode: 401, message: 'Authentication required', authenticate: 'Basic realm="conformance"' });
}

/** Connections that wait for their gate: name of the gate to the functions that open it. */
const gates = new Map();
/** Sparks that want to be told of disconnections. */
const watchers = new Set();

primus.on('connection', (spark, next) => {
  spark.on('data', (message) => {
    if (settings.emitter && Array.isArray(message?.data)) return; // a packet of primus-emitter, which does not consume it
    const command = message?.command;
    if (typeof command === 'string' && Object.hasOwn(commands, command)) commands[command](spark, message);
    else spark.write(message);
  });
  if (settings.emitter) {
    spark.on('double', (number, reply) => reply(number * 2));
    spark.on('shout', (text, times) => spark.send('shouted', text.toUpperCase(), { times }));
  }
  if (spark.query.welcome) spark.write(spark.query.welcome);
  if (!spark.query.gate) return next();
  const waiting = gates.get(spark.query.gate) ?? [];
  gates.set(spark.query.gate, [...waiting, next]);
});

primus.on('disconnection', (spark) => {
  watchers.delete(spark);
  for (const watcher of watchers) watcher.write({ disconnected: spark.id });
});

const commands = {
  whoami(spark) {
    const { 'primus::req::backup': _backup, ...headers } = spark.headers;
    const { id, query, address } = spark;
    spark.write({ id, query, headers, address: { ip: address.ip, port: address.port } });
  },
  close: (spark, { data }) => spark.end(data),
  reconnect: (spark) => spark.end(undefined, { reconnect: true }),
  broadcast: (spark, { value }) => primus.write(value),
  count: (spark) => spark.write({ count: primus.connected }),
  watch: (spark) => watchers.add(spark),
  release(spark, { gate }) {
    const waiting = gates.get(gate) ?? [];
    gates.delete(gate);
    for (const next of waiting) next();
    spark.write({ released: waiting.length });
  },
  flood(spark, { count, size }) {
    for (let number = 0; number < count; number += 1) spark.write('x'.repeat(size));
  },
  join: (spark, { room }) => spark.join(room, () => tellRooms(spark)),
  leave: (spark, { room }) => (room ? spark.leave(room, () => tellRooms(spark)) : spark.leaveAll(() => tellRooms(spark))),
  members: (spark, { room }) => spark.write({ members: primus.room(room).clients().length }),
  rooms: (spark, { rooms, value, except }) => primus.room(rooms).except(except ? [spark.id] : []).write(value),
  send: (spark, { event, args }) => spark.send(event, ...args),
  request: (spark, { event, args }) => spark.send(event, ...args, (...answer) => spark.write({ acknowledged: answer })),
};

const tellRooms = (spark) => spark.write({ rooms: [...spark.rooms()].sort() });

server.listen(settings.port, '127.0.0.1', () => {
  console.log(`Reference is ready at http://127.0.0.1:${server.address().port}/`);
});

process.on('SIGTERM', () => {
  primus.destroy({ reconnect: true }, () => process.exit(0));
});

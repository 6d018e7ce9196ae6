/**
 * @file A new process takes over (SIGUSR2): connections, rooms and ids stay, no message is lost, doubled or out of order; where it
 * can't, the old one goes on as if nothing had been.
 */

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import WebSocket from 'ws';

import { connected, kinds } from '../conformance/clients.js';
import { Connection } from '../conformance/connection.js';
import { Peer, TEXT, frame } from '../conformance/frames.js';
import { build, defaults } from '../conformance/server.js';
import { next, until } from '../conformance/waiting.js';
import { Asker, REQUEST, isLast } from './asker.js';
import { command, follow } from './command.js';
import { Steady } from './steady.js';
import { Succession, isAlive } from './successors.js';

const Primus = createRequire(import.meta.url)('primus');

/** One of npm's clients is enough: what is between it and the server is bytes. */
const kind = kinds[0];

const at = (server) => `ws://127.0.0.1:${server.port}${server.settings.pathname}`;

/** Clients that never stop, and how they are looked at. */
async function steadies(server, count) {
  const all = await Promise.all(Array.from({ length: count }, () => Steady.start(server)));
  return {
    goOn: () => Promise.all(all.map((one) => one.goesOn())),
    leave: () => all.forEach((one) => one.leave()),
  };
}

describe('an upgrade', () => {
  test('breaks no connection, and loses, doubles and reorders no message', async (t) => {
    const server = await Succession.startFor(t);
    const clients = await steadies(server, 20);
    const primus = await connected(t, kind, server);
    for (let round = 0; round < 2; round += 1) {
      await clients.goOn();
      await server.upgrade();
      await clients.goOn();
      assert.equal(await primus.ask(`round ${round}`), `round ${round}`);
    }
    clients.leave();
  });

  test('keeps ids and rooms, and what goes to a room reaches each member once and in order', async (t) => {
    const server = await Succession.startFor(t, { rooms: true });
    const members = [];
    for (let count = 0; count < 5; count += 1) {
      const member = await connected(t, kind, server);
      assert.deepEqual(await member.ask({ command: 'join', room: 'talk' }), { rooms: ['talk'] });
      members.push(member);
    }
    const ids = await Promise.all(members.map((member) => member.id()));
    const speaker = await connected(t, kind, server);
    let said = 0;
    let speaks = true;
    const speech = (async () => {
      for (; speaks || said < 200; said += 1) {
        speaker.primus.write({ command: 'rooms', rooms: ['talk'], value: said });
        // Each is answered before the next, so that the speech lasts as long as the upgrade.
        assert.equal(await speaker.ask('heard'), 'heard');
      }
    })();
    await until('the speech to go on', () => said > 50);
    await server.upgrade();
    speaks = false;
    await speech;
    for (const member of members) {
      assert.deepEqual(await member.inbox.takeAll(said), Array.from({ length: said }, (_, number) => number));
    }
    assert.deepEqual(await Promise.all(members.map((member) => member.id())), ids);
    assert.deepEqual(await members[0].ask({ command: 'leave', room: 'talk' }), { rooms: [] });
  });

  test('keeps half a message, and what a slow reader has not read', async (t) => {
    const server = await Succession.startFor(t);
    const peer = await Peer.handshake(t, server);
    const whole = frame(TEXT, Buffer.from(JSON.stringify('ä'.repeat(40_000))));
    peer.send(whole.subarray(0, 30_001));
    const slow = new WebSocket(at(server));
    t.after(() => slow.terminate());
    await next(slow, 'open');
    slow.pause();
    const large = JSON.stringify('x'.repeat(900_000));
    for (let count = 0; count < 12; count += 1) slow.send(large);
    const other = await Steady.start(server);
    await other.goesOn();
    await server.upgrade();
    peer.send(whole.subarray(30_001));
    assert.equal(await peer.text(), JSON.stringify('ä'.repeat(40_000)));
    let echoes = 0;
    slow.on('message', (data) => {
      assert.equal(data.toString(), large);
      echoes += 1;
    });
    slow.resume();
    await until('all echoes', () => echoes === 12);
    other.leave();
  });

  test('refuses no new connection', async (t) => {
    const server = await Succession.startFor(t);
    let opened = 0;
    let connects = true;
    const comers = Array.from({ length: 8 }, async () => {
      while (connects) {
        const socket = new WebSocket(at(server));
        await next(socket, 'open');
        socket.send(String(opened));
        const sent = String(opened);
        const [echo] = await next(socket, 'message');
        assert.equal(echo.toString(), sent);
        socket.terminate();
        opened += 1;
      }
    });
    for (let round = 0; round < 2; round += 1) {
      const before = opened;
      await until('connections to come', () => opened > before + 50);
      await server.upgrade();
    }
    const before = opened;
    await until('connections to come', () => opened > before + 50);
    connects = false;
    await Promise.all(comers);
  });
});

describe('the command', () => {
  test('upgrades to another binary, and says which process serves', async (t) => {
    const server = await Succession.startFor(t);
    const clients = await steadies(server, 3);
    const { code, out } = await command(server, 'upgrade', '--binary', join(build, 'switchboard'));
    assert.equal(code, 0);
    await server.followed(Number(/^process (\d+) has taken over/.exec(out)[1]));
    await clients.goOn();
    clients.leave();
  });

  test('can be given again at once, and every command meanwhile reaches who serves', async (t) => {
    const server = await Succession.startFor(t, { plugins: ['json', 'websocket', 'raw', 'conformance_app'] });
    const clients = await steadies(server, 3);
    const lists = follow(t, server, 'plugins', '--watch', '--json');
    await lists.take();
    const asks = [
      ['sparks', '--json'],
      ['plugins', '--json'],
      ['reload', 'conformance_app'],
      ['enable', 'conformance_app'],
    ];
    let [asked, goesOn] = [0, true];
    const asking = (async () => {
      for (; goesOn; asked += 1) {
        const ask = asks[asked % asks.length];
        const { code, out, err } = await command(server, ...ask);
        assert.equal(code, 0, `${ask}: ${err}`);
        if (ask[0] === 'sparks') assert.equal(JSON.parse(out).count, 3);
      }
    })();
    // What fails it fails the test, where it is waited for.
    asking.catch(() => {});
    const processes = [server.current];
    for (let round = 0; round < 3; round += 1) {
      const { code, out, err } = await command(server, 'upgrade');
      assert.equal(code, 0, err);
      processes.push(Number(/^process (\d+) has taken over/.exec(out)[1]));
      const now = await command(server, 'plugins');
      assert.equal(now.code, 0, now.err);
    }
    const before = asked;
    await Promise.race([asking, until('further commands', () => asked >= before + asks.length)]);
    goesOn = false;
    await asking;
    const last = processes.pop();
    assert.equal(new Set(processes).size, 3);
    server.current = last;
    await until('the former processes to end', () => !processes.some(isAlive));
    await clients.goOn();
    clients.leave();
    assert.equal((await command(server, 'disable', 'raw')).code, 0);
    const raw = (list) => JSON.parse(list).find((plugin) => plugin.name === 'raw').state;
    await until('who watches to see what the last one does', async () => raw(await lists.take()) === 'disabled');
  });

  test('fails with the reason where the running process goes on', async (t) => {
    const server = await Succession.startFor(t);
    const { code, err } = await command(server, 'upgrade', '--binary', '/bin/false');
    assert.equal(code, 1);
    assert.match(err, /the running process goes on: the new process ended/);
  });
});

describe('a client of Engine.IO', () => {
  /** @param {boolean} websockets Whether it moves to a WebSocket once it is open. */
  async function open(t, server, websockets) {
    const Socket = Primus.createSocket({ transformer: 'engine.io', parser: 'json', pathname: '/primus', pingInterval: 30_000 });
    const primus = new Socket(server.url, { websockets, reconnect: { min: 5, max: 100, retries: 500 } });
    const client = new Connection(primus);
    t.after(() => client.end());
    await client.event('open');
    if (websockets) await until('the client to move', () => primus.socket.transport.name === 'websocket');
    return client;
  }

  test('stays where a WebSocket carries its session, and comes back where requests do', async (t) => {
    const server = await Succession.startFor(t, { plugins: ['json', 'engine_io', 'websocket', 'conformance_app'] });
    const [carried, polling] = [await open(t, server, true), await open(t, server, false)];
    const id = await carried.id();
    let closed = 0;
    carried.primus.on('reconnect', () => (closed += 1));
    const reconnected = polling.event('reconnected');
    await server.upgrade();
    assert.equal(await carried.ask('there'), 'there');
    assert.equal(await carried.id(), id);
    await reconnected;
    assert.equal(await polling.ask('back'), 'back');
    assert.equal(closed, 0, 'the WebSocket stayed open');
  });
});

describe('a session that nobody polls', () => {
  test('keeps no former process, and is unknown to the new one', async (t) => {
    const tables = { server: { shutdown: { timeout: '8s' } } };
    const server = await Succession.startFor(t, { plugins: ['json', 'engine_io', 'websocket', 'conformance_app'], tables });
    const asker = await Asker.connect(t, server);
    const get = (query) => `GET /primus/?EIO=4&transport=polling${query} HTTP/1.1\r\nHost: test\r\n\r\n`;
    const { sid } = JSON.parse(/\{.*\}/.exec(await asker.ask(get('')))[0]);
    await server.upgrade();
    assert.deepEqual(server.lines(/connections are cut/), []);
    assert.match(await asker.ask(get(`&sid=${sid}`)), /Session ID unknown/);
  });
});

describe('a message that a plugin thinks about', () => {
  const plugins = ['json', 'websocket', 'lifecycle_thinker', 'conformance_app'];

  /** A client that has such a message, and others behind it. */
  async function thinking(t, server) {
    const client = await connected(t, kind, server);
    for (const text of ['think', 'and', 'on']) client.primus.write(text);
    assert.equal(await client.inbox.take(), 'thinking');
    return client;
  }

  test('is decided before the new process takes over, and comes once, and those behind it after it', async (t) => {
    const server = await Succession.startFor(t, { plugins });
    const client = await thinking(t, server);
    let closed = 0;
    client.primus.on('reconnect', () => (closed += 1));
    const other = await Steady.start(server);
    await other.goesOn();
    const mark = server.log.length;
    const upgrade = server.ask();
    // Complete, the new process waits for the old one, and that for the message.
    await Promise.race([upgrade, server.line(/is live.*thinker/, mark)]);
    writeFileSync(join(server.directory, 'decided'), '');
    await server.followed(Number(/process=(\d+)/.exec(await upgrade)[1]));
    assert.deepEqual(await client.inbox.takeAll(3), ['think', 'and', 'on']);
    assert.equal(await client.ask('more'), 'more');
    await other.goesOn();
    assert.equal(closed, 0, 'the connection stayed open');
    other.leave();
  });

  test('ends its connection, which comes back, where it is not decided in time; no other one', async (t) => {
    const server = await Succession.startFor(t, { plugins, tables: { server: { upgrade: { patience: '200ms' } } } });
    const client = await thinking(t, server);
    const other = await Steady.start(server);
    await other.goesOn();
    const reconnected = client.event('reconnected');
    await server.upgrade();
    await other.goesOn();
    await reconnected;
    assert.equal(await client.ask('more'), 'more');
    other.leave();
  });
});

describe('a connection that requests come on', () => {
  test('goes over with nothing under way, be it before the first request or between two', async (t) => {
    const server = await Succession.startFor(t);
    const [silent, used] = [await Asker.connect(t, server), await Asker.connect(t, server)];
    assert.ok(await used.goesOn());
    await server.upgrade();
    for (const asker of [silent, used]) {
      assert.ok(await asker.goesOn());
      assert.ok(await asker.goesOn());
    }
  });

  test('stays with half a request, which is answered and is the last', async (t) => {
    const server = await Succession.startFor(t, { tables: { server: { shards: 1 } } });
    const [half, other] = [await Asker.connect(t, server), await Asker.connect(t, server)];
    half.socket.write(REQUEST.slice(0, 20));
    // What was sent later is answered: the half was read.
    assert.ok(await other.goesOn());
    const former = server.current;
    const line = await server.ask();
    assert.match(line, /another process has taken over/);
    assert.ok(isAlive(former));
    half.socket.write(REQUEST.slice(20));
    assert.ok(isLast(await half.answer()));
    await server.followed(Number(/process=(\d+)/.exec(line)[1]));
    await until('the end of the connection', () => half.closed);
  });

  /** Sends these requests on eight connections until it is stopped; each has to be answered so. */
  async function asking(t, server, requests = [REQUEST], expected = /^HTTP\/1\.1 404 /) {
    let [answered, asks] = [0, true];
    const askers = Array.from({ length: 8 }, async (_, number) => {
      let asker = await Asker.connect(t, server);
      for (; asks; answered += 1) {
        const answer = await asker.ask(requests[number % requests.length]);
        assert.match(answer, expected);
        if (isLast(answer)) asker = await Asker.connect(t, server);
      }
    });
    // What fails one fails the test, where it is waited for.
    const all = Promise.all(askers);
    all.catch(() => {});
    const goOn = async () => {
      const before = answered;
      const further = until('further answers', () => answered > before + 100);
      await Promise.race([all, further]);
    };
    await goOn();
    return {
      goOn,
      stop: () => {
        asks = false;
        return all;
      },
    };
  }

  test('has every request answered', async (t) => {
    const server = await Succession.startFor(t);
    const askers = await asking(t, server);
    for (let round = 0; round < 3; round += 1) {
      await server.upgrade();
      await askers.goOn();
    }
    await askers.stop();
  });

  test('opens a session with every request that asks for one', async (t) => {
    const server = await Succession.startFor(t, { plugins: ['json', 'engine_io', 'websocket', 'conformance_app'] });
    const open = 'GET /primus/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n\r\n';
    const once = open.replace('Host', 'Connection: close\r\nHost');
    const askers = await asking(t, server, [open, once], /^HTTP\/1\.1 200 /);
    await server.upgrade();
    await askers.goOn();
    await askers.stop();
  });

  test('has every request answered where the other process is killed', async (t) => {
    const server = await Succession.startFor(t, { tables: { server: { shards: 2 } } });
    script(server, dies(['Whole']));
    const silent = await Asker.connect(t, server);
    const askers = await asking(t, server);
    for (let round = 0; round < 3; round += 1) {
      assert.match(await server.ask(), /no upgrade, this process goes on/);
      await askers.goOn();
    }
    assert.ok(await silent.goesOn());
    await askers.stop();
  });
});

describe('an upgrade to', () => {
  /** Asks for an upgrade that fails with such a line, while clients go on; then a good one succeeds. */
  async function fails(t, server, reason) {
    const clients = await steadies(server, 5);
    await clients.goOn();
    const line = await server.ask();
    assert.match(line, /no upgrade, this process goes on/);
    assert.match(line, reason);
    assert.ok(isAlive(server.current));
    await clients.goOn();
    server.install(join(build, 'switchboard'));
    await server.upgrade();
    await clients.goOn();
    clients.leave();
  }

  test('a process that ends at once', async (t) => {
    const server = await Succession.startFor(t);
    script(server, '#!/bin/sh\nexit 7\n');
    await fails(t, server, /ended \(exit status: 7\) before it was ready/);
  });

  test('what is no program', async (t) => {
    const server = await Succession.startFor(t);
    script(server, 'no program\n');
    await fails(t, server, /can't be started/);
  });

  test('a file that is not there', async (t) => {
    const server = await Succession.startFor(t);
    rmSync(server.binary);
    await fails(t, server, /can't be started: No such file/);
  });

  test('a process that finds no room for its copies of the plugins', async (t) => {
    const server = await Succession.startFor(t);
    script(server, limited('-f 8'));
    await fails(t, server, /would serve without|do not serve/);
  });

  test('a process that may not have as many files open', async (t) => {
    const server = await Succession.startFor(t, { tables: { server: { shards: 1 } } });
    const silent = [];
    for (let count = 0; count < 120; count += 1) silent.push(await Asker.connect(t, server));
    // All of them are known to the server when it answers the last one.
    for (const asker of silent) await asker.ask();
    script(server, limited('-n 100'));
    await fails(t, server, /open files/);
    for (const asker of silent) assert.ok(await asker.goesOn());
  });

  test('a process whose plugin does not start', async (t) => {
    const server = await Succession.startFor(t);
    const library = join(server.plugins, 'libjson.so');
    const whole = readFileSync(library);
    const clients = await steadies(server, 2);
    writeFileSync(library, 'no library');
    assert.match(await server.ask(), /without `json`, which serves here|do not serve/);
    await clients.goOn();
    writeFileSync(library, whole);
    clients.leave();
  });

  test('a process that can not read its configuration', async (t) => {
    const server = await Succession.startFor(t);
    const clients = await steadies(server, 2);
    writeFileSync(server.config, '[server]\nlisten = 7\n');
    assert.match(await server.ask(), /not ready: .*plugins\.toml.*listen/);
    await clients.goOn();
    clients.leave();
  });

  test('a process that never gets ready', async (t) => {
    const server = await Succession.startFor(t, { tables: { server: { upgrade: { start: '1s' } } } });
    script(server, '#!/bin/sh\nexec sleep 600\n');
    await fails(t, server, /not ready: the other process did not answer in time/);
  });

  test('a process that hangs does not outlive the one that it was to follow', async (t) => {
    const tables = { server: { start_timeout: '1h' }, panicking: { enabled: false } };
    const server = await Succession.startFor(t, { plugins: [...defaults.plugins, 'lifecycle_panicking'], tables });
    const other = join(server.directory, 'other.toml');
    writeFileSync(other, server.configuration({ ...tables, panicking: { hangs_at: 'start' } }));
    const [pid, program] = [join(server.directory, 'pid'), join(build, 'switchboard')];
    script(server, `#!/bin/sh\necho $$ > ${pid}.new && mv ${pid}.new ${pid}\nexec ${program} serve --config ${other}\n`);
    process.kill(server.pid, 'SIGUSR2');
    const successor = Number(await until('the new process', () => existsSync(pid) && readFileSync(pid, 'utf8')));
    t.after(() => isAlive(successor) && process.kill(successor, 'SIGKILL'));
    await until('it to hang', () => threads(successor).includes('start panicking'));
    process.kill(server.pid, 'SIGKILL');
    await until('its end', () => !isAlive(successor));
  });

  test('a process that speaks another version of the hand-over', async (t) => {
    const server = await Succession.startFor(t);
    script(server, "#!/bin/sh\nprintf 'SWBU\\011\\000\\001\\000\\000\\000\\000\\000' >&0\nexec sleep 600\n");
    await fails(t, server, /speaks version 9 of the hand-over/);
  });

  for (const [when, says] of [
    ['before anything was handed over', []],
    ['amid the hand-over', ['Begin']],
    ['when it has got everything', ['Whole']],
    ['before it begins', ['Whole', 'Commit']],
  ]) {
    test(`a process that is killed ${when}`, async (t) => {
      const server = await Succession.startFor(t, { tables: { server: { shards: 2 } } });
      script(server, dies(says));
      await fails(t, server, /the hand-over broke off: the other process is gone|Broken pipe/);
    });
  }

  test('a process whose configuration listens elsewhere', async (t) => {
    const server = await Succession.startFor(t);
    const text = server.configuration({ server: { listen: '127.0.0.1:1' } });
    writeFileSync(server.config, text);
    const clients = await steadies(server, 2);
    assert.match(await server.ask(), /listens on 127.0.0.1:1 and this process on 127.0.0.1:0/);
    await clients.goOn();
    clients.leave();
  });

  test('a process with another number of shards', async (t) => {
    const server = await Succession.startFor(t, { tables: { server: { shards: 2 } } });
    writeFileSync(server.config, server.configuration({ server: { shards: 3 } }));
    assert.match(await server.ask(), /would run 3 shards and this process runs 2/);
  });
});

/** The names of a process's threads, those that end meanwhile left out. */
function threads(process_) {
  return readdirSync(`/proc/${process_}/task`).flatMap((id) => {
    try {
      return [readFileSync(`/proc/${process_}/task/${id}/comm`, 'utf8').trim()];
    } catch {
      return [];
    }
  });
}

/** Puts a script in the place of the binary. */
function script(server, text) {
  const file = join(server.directory, 'script');
  writeFileSync(file, text, { mode: 0o755 });
  server.install(file);
}

/** A program that is the server, within a limit of `ulimit`; what passes it fails. */
function limited(limit) {
  return `#!/bin/sh\ntrap '' XFSZ\nulimit ${limit}\nexec ${join(build, 'switchboard')} "$@"\n`;
}

/** A program that takes a hand-over as far as these words have come, and is killed then. */
function dies(words) {
  return `#!${process.execPath}
    const { readSync, writeSync } = require('node:fs');
    const kinds = { Begin: 15, Whole: 10, Commit: 12 };
    const frame = (kind, body) => {
      const header = Buffer.from([0x53, 0x57, 0x42, 0x55, 1, 0, kind, 0, 0, 0, 0, 0]);
      header.writeUInt32LE(body.length, 8);
      writeSync(0, Buffer.concat([header, body]));
    };
    const text = (text) => Buffer.concat([Buffer.from([0x60 + text.length]), Buffer.from(text)]);
    const read = (length) => {
      const bytes = Buffer.alloc(length);
      for (let at = 0; at < length; ) {
        const count = readSync(0, bytes, at, length - at);
        if (count === 0) process.exit(1);
        at += count;
      }
      return bytes;
    };
    frame(1, Buffer.concat([Buffer.from([0xa2]), text('listen'), text('127.0.0.1:0'), text('shards'), Buffer.from([2])]));
    for (const word of ${JSON.stringify(words)}) {
      for (let kind = 0; kind !== kinds[word]; ) {
        const header = read(12);
        read(header.readUInt32LE(8));
        kind = header[6];
      }
      if (word === 'Whole') frame(11, Buffer.concat([Buffer.from([0xa1]), text('refused'), Buffer.from([0x80])]));
    }
    process.kill(process.pid, 'SIGKILL');
  `;
}

/**
 * @file The WebSocket endpoint as any WebSocket peer sees it (RFC 6455, RFC 7692), and Primus's messages on it as bytes.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import WebSocket from 'ws';

import { BINARY, CLOSE, CONTINUATION, PING, PONG, Peer, TEXT, closing, frame } from './frames.js';
import { ours, start, startFor } from './server.js';
import { Inbox, next, until } from './waiting.js';

/** @type {import('./server.js').Server} */
let server;
before(async () => {
  server = await start({ maxLength: 256 * 1024 });
});
after(() => server.remove());

/** An open connection of npm `ws`, with its messages in an inbox. */
async function open(t, to = server, { protocols, query = '', ...options } = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${to.port}${to.settings.pathname}${query}`, protocols, options);
  const inbox = new Inbox();
  socket.on('message', (data, binary) => inbox.put(binary ? data : data.toString()));
  t.after(() => socket.terminate());
  await next(socket, 'open');
  return { socket, inbox };
}

describe('the handshake', () => {
  test('is accepted with the digest of the key', async (t) => {
    const peer = await Peer.handshake(t, server);
    assert.equal(peer.answer.status, 101);
    assert.equal(peer.answer.headers['sec-websocket-accept'], peer.accept);
    assert.equal(peer.answer.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(peer.answer.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(peer.answer.headers['sec-websocket-extensions'], undefined);
    assert.equal(peer.answer.headers['sec-websocket-protocol'], undefined);
  });

  test('is accepted with and without a slash at the end of the path', async (t) => {
    for (const path of ['/primus', '/primus/', '/primus?a=1', '/primus/?a=1']) {
      const peer = await Peer.handshake(t, server, { path });
      assert.equal(peer.answer.status, 101, path);
    }
  });

  test('is accepted whatever the case of header names and tokens', async (t) => {
    const headers = { Connection: undefined, CONNECTION: 'keep-alive, UPGRADE', Upgrade: 'WebSocket' };
    const peer = await Peer.handshake(t, server, { headers });
    assert.equal(peer.answer.status, 101);
  });

  test('a message right behind the request, in the same packet, is not lost', async (t) => {
    const peer = await Peer.handshake(t, server, { behind: frame(TEXT, '"early"') });
    assert.equal(await peer.text(), '"early"');
  });

  test('a plain request is answered with 426', async () => {
    const response = await fetch(`${server.url}/primus`);
    assert.equal(response.status, 426);
    assert.equal(response.headers.get('content-type').split(';')[0], 'text/plain');
    assert.equal(await response.text(), 'Upgrade Required');
  });

  test('another version is refused, and told which one is spoken', async (t) => {
    const peer = await Peer.handshake(t, server, { headers: { 'Sec-WebSocket-Version': '7' } });
    assert.ok([400, 426].includes(peer.answer.status), `status ${peer.answer.status}`);
    assert.match(peer.answer.headers['sec-websocket-version'], /\b13\b/);
  });

  for (const [what, headers] of Object.entries({
    'no key': { 'Sec-WebSocket-Key': undefined },
    'a short key': { 'Sec-WebSocket-Key': 'c2hvcnQ=' },
    'a key that is no base64': { 'Sec-WebSocket-Key': '????????????????????????' },
    'no version': { 'Sec-WebSocket-Version': undefined },
  })) {
    test(`${what} is refused`, async (t) => {
      const peer = await Peer.handshake(t, server, { headers });
      assert.ok([400, 426].includes(peer.answer.status), `status ${peer.answer.status}`);
    });
  }

  test('another method than GET is refused', async (t) => {
    const peer = await Peer.handshake(t, server, { method: 'PUT' });
    assert.ok(peer.answer.status >= 400 && peer.answer.status < 500, `status ${peer.answer.status}`);
  });

  test('the first subprotocol of the offered is chosen', async (t) => {
    const { socket } = await open(t, server, { protocols: ['chat.v2', 'chat.v1'] });
    assert.equal(socket.protocol, 'chat.v2');
  });

  test('an origin that is not allowed is refused', ours, async (t) => {
    const choosy = await startFor(t, { origins: ['http://friend.example'] });
    const stranger = await Peer.handshake(t, choosy, { headers: { Origin: 'http://stranger.example' } });
    assert.equal(stranger.answer.status, 403);
    const friend = await Peer.handshake(t, choosy, { headers: { Origin: 'http://friend.example' } });
    assert.equal(friend.answer.status, 101);
    const program = await Peer.handshake(t, choosy, { headers: { Origin: undefined } });
    assert.equal(program.answer.status, 101);
  });

  test('who is refused by the authorization gets its status and message', async (t) => {
    const peer = await Peer.handshake(t, server, { path: '/primus?refuse=418:no%20tea%20%22here%22' });
    assert.equal(peer.answer.status, 418);
    assert.equal(peer.answer.headers['content-type'], 'application/json');
    assert.equal(peer.answer.headers.connection?.toLowerCase(), 'close');
    assert.equal(peer.answer.body.toString(), '{"error":"no tea \\"here\\""}');
    await peer.gone();
  });
});

describe('messages', () => {
  test('a message in many fragments, with a ping between, is one message; the ping is answered first', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(
      frame(TEXT, '"Hel', { open: true }),
      frame(CONTINUATION, 'lo ', { open: true }),
      frame(PING, 'are you there'),
      frame(CONTINUATION, '', { open: true }),
      frame(CONTINUATION, 'world"'),
    );
    const pong = await peer.frame();
    assert.equal(pong.opcode, PONG);
    assert.equal(pong.text, 'are you there');
    assert.equal(await peer.text(), '"Hello world"');
  });

  test('a character may be cut by a fragment', async (t) => {
    const peer = await Peer.handshake(t, server);
    const text = Buffer.from('"😀"');
    for (let at = 1; at < text.length; at += 1) {
      peer.send(frame(TEXT, text.subarray(0, at), { open: true }), frame(CONTINUATION, text.subarray(at)));
      assert.equal(await peer.text(), '"😀"');
    }
  });

  test('frames may come byte by byte', async (t) => {
    const peer = await Peer.handshake(t, server);
    for (const byte of Buffer.concat([frame(TEXT, '"slowly"'), frame(PING, 'p'), frame(TEXT, `"${'x'.repeat(200)}"`)])) {
      await new Promise((resolve) => peer.socket.write(Uint8Array.of(byte), resolve));
    }
    const frames = [await peer.frame(), await peer.frame(), await peer.frame()];
    // A pong may overtake the answer to an earlier message.
    assert.deepEqual(frames.filter(({ opcode }) => opcode === TEXT).map(({ text }) => text), ['"slowly"', `"${'x'.repeat(200)}"`]);
    assert.deepEqual(frames.filter(({ opcode }) => opcode === PONG).map(({ text }) => text), ['p']);
  });

  test('many messages in one packet are all answered, in order', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(...Array.from({ length: 500 }, (_, number) => frame(TEXT, String(number))));
    for (let number = 0; number < 500; number += 1) assert.equal(await peer.text(), String(number));
  });

  for (const length of [0, 1, 123, 124, 125, 126, 127, 65_531, 65_533, 65_534, 65_536, 65_537, 200_000]) {
    test(`a string of ${length} bytes keeps its length on the way there and back`, async (t) => {
      const { socket, inbox } = await open(t);
      const text = JSON.stringify('y'.repeat(length));
      socket.send(text);
      assert.equal(await inbox.take(), text);
    });
  }

  test('an unasked pong is ignored', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(frame(PONG, 'unasked'), frame(TEXT, '"on"'));
    assert.equal(await peer.text(), '"on"');
  });

  test('a ping of 125 bytes is answered with the same bytes', async (t) => {
    const peer = await Peer.handshake(t, server);
    const payload = Buffer.from(Array.from({ length: 125 }, (_, index) => index));
    peer.send(frame(PING, payload));
    const pong = await peer.frame();
    assert.equal(pong.opcode, PONG);
    assert.deepEqual(pong.payload, payload);
  });

  test('a message of exactly the greatest length is taken', async (t) => {
    const { socket, inbox } = await open(t);
    const text = JSON.stringify('z'.repeat(server.settings.maxLength - 2));
    socket.send(text);
    assert.equal(await inbox.take(), text);
  });
});

describe('a violation of the protocol', () => {
  const violations = {
    'an unmasked frame': [1002, frame(TEXT, '"x"', { unmasked: true })],
    'a reserved bit': [1002, frame(TEXT, '"x"', { reserved: 0b100 })],
    'another reserved bit': [1002, frame(TEXT, '"x"', { reserved: 0b001 })],
    'a reserved opcode for data': [1002, frame(0x3, 'x')],
    'a reserved opcode for control': [1002, frame(0xb, 'x')],
    'a continuation of nothing': [1002, frame(CONTINUATION, 'x')],
    'a message inside a message': [1002, frame(TEXT, '"x', { open: true }), frame(TEXT, '"y"')],
    'a ping in fragments': [1002, frame(PING, 'x', { open: true })],
    'a ping of 126 bytes': [1002, frame(PING, 'x'.repeat(126))],
    'a close frame in fragments': [1002, frame(CLOSE, closing(1000), { open: true })],
    'a close frame of one byte': [1002, frame(CLOSE, Uint8Array.of(3))],
    'the close code 999': [1002, frame(CLOSE, closing(999))],
    'the close code 1004': [1002, frame(CLOSE, closing(1004))],
    'the close code 1005': [1002, frame(CLOSE, closing(1005))],
    'the close code 1006': [1002, frame(CLOSE, closing(1006))],
    'the close code 1015': [1002, frame(CLOSE, closing(1015))],
    'the close code 2999': [1002, frame(CLOSE, closing(2999))],
    'the close code 5000': [1002, frame(CLOSE, closing(5000))],
    'a close reason that is no UTF-8': [1007, frame(CLOSE, Buffer.concat([closing(1000), Uint8Array.of(0xc0, 0x80)]))],
    'text that is no UTF-8': [1007, frame(TEXT, Uint8Array.of(0x22, 0xff, 0x22))],
    'text with an overlong sequence': [1007, frame(TEXT, Uint8Array.of(0x22, 0xc0, 0xaf, 0x22))],
    'text with half a surrogate pair': [1007, frame(TEXT, Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))],
    'text that ends within a character': [1007, frame(TEXT, Uint8Array.of(0x22, 0xf0, 0x9f), { open: true }), frame(CONTINUATION, '')],
    'a message over the greatest length': [1009, frame(TEXT, '', { length: 256 * 1024 + 1 })],
    'fragments over the greatest length': [1009, ...Array.from({ length: 5 }, (_, index) => frame(index ? CONTINUATION : TEXT, 'x'.repeat(60_000), { open: true }))],
    'a length with the highest bit set': [[1002, 1009], Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4])],
  };
  for (const [what, [codes, ...bytes]] of Object.entries(violations)) {
    test(`${what} closes the connection with ${codes}`, async (t) => {
      const peer = await Peer.handshake(t, server);
      peer.send(...bytes);
      const close = await peer.frame();
      assert.equal(close.opcode, CLOSE);
      assert.ok([codes].flat().includes(close.code), `code ${close.code}`);
      await peer.gone();
    });
  }

  test('a message over what the server takes from any transport closes with 1009, though the transport would take it', ours, async (t) => {
    const small = await startFor(t, { maxLength: 1_000, tables: { websocket: { max_message_bytes: 1_000_000 } } });
    const { socket, inbox } = await open(t, small);
    socket.send(JSON.stringify('x'.repeat(998)));
    assert.equal((await inbox.take()).length, 1_000);
    socket.send(JSON.stringify('x'.repeat(999)));
    const [code] = await next(socket, 'close');
    assert.equal(code, 1009);
  });

  test('a message that came before it is still answered', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(frame(TEXT, '"before"'), frame(TEXT, '"x"', { unmasked: true }));
    assert.equal(await peer.text(), '"before"');
    assert.equal((await peer.close()).code, 1002);
  });
});

describe('closing', () => {
  for (const code of [1000, 1001, 1003, 1007, 1011, 3000, 4001, 4999]) {
    test(`the code ${code} is answered with itself, and the connection is gone`, async (t) => {
      const peer = await Peer.handshake(t, server);
      peer.send(frame(CLOSE, closing(code, 'good bye')));
      const close = await peer.frame();
      assert.equal(close.opcode, CLOSE);
      assert.equal(close.code, code);
      await peer.gone();
    });
  }

  test('a close without a code is answered with none, or with 1000', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(frame(CLOSE));
    assert.ok([undefined, 1000].includes((await peer.frame()).code));
    await peer.gone();
  });

  test('what is sent behind a close is not looked at', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(frame(CLOSE, closing(1000)), frame(TEXT, '"ghost"'));
    assert.equal((await peer.frame()).opcode, CLOSE);
    await peer.gone();
    assert.equal(peer.inbox.length, 0);
  });

  test('the server says primus::server::close, then closes without a code, and goes when it is answered', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.say('{"command":"close","data":"last"}');
    assert.equal(await peer.text(), '"last"');
    assert.equal(await peer.text(), '"primus::server::close"');
    const close = await peer.frame();
    assert.equal(close.opcode, CLOSE);
    assert.equal(close.code, undefined);
    peer.send(frame(CLOSE));
    await peer.gone();
  });

  test('a client that is ended by the server sees an ordinary close', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('{"command":"close"}');
    assert.equal(await inbox.take(), '"primus::server::close"');
    const [code] = await next(socket, 'close');
    assert.ok([1000, 1005].includes(code));
  });

  test('the close code is what is configured', ours, async (t) => {
    const formal = await startFor(t, { tables: { websocket: { close_code: 1000 } } });
    const peer = await Peer.handshake(t, formal);
    peer.say('{"command":"close"}');
    assert.equal(await peer.text(), '"primus::server::close"');
    assert.equal((await peer.frame()).code, 1000);
  });

  test('with {reconnect: true} there is no primus::server::close', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.say('{"command":"reconnect"}');
    assert.equal((await peer.frame()).opcode, CLOSE);
  });

  for (const [what, leave] of Object.entries({
    'half closes it': (socket) => socket.end(),
    'resets it': (socket) => socket.resetAndDestroy(),
    'closes it properly': (socket) => socket.write(frame(CLOSE, closing(1000))),
  })) {
    test(`a peer that ${what} is announced as disconnected`, async (t) => {
      const watcher = await open(t);
      const peer = await Peer.handshake(t, server);
      peer.say('"primus::id::"');
      const id = JSON.parse(await peer.text()).slice('primus::id::'.length);
      watcher.socket.send('{"command":"watch"}');
      watcher.socket.send('"watching"');
      assert.equal(await watcher.inbox.take(), '"watching"');
      leave(peer.socket);
      assert.deepEqual(JSON.parse(await watcher.inbox.take()), { disconnected: id });
    });
  }

  test('a peer that leaves in the middle of a message does no harm', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.send(frame(TEXT, '"unfinished', { length: 1_000 }));
    peer.socket.end();
    await peer.gone();
    const { socket, inbox } = await open(t);
    socket.send('"fine"');
    assert.equal(await inbox.take(), '"fine"');
  });
});

describe('Primus on the wire', () => {
  test('the id is asked for and told in a JSON string', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('"primus::id::"');
    const answer = await inbox.take();
    assert.match(answer, /^"primus::id::[^":\s]+"$/);
    socket.send('{"command":"whoami"}');
    assert.equal(`"primus::id::${JSON.parse(await inbox.take()).id}"`, answer);
  });

  test('line and paragraph separators are escaped', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send('{"text":"a\u2028b\u2029c"}');
    assert.equal(await inbox.take(), '{"text":"a\\u2028b\\u2029c"}');
  });

  test('what the parser writes is what JSON.stringify writes', async (t) => {
    const { socket, inbox } = await open(t);
    const values = [{ b: 1, a: [1.5, -0.25, 1e21, 1e-7, 123456789012], c: { text: 'é"\\/\b\f\n\r\t\u0001\u007f' } }, 1e300, 0.1, 100, -1];
    for (const value of values) {
      socket.send(JSON.stringify(value));
      assert.equal(await inbox.take(), JSON.stringify(value));
    }
  });

  test('blanks around a value are no part of it', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send(' \n{ "a" : [ 1 , 2 ] }\t');
    assert.equal(await inbox.take(), '{"a":[1,2]}');
  });

  test('bytes in a binary frame reach the application untouched', async (t) => {
    const { socket, inbox } = await open(t);
    socket.send(Uint8Array.of(1, 2, 255));
    assert.equal(await inbox.take(), '{"type":"Buffer","data":[1,2,255]}');
  });

  for (const broken of ['', '{', '{"a":}', '[1,]', 'undefined', "{'a':1}", '01', '"unfinished', '{"a":1}}', '\u0000', 'NaN']) {
    test(`the undecodable message ${JSON.stringify(broken)} leaves the connection open`, async (t) => {
      const { socket, inbox } = await open(t);
      socket.send(broken);
      socket.send('"still here"');
      assert.equal(await inbox.take(), '"still here"');
    });
  }

  test('JSON nested deeper than any stack, and closed again, ends its sender', ours, async (t) => {
    const { socket } = await open(t);
    const closed = next(socket, 'close');
    socket.send('['.repeat(100_000) + ']'.repeat(100_000));
    assert.equal((await closed)[0], 1008);
  });

  test('JSON nested deeper than any stack harms nobody else', async (t) => {
    const [sender, other] = [await open(t), await open(t)];
    sender.socket.send('['.repeat(100_000));
    other.socket.send('"still here"');
    assert.equal(await other.inbox.take(), '"still here"');
  });

  test('unknown primus:: messages do not reach the application', ours, async (t) => {
    const { socket, inbox } = await open(t);
    for (const odd of ['primus::foo::1', 'primus::', 'primus::server::close', 'primus::pong::x', 'primus::id']) {
      socket.send(JSON.stringify(odd));
    }
    socket.send('"the next"');
    const answers = [await inbox.take()];
    while (answers.at(-1) !== '"the next"') answers.push(await inbox.take());
    assert.deepEqual(answers.filter((answer) => !answer.startsWith('"primus::id::')), ['"the next"']);
  });

  test('a string that only looks like a control message is data', async (t) => {
    const { socket, inbox } = await open(t);
    for (const text of ['primus:id', 'xprimus::id::', 'primus', ' primus::id::']) {
      socket.send(JSON.stringify(text));
      assert.equal(await inbox.take(), JSON.stringify(text));
    }
  });

  test('a heartbeat is a ping with the time, which a pong answers', async (t) => {
    const beating = await startFor(t, { pingInterval: 200 });
    const { socket, inbox } = await open(t, beating);
    for (let beat = 0; beat < 4; beat += 1) {
      const ping = await inbox.take();
      assert.match(ping, /^"primus::ping::\d{13}"$/);
      socket.send(ping.replace('ping', 'pong'));
    }
  });

  test('who does not answer a heartbeat is left to reconnect: closed, without primus::server::close', async (t) => {
    const beating = await startFor(t, { pingInterval: 200 });
    const peer = await Peer.handshake(t, beating);
    assert.match(await peer.text(), /^"primus::ping::\d+"$/);
    const nextFrame = await peer.frame();
    assert.equal(nextFrame.opcode, CLOSE);
  });

  test('a ping of the protocol below is a sign of life, too', async (t) => {
    const beating = await startFor(t, { pingInterval: 200 });
    const { socket, inbox } = await open(t, beating);
    for (let beat = 0; beat < 5; beat += 1) {
      assert.match(await inbox.take(), /^"primus::ping::\d+"$/);
      socket.ping();
    }
    assert.equal(socket.readyState, WebSocket.OPEN);
  });

  test('an older client, which pings by itself, is answered and kept, but not pinged', ours, async (t) => {
    const interval = 1_000;
    const beating = await startFor(t, { pingInterval: interval });
    const { socket, inbox } = await open(t, beating);
    const end = Date.now() + 3.5 * interval;
    for (let beat = 1; Date.now() < end; beat += 1) {
      socket.send(`"primus::ping::${beat}"`);
      // What the client takes for data if it comes.
      assert.equal(await inbox.take(), `"primus::pong::${beat}"`);
      await new Promise(setImmediate);
    }
    assert.equal(socket.readyState, WebSocket.OPEN);
  });
});

describe('permessage-deflate', () => {
  const long = JSON.stringify({ text: 'to be compressed '.repeat(500) });
  const offer = { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } };

  test('is not negotiated unless it is switched on', async (t) => {
    const peer = await Peer.handshake(t, server, offer);
    assert.equal(peer.answer.status, 101);
    assert.equal(peer.answer.headers['sec-websocket-extensions'], undefined);
    peer.say(long);
    const frame = await peer.frame();
    assert.equal(frame.reserved, 0);
    assert.equal(frame.text, long);
  });

  describe('when it is switched on', () => {
    /** @type {import('./server.js').Server} */
    let compressing;
    before(async () => {
      compressing = await start({ compression: true, maxLength: 256 * 1024 });
    });
    after(() => compressing.remove());

    test('is negotiated, and messages are compressed both ways', async (t) => {
      const { socket, inbox } = await open(t, compressing, { perMessageDeflate: { threshold: 0 } });
      assert.match(socket.extensions, /permessage-deflate/);
      const started = socket._socket.bytesRead;
      for (let round = 0; round < 20; round += 1) {
        socket.send(long);
        assert.equal(await inbox.take(), long);
      }
      assert.ok(socket._socket.bytesRead - started < (20 * long.length) / 2, 'the answers came compressed');
      assert.ok(socket._socket.bytesWritten < (20 * long.length) / 2, 'the questions went compressed');
    });

    for (const [what, parameters] of Object.entries({
      'no context takeover on either side': { serverNoContextTakeover: true, clientNoContextTakeover: true },
      'the smallest windows': { serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
      'no context takeover on the server': { serverNoContextTakeover: true },
    })) {
      test(`works with ${what}`, async (t) => {
        const { socket, inbox } = await open(t, compressing, { perMessageDeflate: { threshold: 0, ...parameters } });
        for (let round = 0; round < 5; round += 1) {
          socket.send(long);
          socket.send(JSON.stringify(`round ${round}`));
          assert.equal(await inbox.take(), long);
          assert.equal(await inbox.take(), JSON.stringify(`round ${round}`));
        }
      });
    }

    test('a peer that offers nothing gets nothing', async (t) => {
      const peer = await Peer.handshake(t, compressing);
      assert.equal(peer.answer.headers['sec-websocket-extensions'], undefined);
      peer.say(long);
      const frame = await peer.frame();
      assert.equal(frame.reserved, 0);
      assert.equal(frame.text, long);
    });

    test('a message that inflates over the greatest length closes with 1009', async (t) => {
      const { socket } = await open(t, compressing, { perMessageDeflate: { threshold: 0 } });
      socket.send('"' + ' '.repeat(8 * 1024 * 1024) + '"');
      const [code] = await next(socket, 'close');
      assert.equal(code, 1009);
    });

    test('bytes that do not inflate close the connection', async (t) => {
      const peer = await Peer.handshake(t, compressing, offer);
      assert.match(peer.answer.headers['sec-websocket-extensions'], /^permessage-deflate/);
      peer.send(frame(TEXT, Uint8Array.of(0xff, 0xff, 0xff, 0xff), { reserved: 0b100 }));
      const close = await peer.close();
      assert.ok([1002, 1007, 1011].includes(close.code), `code ${close.code}`);
      await peer.gone();
    });

    test('text that is no UTF-8 when inflated closes with 1007', async (t) => {
      const { socket } = await open(t, compressing, { perMessageDeflate: { threshold: 0 } });
      socket.send(Uint8Array.of(0x22, 0xff, 0x22), { binary: false });
      const [code] = await next(socket, 'close');
      assert.equal(code, 1007);
    });
  });
});

describe('a reader that does not read', () => {
  test('is closed before it takes the memory, and no one else notices', ours, async (t) => {
    const watcher = await open(t);
    const peer = await Peer.handshake(t, server);
    peer.say('"primus::id::"');
    const id = JSON.parse(await peer.text()).slice('primus::id::'.length);
    watcher.socket.send('{"command":"watch"}');
    watcher.socket.send('"watching"');
    assert.equal(await watcher.inbox.take(), '"watching"');
    peer.socket.pause();
    peer.say(JSON.stringify({ command: 'flood', count: 4_000, size: 64 * 1024 }));
    assert.deepEqual(JSON.parse(await watcher.inbox.take()), { disconnected: id });
    watcher.socket.send('"unmoved"');
    assert.equal(await watcher.inbox.take(), '"unmoved"');
  });

  test('gets everything if it is only slow', async (t) => {
    const peer = await Peer.handshake(t, server);
    peer.socket.pause();
    peer.say(JSON.stringify({ command: 'flood', count: 10, size: 64 * 1024 }));
    peer.say('"the end"');
    setImmediate(() => peer.socket.resume());
    for (let number = 0; number < 10; number += 1) assert.equal((await peer.text()).length, 64 * 1024 + 2);
    assert.equal(await peer.text(), '"the end"');
  });
});

describe('the raw echo', ours, () => {
  test('sends back what comes, as it came, with no Primus in between', async (t) => {
    const raw = await startFor(t, { plugins: ['json', 'websocket'], tables: { websocket: { echo_path: '/echo' } } });
    const peer = await Peer.handshake(t, raw, { path: '/primus/echo' });
    assert.equal(peer.answer.status, 101);
    for (const [opcode, payload] of [[TEXT, 'no JSON: {'], [BINARY, Buffer.from([0, 255, 1])], [TEXT, '"primus::id::"'], [TEXT, '']]) {
      peer.send(frame(opcode, payload));
      const echo = await peer.frame();
      assert.equal(echo.opcode, opcode);
      assert.deepEqual(echo.payload, Buffer.from(payload));
    }
    peer.send(frame(TEXT, 'frag', { open: true }), frame(CONTINUATION, 'ments'));
    assert.equal(await peer.text(), 'fragments');
  });
});

/**
 * @file What is answered over plain HTTP: the spec, the client, cross-origin headers, files, health, and refusals.
 */

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { connected, kinds } from './clients.js';
import { Peer } from './frames.js';
import { implementation, ours, start, startFor } from './server.js';

/** @type {import('./server.js').Server} */
let server;
before(async () => {
  server = await start();
});
after(() => server.remove());

/**
 * One request, answered with nothing decoded and no redirect followed.
 *
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, body: Buffer }>}
 */
function request(path, { method = 'GET', headers = {}, to = server } = {}) {
  return new Promise((resolve, reject) => {
    http.request({ host: '127.0.0.1', port: to.port, path, method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    }).on('error', reject).end();
  });
}

describe('the spec', () => {
  const expected = '{"pingInterval":30000,"pathname":"/primus","version":"8.0.9","parser":"json","transformer":"websockets"}';

  test('is the JSON that Primus answers, byte by byte', async () => {
    const { status, headers, body } = await request('/primus/spec');
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^application\/json/);
    assert.equal(body.toString(), expected);
  });

  test('may have a query', async () => {
    assert.equal((await request('/primus/spec?fresh=1')).body.toString(), expected);
  });

  test('may have a slash behind it', ours, async () => {
    assert.equal((await request('/primus/spec/')).body.toString(), expected);
  });

  test('tells what was configured', async (t) => {
    const other = await startFor(t, { pathname: '/rt/chat', pingInterval: 1_234 });
    const spec = JSON.parse((await request('/rt/chat/spec', { to: other })).body);
    assert.equal(spec.pathname, '/rt/chat');
    assert.equal(spec.pingInterval, 1_234);
    assert.notEqual((await request('/primus/spec', { to: other })).status, 200);
  });

  test('is not behind the authorization', async (t) => {
    const guarded = await startFor(t, { users: { alice: 'wonderland' } });
    assert.equal((await request('/primus/spec', { to: guarded })).body.toString(), expected);
    assert.equal((await request('/primus/primus.js', { to: guarded })).status, 200);
  });
});

describe('the served client', () => {
  test('is a script', async () => {
    const { status, headers, body } = await request('/primus/primus.js');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
    assert.equal(Number(headers['content-length']), body.length);
    assert.match(body.toString(), /"\/primus"/);
  });

  test('is for the path that was configured', async (t) => {
    const other = await startFor(t, { pathname: '/rt/chat' });
    const { status, body } = await request('/rt/chat/primus.js', { to: other });
    assert.equal(status, 200);
    assert.match(body.toString(), /"\/rt\/chat"/);
    const client = await connected(t, kinds.find(({ name }) => name === 'the served client, as a browser runs it'), other);
    assert.equal(await client.ask('found it'), 'found it');
  });

  test('is not sent again to who has it', ours, async () => {
    const first = await request('/primus/primus.js');
    const tag = first.headers.etag;
    assert.match(tag, /^"[^"]+"$/);
    const second = await request('/primus/primus.js', { headers: { 'If-None-Match': tag } });
    assert.equal(second.status, 304);
    assert.equal(second.body.length, 0);
    assert.equal(second.headers.etag, tag);
    for (const known of ['"another"', '"another", "and another"']) {
      assert.equal((await request('/primus/primus.js', { headers: { 'If-None-Match': known } })).status, 200, known);
    }
    for (const known of [`"another", ${tag}`, `W/${tag}`, '*']) {
      assert.equal((await request('/primus/primus.js', { headers: { 'If-None-Match': known } })).status, 304, known);
    }
  });

  test('is compressed for who understands it', ours, async () => {
    const plain = await request('/primus/primus.js');
    assert.equal(plain.headers['content-encoding'], undefined);
    for (const [accepted, encoding, inflate] of [
      ['gzip', 'gzip', gunzipSync],
      ['br', 'br', brotliDecompressSync],
      ['gzip, deflate, br', 'br', brotliDecompressSync],
      ['br;q=0, gzip', 'gzip', gunzipSync],
      ['identity', undefined, (body) => body],
    ]) {
      const { status, headers, body } = await request('/primus/primus.js', { headers: { 'Accept-Encoding': accepted } });
      assert.equal(status, 200);
      assert.equal(headers['content-encoding'], encoding, accepted);
      assert.match(headers.vary ?? '', /accept-encoding/i);
      assert.equal(Number(headers['content-length']), body.length);
      assert.deepEqual(inflate(body), plain.body);
      if (encoding) assert.ok(body.length < plain.body.length / 2);
    }
  });

  test('is there as an ES module, too', ours, async () => {
    const { status, headers, body } = await request('/primus/primus.mjs');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/javascript; charset=utf-8');
    const { default: Primus, Primus: named } = await import(`data:text/javascript;base64,${body.toString('base64')}`);
    assert.equal(typeof Primus, 'function');
    assert.equal(named, Primus);
  });

  test('needs no eval, as a strict content security policy asks for', ours, async () => {
    const { body } = await request('/primus/primus.js');
    assert.doesNotMatch(body.toString(), /\beval\s*\(|new Function\s*\(/);
  });

  test('is another one when the set of plugins is another', ours, async (t) => {
    const more = await startFor(t, { emitter: true });
    const [few, many] = await Promise.all([request('/primus/primus.js'), request('/primus/primus.js', { to: more })]);
    assert.notEqual(few.headers.etag, many.headers.etag);
    assert.notDeepEqual(few.body, many.body);
  });

  test('is the same one when the server is started again', ours, async (t) => {
    const [one, other] = await Promise.all([startFor(t), startFor(t)]);
    const [left, right] = await Promise.all([one, other].map((to) => request('/primus/primus.js', { to })));
    assert.equal(left.headers.etag, right.headers.etag);
    assert.deepEqual(left.body, right.body);
  });
});

describe('other origins', () => {
  test('are let in when all are, but then never with credentials', async () => {
    const { status, headers } = await request('/primus/spec', { headers: { Origin: 'http://page.example' } });
    assert.equal(status, 200);
    assert.ok(['*', 'http://page.example'].includes(headers['access-control-allow-origin']));
    if (implementation === 'switchboard') assert.equal(headers['access-control-allow-credentials'], undefined);
  });

  test('are refused when they are not listed', async (t) => {
    const choosy = await startFor(t, { origins: ['http://friend.example', 'https://mate.example:8443'] });
    for (const Origin of ['http://friend.example', 'https://mate.example:8443']) {
      const friend = await request('/primus/spec', { to: choosy, headers: { Origin } });
      assert.equal(friend.status, 200);
      assert.equal(friend.headers['access-control-allow-origin'], Origin);
      assert.match(friend.headers.vary, /origin/i);
    }
    for (const Origin of ['http://stranger.example', 'https://friend.example', 'http://friend.example.stranger.example', 'null']) {
      const stranger = await request('/primus/spec', { to: choosy, headers: { Origin } });
      assert.equal(stranger.status, 403, Origin);
      assert.equal(stranger.headers['access-control-allow-origin'], undefined);
    }
    assert.equal((await request('/primus/spec', { to: choosy })).status, 200);
  });

  test('what a page of another site has fetched without its origin opens no session', ours, async (t) => {
    const plugins = ['json', 'websocket', 'engine_io', 'sockjs', 'sse', 'conformance_app'];
    const [alone, open] = [await startFor(t, { plugins, origins: [] }), await startFor(t, { plugins, origins: ['*'] })];
    const script = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'script' };
    for (const path of ['/primus/000/script/jsonp?c=call', '/primus/?EIO=4&transport=polling']) {
      assert.equal((await request(path, { headers: script, to: alone })).status, 403, path);
      assert.equal((await request(path, { headers: script, to: open })).status, 200, path);
      assert.equal((await request(path, { headers: { ...script, 'Sec-Fetch-Site': 'same-origin' }, to: alone })).status, 200, path);
    }
    // The client itself is everybody's.
    assert.equal((await request('/primus/primus.js', { headers: script, to: alone })).status, 200);
  });

  test('a page that carries for the page around it may be in the frame of those that may connect', ours, async (t) => {
    const framed = async (origins) => {
      const to = await startFor(t, { plugins: ['json', 'sockjs', 'conformance_app'], origins });
      return (await request('/primus/iframe.html', { to })).headers['content-security-policy'];
    };
    assert.equal(await framed([]), "frame-ancestors 'self'");
    assert.equal(await framed(['https://friend.example']), "frame-ancestors 'self' https://friend.example");
    assert.equal(await framed(['*']), undefined);
  });

  test('are strangers as long as none is listed', ours, async (t) => {
    const alone = await startFor(t, { origins: [] });
    const stranger = await request('/primus/spec', { to: alone, headers: { Origin: 'http://page.example' } });
    assert.equal(stranger.status, 403);
    const neighbour = await request('/primus/spec', { to: alone, headers: { Origin: alone.url } });
    assert.equal(neighbour.status, 200);
  });

  test('may ask before they send', async () => {
    const { status, headers } = await request('/primus/spec', {
      method: 'OPTIONS',
      headers: { Origin: 'http://page.example', 'Access-Control-Request-Method': 'GET' },
    });
    assert.ok([200, 204].includes(status), `status ${status}`);
    assert.ok(['*', 'http://page.example'].includes(headers['access-control-allow-origin']));
    assert.match(headers['access-control-allow-methods'], /GET/);
  });
});

describe('credentials', () => {
  const basic = (name, password) => ({ Authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` });
  /** @type {import('./server.js').Server} */
  let guarded;
  before(async () => {
    guarded = await start({ users: { alice: 'wonder:land', 'zoë': 'pässword' } });
  });
  after(() => guarded.remove());

  test('are asked for with 401', async (t) => {
    const peer = await Peer.handshake(t, guarded);
    assert.equal(peer.answer.status, 401);
    assert.match(peer.answer.headers['www-authenticate'], /^Basic realm="/);
    assert.equal(peer.answer.headers['content-type'], 'application/json');
    const { error, ...rest } = JSON.parse(peer.answer.body);
    assert.equal(typeof error, 'string');
    assert.deepEqual(rest, {});
    await peer.gone();
  });

  test('are asked for on a plain request, too', async () => {
    const { status, headers } = await request('/primus', { to: guarded });
    assert.equal(status, 401);
    assert.match(headers['www-authenticate'], /^Basic realm="/);
  });

  for (const [what, headers] of Object.entries({
    'a wrong password': basic('alice', 'wonderland'),
    'no password': basic('alice', ''),
    'an unknown name': basic('bob', 'wonder:land'),
    'no colon': { Authorization: `Basic ${Buffer.from('alice').toString('base64')}` },
    'no base64': { Authorization: 'Basic %%%' },
    'another scheme': { Authorization: 'Bearer wonder:land' },
    'a name that every object has': basic('constructor', 'x'),
  })) {
    test(`${what} is refused`, async (t) => {
      const peer = await Peer.handshake(t, guarded, { headers });
      assert.equal(peer.answer.status, 401);
    });
  }

  test('let in who has them, whatever letters they are of', async (t) => {
    for (const headers of [basic('alice', 'wonder:land'), basic('zoë', 'pässword')]) {
      const peer = await Peer.handshake(t, guarded, { headers });
      assert.equal(peer.answer.status, 101);
    }
  });

  test('let in the npm client', async (t) => {
    for (const kind of kinds.filter((kind) => kind.headers)) {
      const client = await connected(t, kind, guarded, { options: { transport: { headers: basic('alice', 'wonder:land') } } });
      assert.equal(await client.ask('hello'), 'hello', kind.name);
    }
  });
});

describe('paths', () => {
  test('that only begin like ours are not ours', ours, async (t) => {
    for (const path of ['/primusfoo', '/primusfoo/spec', '/primus.js', '/other']) {
      assert.equal((await request(path)).status, 404, path);
    }
    const peer = await Peer.handshake(t, server, { path: '/primusfoo' });
    assert.equal(peer.answer.status, 404);
  });

  test('of health are answered', ours, async () => {
    for (const path of ['/healthz', '/readyz']) assert.equal((await request(path)).status, 200, path);
  });
});

describe('without any plugin', ours, () => {
  test('the spec is there, and everything else under the path says why it is not', async (t) => {
    const empty = await startFor(t, { plugins: [] });
    assert.equal((await request('/primus/spec', { to: empty })).status, 200);
    for (const path of ['/primus', '/primus/', '/primus?a=1', '/primus/websocket']) {
      const { status, body } = await request(path, { to: empty });
      assert.equal(status, 503, path);
      assert.match(body.toString(), /transport|plugin/i, path);
    }
    const peer = await Peer.handshake(t, empty);
    assert.equal(peer.answer.status, 503);
    assert.equal((await request('/healthz', { to: empty })).status, 200);
    const { status, body } = await request('/readyz', { to: empty });
    assert.deepEqual([status, body.toString()], [503, 'no transport plugin serves\n']);
  });
});

describe('static files', ours, () => {
  /** @type {import('./server.js').Server} */
  let files;
  let folder;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'switchboard-static-'));
    mkdirSync(join(folder, 'public', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'secret.txt'), 'not for you');
    writeFileSync(join(folder, 'public', 'index.html'), '<!doctype html><title>home</title>');
    writeFileSync(join(folder, 'public', 'app.js'), 'export {};');
    writeFileSync(join(folder, 'public', 'style.css'), 'body { color: red }');
    writeFileSync(join(folder, 'public', 'deep', 'with space é.txt'), 'deep');
    files = await start({ static: join(folder, 'public') });
  });
  after(async () => {
    await files.remove();
    rmSync(folder, { recursive: true });
  });

  test('are served with their types', async () => {
    for (const [path, type, text] of [
      ['/', /^text\/html/, '<!doctype html><title>home</title>'],
      ['/index.html', /^text\/html/, '<!doctype html><title>home</title>'],
      ['/app.js', /^text\/javascript/, 'export {};'],
      ['/style.css', /^text\/css/, 'body { color: red }'],
      ['/style.css?v=1', /^text\/css/, 'body { color: red }'],
      ['/deep/with%20space%20%C3%A9.txt', /^text\/plain/, 'deep'],
    ]) {
      const { status, headers, body } = await request(path, { to: files });
      assert.equal(status, 200, path);
      assert.match(headers['content-type'], type, path);
      assert.equal(body.toString(), text, path);
    }
  });

  test('of other folders are not', async () => {
    for (const path of ['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/deep/../../secret.txt', '/deep/..%2f..%2fsecret.txt', `//${folder}/secret.txt`, '/app.js%00.html', '/..\\secret.txt']) {
      const { status, body } = await request(path, { to: files });
      assert.ok(status >= 400 && status < 500, `${path}: ${status}`);
      assert.doesNotMatch(body.toString(), /not for you/);
    }
  });

  test('that are not there are answered with 404', async () => {
    assert.equal((await request('/nothing.html', { to: files })).status, 404);
    assert.equal((await request('/deep/', { to: files })).status, 404);
  });

  test('are asked after with HEAD', async () => {
    const { status, headers, body } = await request('/app.js', { to: files, method: 'HEAD' });
    assert.equal(status, 200);
    assert.equal(headers['content-length'], '10');
    assert.equal(body.length, 0);
  });

  test('never hide what is ours', async () => {
    assert.equal((await request('/primus/spec', { to: files })).status, 200);
  });
});

describe('the address of a client behind a proxy', ours, () => {
  /** What the application takes for the address of a client whose request has these header fields. */
  async function addressOf(t, to, headers) {
    const peer = await Peer.handshake(t, to, { headers });
    peer.say('{"command":"whoami"}');
    return JSON.parse(await peer.text()).address.ip;
  }

  test('is what a trusted proxy says', async (t) => {
    const behind = await startFor(t, { tables: { server: { trusted_proxies: ['127.0.0.1', '10.0.0.0/8'] } } });
    assert.equal(await addressOf(t, behind, { 'X-Forwarded-For': '203.0.113.7' }), '203.0.113.7');
    assert.equal(await addressOf(t, behind, { 'X-Forwarded-For': '198.51.100.1, 203.0.113.7, 10.1.2.3' }), '203.0.113.7');
    assert.equal(await addressOf(t, behind, {}), '127.0.0.1');
  });

  test('is what it says in the standard header, where that is chosen', async (t) => {
    const behind = await startFor(t, { tables: { server: { trusted_proxies: ['127.0.0.1'], forwarded_by: 'forwarded' } } });
    assert.equal(await addressOf(t, behind, { Forwarded: 'for=203.0.113.7;proto=https' }), '203.0.113.7');
    assert.equal(await addressOf(t, behind, { Forwarded: 'for="[2001:db8::7]:4711"' }), '2001:db8::7');
    assert.equal(await addressOf(t, behind, { 'X-Forwarded-For': '203.0.113.7' }), '127.0.0.1');
  });

  test('is not what just anyone says', async (t) => {
    for (const headers of [{ 'X-Forwarded-For': '203.0.113.7' }, { Forwarded: 'for=203.0.113.7' }]) {
      assert.equal(await addressOf(t, server, headers), '127.0.0.1');
    }
  });
});

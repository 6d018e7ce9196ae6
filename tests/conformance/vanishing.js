/**
 * @file The clients of `vanished.test.js`, as a process of their own: it opens a session by each way, has something sent to each
 * that listens, says `open` and stays.
 *
 * Its argument is where the server is, as JSON: `host`, `port`, and `tcp`, the line that tells the port of the plugin `tcp`.
 */

import { Session, connections, requests } from './ways.js';

const { host, port, tcp } = JSON.parse(process.argv[2]);
const server = { host, port, settings: { pathname: '/primus' }, lines: () => [tcp] };
const t = { after() {} };

for (const way of Object.values(connections)) {
  const { socket } = await way.open(t, server);
  // The answers to pings would say that it is there.
  socket.resume();
}
for (const way of Object.values(requests)) {
  const session = await Session.open(way, server);
  (await session.listen(t)).resume();
}
console.log('open');
setInterval(() => {}, 60_000);

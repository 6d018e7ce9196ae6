/**
 * @file A process with clients: some stay for the whole time, some come and go.
 *
 * Told by its parent: `{ port, share, of }` to begin, `{ stop: true }` to end. Tells how far it is, which generations of the
 * ledger have answered since when, and at the end its record.
 */

import { Client, now } from './client.js';
import { Random } from './random.js';

/** Milliseconds that those who leave, and all at the end, may wait for their answers. */
const PATIENCE = 20_000;

const generations = new Map();
const stay = [];
const visit = [];
let stopping = false;

process.on('message', (told) => (told.stop ? stop() : begin(told)));
process.on('disconnect', () => process.exit());

async function begin({ port, share, of, seed }) {
  const served = (generation) => {
    if (!generations.has(generation)) generations.set(generation, now());
  };
  for (const how of residents(share)) stay.push(new Client(how, port, served));
  for (const how of visitors(share)) visit.push(new Client(how, port, served));
  await Promise.all(stay.map((client) => client.open()));
  for (const client of stay) client.go();
  const comings = visit.map((client, index) => comeAndGo(client, new Random(seed + index * of + share)));
  setInterval(() => process.send({ sent: sum(sentBy), generations: [...generations] }), 100).unref();
  process.send({ ready: true });
  await Promise.all(comings);
}

/** Those who stay: a room of each, and one client alone over each of the other carriers. */
function residents(share) {
  const members = (room, count) => Array.from({ length: count }, (_, index) => `${room}-${index}`);
  const room = (name, parser) => {
    const names = members(name, 3);
    return names.map((member) => ({
      name: member,
      carrier: 'websocket',
      streams: ['echo', 'room', 'event'],
      room: name,
      members: names,
      ...(parser ? { parser } : {}),
    }));
  };
  return [
    ...room(`a${share}`),
    ...room(`b${share}`, 'ejson'),
    { name: `primus-${share}`, carrier: 'primus', streams: ['echo', 'event'] },
    { name: `engine-p-${share}`, carrier: 'engine.io polling', streams: ['echo'] },
    { name: `engine-w-${share}`, carrier: 'engine.io websocket', streams: ['echo', 'event'] },
    { name: `sockjs-w-${share}`, carrier: 'sockjs websocket', streams: ['echo'] },
    { name: `sockjs-x-${share}`, carrier: 'sockjs xhr-streaming', streams: ['echo'] },
  ];
}

function visitors(share) {
  return ['websocket', 'websocket', 'primus', 'engine.io polling', 'sockjs websocket'].map((carrier, index) => ({
    name: `visitor-${share}-${index}`,
    carrier,
    streams: ['echo'],
  }));
}

/** Connects, counts for a while, waits for what is owed, leaves, and comes again. */
async function comeAndGo(client, random) {
  while (!stopping) {
    await client.open();
    if (stopping) break;
    client.go();
    await new Promise((resolve) => setTimeout(resolve, random.between(100, 1_200)));
    client.pause();
    await settled([client]);
    client.close();
  }
}

/** Waits until these have their answers, or have waited too long. */
async function settled(clients) {
  const end = now() + PATIENCE;
  while (!clients.every((client) => client.isSettled) && now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function stop() {
  stopping = true;
  const clients = [...stay, ...visit];
  for (const client of clients) client.pause();
  await settled(clients);
  const records = clients.map((client) => record(client));
  for (const client of clients) client.close();
  process.send({ records, generations: [...generations] }, () => process.exit());
}

function record(client) {
  const others = (account) => clientNamed(account.replace('room of ', ''));
  const faults = { lost: 0, repeated: 0, reordered: 0 };
  for (const [name, account] of Object.entries(client.accounts)) {
    const sender = name.startsWith('room of ') ? others(name) : client;
    const stream = name.startsWith('room') ? 'room' : name === 'acknowledged' ? 'event' : name;
    faults.lost += account.lost(sender.sent[stream], sender.accounts[stream].refused);
    faults.repeated += account.repeated;
    faults.reordered += account.reordered;
  }
  return {
    name: client.how.name,
    carrier: client.how.carrier,
    sent: sentBy(client),
    ...faults,
    drops: client.drops,
    forgotten: client.forgotten,
    openings: client.openings,
    faults: client.faults,
    refusals: client.refusals,
    pauses: client.pauses,
  };
}

function clientNamed(name) {
  return stay.find((client) => client.how.name === name);
}

function sentBy(client) {
  return Object.values(client.sent).reduce((all, count) => all + count, 0);
}

function sum(of) {
  return [...stay, ...visit].reduce((all, client) => all + of(client), 0);
}

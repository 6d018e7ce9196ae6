/**
 * @file What a run has come to: sums over all clients, and whether each error was promised.
 */

/** Milliseconds that a busy machine may take until all threads know that a plugin has come. */
const MARGIN = 2_000;

/** Milliseconds in which all who miss what a plugin has forgotten have told so, once one has. */
const AT_ONCE = 5_000;

/**
 * @param {object} run
 * @param {import('./driver.js').Driver} run.driver
 * @param {any[]} run.records Of all clients.
 * @param {Map<number, number>} run.generations When each generation of the ledger was first heard of.
 * @param {number} run.seed
 * @param {number} run.seconds
 */
export function report({ driver, records, generations, seed, seconds }) {
  const total = (key) => records.reduce((sum, record) => sum + record[key], 0);
  const refusals = records.flatMap((record) => record.refusals.map((refusal) => ({ ...refusal, client: record.name })));
  const promised = (refusal) =>
    driver.away.some(
      ({ plugin, from, to }) => refusal.needs.includes(plugin) && refusal.to >= from && refusal.from <= to + MARGIN,
    );
  const drops = records.flatMap((record) => record.drops);
  const dropped = drops.filter((drop) => !promised(drop));
  const unpromised = refusals.filter((refusal) => !promised(refusal));
  const forgotten = unexcused(records.flatMap((record) => record.forgotten), driver.away);
  const pauses = records.flatMap((record) => record.pauses);
  const inSwitch = ({ from, to }) => driver.switches.some((change) => to >= change.from && from <= change.to);
  const longest = (some) => some.reduce((most, { from, to }) => Math.max(most, to - from), 0);
  const first = [...generations.values()].sort((a, b) => a - b);
  const served = driver.ledgers.flatMap((from, index) => {
    const until = driver.ledgers[index + 1] ?? Infinity;
    const at = first.find((at) => at > from && at < until);
    return at === undefined ? [] : [at - from];
  });
  return {
    seed,
    seconds: Math.round(seconds),
    reloads: driver.reloads,
    changes: driver.done,
    clients: records.length,
    connections: total('openings'),
    sent: total('sent'),
    perSecond: Math.round(total('sent') / seconds),
    lost: total('lost'),
    repeated: total('repeated'),
    reordered: total('reordered'),
    dropped: dropped.length,
    promised: refusals.length - unpromised.length + drops.length - dropped.length,
    unpromised: unpromised.map(({ client, what, from, to }) => `${client}: ${what} (asked ${Math.round(to - from)} ms before)`),
    forgotten,
    faults: [...dropped.map(({ what }) => `dropped: ${what}`), ...records.flatMap((record) => record.faults)],
    longestPauseMs: Math.round(longest(pauses.filter(inSwitch))),
    longestPauseElsewhereMs: Math.round(longest(pauses.filter((pause) => !inSwitch(pause)))),
    servedAfterMs: quantiles(served),
  };
}

/** What was forgotten by plugins that had not been away: when a plugin is back, each thing that it knew is missed once. */
function unexcused(forgotten, away) {
  const missed = new Map();
  const strange = [];
  for (const { at, what, needs } of forgotten.toSorted((a, b) => a.at - b.at)) {
    const last = away.findLast(({ plugin, from }) => needs.includes(plugin) && from <= at);
    const before = missed.get(what);
    if (!last || (before > last.from && at - before > AT_ONCE)) strange.push(`forgotten: ${what}`);
    if (!(before > last?.from)) missed.set(what, at);
  }
  return strange;
}

function quantiles(values) {
  if (values.length === 0) return undefined;
  const sorted = values.map(Math.round).sort((a, b) => a - b);
  return { count: sorted.length, least: sorted[0], median: sorted[Math.floor(sorted.length / 2)], most: sorted.at(-1) };
}

/** Whether nothing was lost, and nothing strange was seen. */
export function isFaultless({ lost, repeated, reordered, dropped, unpromised, forgotten, faults }) {
  return lost + repeated + reordered + dropped + unpromised.length + forgotten.length + faults.length === 0;
}

/** The report as lines to read. */
export function text(result) {
  const { servedAfterMs: served } = result;
  const lines = [
    ['seed', result.seed],
    ['time', `${result.seconds} s`],
    ['reloads done', `${result.reloads} (${Object.entries(result.changes).map(([kind, count]) => `${count} × ${kind}`).join(', ')})`],
    ['clients, connections', `${result.clients}, ${result.connections}`],
    ['messages sent', `${result.sent} (${result.perSecond}/s)`],
    ['lost', result.lost],
    ['repeated', result.repeated],
    ['reordered', result.reordered],
    ['connections dropped', result.dropped],
    ['errors that were promised', result.promised],
    ['errors that were not', result.unpromised.length],
    ['forgotten by plugins', result.forgotten.length],
    ['longest pause of a client', `${result.longestPauseMs} ms while plugins were replaced, ${result.longestPauseElsewhereMs} ms otherwise`],
    ['first message served', served ? `${served.median} ms after the file's change (${served.least} to ${served.most}, ${served.count} times)` : 'none'],
  ].map(([name, value]) => `${name.padEnd(26)} ${value}`);
  for (const line of [...result.faults, ...result.unpromised, ...result.forgotten].slice(0, 20)) lines.push(`  ! ${line}`);
  return lines.join('\n');
}

/**
 * @file A reporter for Node's test runner: which cells of the matrix passed, as JSON. A cell passed if each test of its name did.
 */

/** @param {AsyncIterable<{ type: string, data: { name: string } }>} events */
export default async function* results(events) {
  /** @type {Record<string, boolean>} */
  const passed = {};
  for await (const { type, data } of events) {
    if (type === 'test:pass') passed[data.name] ??= true;
    if (type === 'test:fail') passed[data.name] = false;
  }
  yield JSON.stringify(passed);
}

/**
 * @file Numbered messages in both directions, by which a loss, a doubling or another order is seen.
 */

/** Makes the page write numbers, which are echoed, and another page, which tells all, write other ones, until both intervals are cleared. */
export async function begin(tab, teller) {
  await tab.evaluate(() => {
    window.written = 0;
    window.writing = setInterval(() => {
      for (let count = 0; count < 5; count += 1) window.primus.write({ echo: ++window.written });
    }, 5);
  });
  await teller.evaluate(() => {
    window.told = 0;
    window.telling = setInterval(() => window.primus.write({ command: 'broadcast', value: { news: ++window.told } }), 5);
  });
}

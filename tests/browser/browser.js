/**
 * @file Starts Chromium, headless, and opens pages of which every complaint is kept.
 */

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { chromium } from 'playwright-core';

import { DEADLINE } from '../conformance/waiting.js';
import { repository } from '../conformance/server.js';

const screenshots = join(repository, 'target', 'screenshots');

/** Debian's Chromium, unless the environment names another. `quic`: it may speak HTTP/3. */
export function launch({ quic = false } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      ...(quic ? [] : ['--disable-quic']),
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * A page in a context of its own (its own storage), closed with the test `t`.
 *
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function openPage(t, browser, options = {}) {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE);
  /** Errors that the page's own scripts made; a connection that is refused while the server is down is none. */
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/WebSocket connection|net::ERR_/.test(message.text())) {
      page.complaints.push(message.text());
    }
  });
  return page;
}

/** Fails if a script of the page threw, or if the browser refused something. */
export function assertNoComplaints(...pages) {
  for (const page of pages) assert.deepEqual(page.complaints, []);
}

/** Saves what the page looks like, under a name. */
export async function screenshot(page, name, options = {}) {
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, `${name}.png`), ...options });
}

/**
 * @file The messenger, as people use it: two browsers, one server.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { ours, startFor } from '../conformance/server.js';
import { until } from '../conformance/waiting.js';
import { assertNoComplaints, launch, openPage, screenshot } from './browser.js';

const plugins = ['json', 'websocket', 'rooms', 'emitter', 'messenger'];
const desktop = { viewport: { width: 1280, height: 800 }, colorScheme: 'light' };
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'dark', hasTouch: true, isMobile: true };

describe('the messenger', ours, () => {
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    browser = await launch();
  });
  after(() => browser.close());

  /** Someone at a page of the messenger. */
  class Person {
    /** Opens the page and waits for the connection. */
    static async arrive(t, server, options) {
      const person = new Person(await openPage(t, browser, options));
      await person.page.goto(`${server.url}/`);
      t.after(() => assertNoComplaints(person.page));
      await person.connectionIs('open');
      return person;
    }

    /** Arrives, gives a name and opens a room. */
    static async join(t, server, name, room, options) {
      const person = await Person.arrive(t, server, options);
      await person.enter(name);
      await person.openRoom(room);
      return person;
    }

    constructor(page) {
      this.page = page;
    }

    at(id) {
      return this.page.getByTestId(id);
    }

    async enter(name) {
      await this.at('name-input').fill(name);
      await this.at('join-button').click();
    }

    async openRoom(room) {
      await this.at('new-room-input').fill(room);
      await this.at('new-room-button').click();
      await this.seesIn('room-title', room);
    }

    async say(text) {
      await this.at('composer').fill(text);
      await this.at('send-button').click();
    }

    /** Resolves when the element shows the text. */
    seesIn(id, text) {
      return this.at(id).filter({ hasText: text }).first().waitFor();
    }

    /** Resolves when a message with this text is there, in this state. */
    seesMessage(text, state = 'sent') {
      return this.page.locator(`[data-testid="message"][data-state="${state}"]`).filter({ hasText: text }).first().waitFor();
    }

    /** The texts of the messages in the open room. */
    messages() {
      return this.page.locator('[data-testid="message"] .message-text').allTextContents();
    }

    /** Resolves when exactly these people are in the room. */
    async seesMembers(...names) {
      const expected = [...names].sort().join();
      await until(`the members ${expected}`, async () => {
        const shown = await this.page.locator('[data-testid="member"] .member-name').allTextContents();
        return [...shown].sort().join() === expected;
      });
    }

    connectionIs(state) {
      return this.page.locator(`[data-testid="connection-state"][data-state="${state}"]`).waitFor({ state: 'attached' });
    }
  }

  test('two people find each other in a room, see who is there and who types, and talk', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.arrive(t, server, desktop);
    await screenshot(ada.page, 'messenger-entrance-desktop-light');
    await ada.enter('Ada');
    await ada.openRoom('garden');
    await ada.seesMembers('Ada');

    const bo = await Person.arrive(t, server, phone);
    await screenshot(bo.page, 'messenger-entrance-phone-dark');
    await bo.enter('Bo');
    await bo.seesIn('room-item', 'garden');
    await screenshot(bo.page, 'messenger-rooms-phone-dark');
    await bo.openRoom('garden');
    await ada.seesMembers('Ada', 'Bo');
    await bo.seesMembers('Ada', 'Bo');

    await ada.at('composer').pressSequentially('Hello B');
    await bo.seesIn('typing', 'Ada');
    await ada.at('composer').pressSequentially('o, how are you?');
    await ada.at('composer').press('Enter');
    await bo.seesMessage('Hello Bo, how are you?');
    await ada.seesMessage('Hello Bo, how are you?');
    await bo.page.waitForFunction(() => !document.querySelector('[data-testid="typing"]').textContent.includes('Ada'));

    await bo.say('Fine! Ünïcödé 🌻 and <b>no markup</b> <img src=x onerror=alert(1)>');
    await ada.seesMessage('<b>no markup</b> <img src=x onerror=alert(1)>');
    await bo.say('👍');
    await ada.seesMessage('👍');
    assert.deepEqual(await ada.messages(), await bo.messages());
    await bo.at('composer').pressSequentially('One more th');
    await ada.seesIn('typing', 'Bo');
    await screenshot(ada.page, 'messenger-room-desktop-light');
    await screenshot(bo.page, 'messenger-room-phone-dark');
    await ada.page.emulateMedia({ colorScheme: 'dark' });
    await screenshot(ada.page, 'messenger-room-desktop-dark');
    await bo.page.emulateMedia({ colorScheme: 'light' });
    await screenshot(bo.page, 'messenger-room-phone-light');
  });

  test('what is said in one room is not heard in another', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.join(t, server, 'Ada', 'garden', desktop);
    const bo = await Person.join(t, server, 'Bo', 'kitchen', desktop);
    await bo.say('only in the kitchen');
    await bo.seesMessage('only in the kitchen');
    await ada.say('only in the garden');
    await ada.seesMessage('only in the garden');
    assert.deepEqual(await ada.messages(), ['only in the garden']);
    assert.deepEqual(await bo.messages(), ['only in the kitchen']);
  });

  test('who leaves the room, or closes the page, is gone from its list', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.join(t, server, 'Ada', 'garden', desktop);
    const bo = await Person.join(t, server, 'Bo', 'garden', desktop);
    const cy = await Person.join(t, server, 'Cy', 'garden', desktop);
    await ada.seesMembers('Ada', 'Bo', 'Cy');
    await bo.at('leave-room').click();
    await ada.seesMembers('Ada', 'Cy');
    await cy.page.goto('about:blank');
    await ada.seesMembers('Ada');
  });

  test('a name is needed', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.arrive(t, server, desktop);
    await ada.enter('   ');
    await until('the complaint', async () => (await ada.at('name-error').textContent()).trim() !== '');
    await ada.enter('Ada');
    await ada.seesIn('my-name', 'Ada');
  });

  test('a server that goes and comes back: the state is shown, and what was written meanwhile is sent, once and in order', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.join(t, server, 'Ada', 'garden', desktop);
    const bo = await Person.join(t, server, 'Bo', 'garden', phone);
    await ada.say('before');
    await bo.seesMessage('before');

    await server.end('SIGKILL');
    await ada.connectionIs('reconnecting');
    await bo.connectionIs('reconnecting');
    for (const text of ['written while away', 'and this', 'and that']) await ada.say(text);
    await ada.seesMessage('and that', 'pending');
    await screenshot(ada.page, 'messenger-reconnecting-desktop-light');
    await screenshot(bo.page, 'messenger-reconnecting-phone-dark');

    await server.start();
    await ada.connectionIs('open');
    await bo.connectionIs('open');
    await bo.seesMessage('and that');
    await ada.seesMessage('and that');
    const away = ['written while away', 'and this', 'and that'];
    for (const person of [ada, bo]) assert.deepEqual((await person.messages()).filter((text) => away.includes(text)), away);
    await ada.seesMembers('Ada', 'Bo');
    await bo.say('welcome back');
    await ada.seesMessage('welcome back');
  });

  test('a browser that goes offline says so, and catches up', async (t) => {
    const server = await startFor(t, { plugins });
    const ada = await Person.join(t, server, 'Ada', 'garden', desktop);
    const bo = await Person.join(t, server, 'Bo', 'garden', desktop);
    await ada.page.context().setOffline(true);
    await ada.connectionIs('offline');
    await ada.say('from the tunnel');
    await ada.seesMessage('from the tunnel', 'pending');
    await ada.page.context().setOffline(false);
    await ada.connectionIs('open');
    await ada.seesMessage('from the tunnel');
    await bo.seesMessage('from the tunnel');
  });
});

/**
 * @file A client of its own protocol that talks JSON, over a socket like a browser's WebSocket: `onopen`, `onmessage`, `onclose`.
 */

import { DEADLINE, Inbox, within } from './waiting.js';

/** It is closed with the test. What makes the socket is a subclass's business. */
export class JsonClient {
  inbox = new Inbox();

  constructor(t, socket) {
    this.socket = socket;
    this.opened = within(DEADLINE, 'the session to open', (resolve) => {
      this.socket.onopen = resolve;
    });
    this.closed = within(2 * DEADLINE, 'the session to close', (resolve) => {
      this.socket.onclose = resolve;
    });
    this.closed.catch(() => {});
    this.socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      // The heartbeat is the Primus client's business.
      if (!String(message).startsWith('primus::')) this.inbox.put(message);
    };
    t.after(() => this.socket.close());
  }

  static async open(...how) {
    const client = new this(...how);
    await client.opened;
    return client;
  }

  send(value) {
    this.socket.send(JSON.stringify(value));
  }

  async ask(value) {
    this.send(value);
    return this.inbox.take();
  }
}

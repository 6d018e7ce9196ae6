/**
 * @file Two network namespaces with a cable between them, which can be cut: what is sent then is lost, and nobody is told.
 *
 * Nothing of the machine's own network is touched. It takes root and Debian's `iproute2`.
 */

import { execFileSync } from 'node:child_process';

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** Why there can be no namespaces here; empty: there can. */
export function impossible() {
  if (process.platform !== 'linux') return 'network namespaces are Linux\'s';
  if (process.getuid() !== 0) return 'network namespaces are made by root only';
  const name = `try-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('netns', 'exec', name, 'true');
    return '';
  } catch (error) {
    return `no network namespace can be made: ${String(error.stderr ?? error.message).trim()}`;
  } finally {
    try {
      ip('netns', 'delete', name);
    } catch {
      // It was not made.
    }
  }
}

let cables = 0;

export class Cable {
  /** The address of the server's end, which no one else sees. */
  address = '198.18.0.1';

  /** Lays one; it goes with the test. */
  static lay(t) {
    const cable = new Cable();
    t.after(() => cable.#remove());
    cable.#lay();
    return cable;
  }

  constructor() {
    const name = `sb-${process.pid}-${(cables += 1)}`;
    this.server = `${name}-server`;
    this.client = `${name}-client`;
  }

  /** The command that runs others at the server's end. */
  get atServer() {
    return ['ip', 'netns', 'exec', this.server];
  }

  /** The same, at the client's. */
  get atClient() {
    return ['ip', 'netns', 'exec', this.client];
  }

  cut() {
    ip('-n', this.client, 'link', 'set', 'client', 'down');
  }

  #lay() {
    ip('netns', 'add', this.server);
    ip('netns', 'add', this.client);
    ip('-n', this.server, 'link', 'add', 'server', 'type', 'veth', 'peer', 'name', 'client', 'netns', this.client);
    for (const [at, end, address] of [[this.server, 'server', this.address], [this.client, 'client', '198.18.0.2']]) {
      ip('-n', at, 'address', 'add', `${address}/30`, 'dev', end);
      ip('-n', at, 'link', 'set', end, 'up');
    }
  }

  #remove() {
    for (const at of [this.server, this.client]) {
      try {
        ip('netns', 'delete', at);
      } catch {
        // It was not made.
      }
    }
  }
}

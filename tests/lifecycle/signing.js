/**
 * @file Signs files as minisign does it (prehashed signatures): what an operator's release does with a plugin.
 */

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

export class Signer {
  #id = randomBytes(8);
  #keys = generateKeyPairSync('ed25519');

  /** The public key, as plugins.toml has it. */
  get key() {
    const raw = this.#keys.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32);
    return Buffer.concat([Buffer.from('Ed'), this.#id, raw]).toString('base64');
  }

  /** The signature file of these bytes. */
  sign(bytes) {
    const signature = sign(null, createHash('blake2b512').update(bytes).digest(), this.#keys.privateKey);
    const comment = 'signed in a test';
    const whole = sign(null, Buffer.concat([signature, Buffer.from(comment)]), this.#keys.privateKey);
    const head = Buffer.concat([Buffer.from('ED'), this.#id, signature]).toString('base64');
    return `untrusted comment: a signature\n${head}\ntrusted comment: ${comment}\n${whole.toString('base64')}\n`;
  }
}

/**
 * Encoding and decoding by the parser part, in the callback form that `Primus.prototype.encoder` and `decoder` have.
 *
 * @import { ParserPart } from "../primus.d.ts"
 */

/**
 * @param {ParserPart} part
 * @returns {{ encoder: Coder, decoder: Coder }}
 *
 * @typedef {(data: any, fn: (error: any, result?: any) => void) => void} Coder
 */
export function codersOf(part) {
  return { encoder: coder((value) => part.encode(value)), decoder: coder((data) => part.decode(data)) };
}

/**
 * @param {(data: any) => any} convert
 * @returns {Coder}
 */
function coder(convert) {
  return (data, fn) => {
    let result;
    try {
      result = convert(data);
    } catch (error) {
      fn(error);
      return;
    }
    fn(undefined, result);
  };
}

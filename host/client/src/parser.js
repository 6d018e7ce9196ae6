/**
 * Encoding and decoding by the parser part, in the callback form that `Primus.prototype.encoder` and `decoder` have.
 *
 * @import { Coders, Definition, ParserPart } from "../primus.d.ts"
 */

/**
 * @param {ParserPart} part
 * @returns {Coders}
 */
export function codersOf(part) {
  return { encoder: coder((value) => part.encode(value)), decoder: coder((data) => part.decode(data)) };
}

/**
 * The coders of a parser that the application has chosen.
 *
 * @param {Definition} definition
 * @param {string} name
 * @returns {Coders}
 */
export function codersNamed({ parsers }, name) {
  if (Object.hasOwn(parsers, name)) return parsers[name];
  const known = Object.keys(parsers).join(", ");
  throw new Error(`This client has no parser ${JSON.stringify(name)}, but: ${known}; the server's setting client_parsers adds others`);
}

/**
 * @param {(data: any) => any} convert
 * @returns {(data: any, fn: (error: any, result?: any) => void) => void}
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

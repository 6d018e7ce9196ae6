/**
 * Piping a client's messages into a stream, Node's or the web platform's.
 *
 * The other direction needs nothing: a client has `write` and `end`, so Node's streams pipe into it as it is.
 *
 * @import { EventEmitter } from "./emitter.js"
 */

/**
 * Writes every `data` of `source` into `destination`, and ends it with the source unless `options.end` is false.
 *
 * A broken connection doesn't end the destination, only the client's own end does.
 *
 * @template T
 * @param {EventEmitter} source
 * @param {T} destination A Node `Writable` (anything with `write` and `end`) or a `WritableStream`.
 * @param {{ end?: boolean }} [options]
 * @returns {T} The destination.
 */
export function pipe(source, destination, options) {
  const sink = sinkOf(destination);
  source.on("data", sink.write);
  if (options?.end !== false) {
    source.once("end", () => {
      source.off("data", sink.write);
      sink.end();
    });
  }
  sink.opened(source);
  return destination;
}

/**
 * @param {any} destination
 * @returns {{ write(data: any): void, end(): void, opened(source: EventEmitter): void }}
 */
function sinkOf(destination) {
  if (typeof destination.getWriter !== "function") {
    return {
      write: (data) => destination.write(data),
      end: () => destination.end(),
      opened: (source) => destination.emit?.("pipe", source),
    };
  }

  // The source can't be made to wait, so the stream queues; a failed stream tells its own owner.
  const writer = destination.getWriter();
  const ignore = () => {};
  return {
    write: (data) => writer.write(data).catch(ignore),
    end: () => writer.close().catch(ignore),
    opened: ignore,
  };
}

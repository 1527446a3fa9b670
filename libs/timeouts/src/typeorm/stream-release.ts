import type { Readable } from 'node:stream';

/**
 * Tells those that listen for the end of a stream, whichever end, of its early destruction too.
 * TypeORM's query builder gives its connection back at `end` and at `error` only, with one function
 * for both: of a stream that is destroyed before, the connection would never come back.
 */
export function tellOfEarlyEnd(stream: Readable): void {
  stream.once('close', () => {
    if (stream.readableEnded || stream.errored) return;
    const onError = new Set(stream.listeners('error'));
    for (const listener of stream.listeners('end')) {
      if (onError.has(listener)) listener.call(stream);
    }
  });
}

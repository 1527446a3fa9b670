import type { Duration } from '../core/duration.js';
import { parseDuration } from '../core/duration.js';
import { byteCount } from './byte-count.js';
import type { ClientView } from './client-view.js';
import { converse } from './hostile-connection.js';
import type { HostileConnection } from './hostile-connection.js';
import type { HostileRequest } from './hostile-request.js';

/**
 * Options of {@link drip}.
 *
 * @example
 * const options: DripOptions = { part: 'headers', bytes: 1, every: '1s' };
 */
export interface DripOptions extends HostileRequest {
  /**
   * What is dripped; the rest goes out at once. `'headers'` means the request line too. Default:
   * `'body'` when there is one.
   */
  readonly part?: 'headers' | 'body';
  /** Bytes sent at a time. Default 1. */
  readonly bytes?: number;
  /** Time between them. Default 1 s. */
  readonly every?: Duration;
}

/**
 * A client that sends its headers or its body a few bytes at a time, and goes on until the server
 * ends it. Settles when the connection is over; a server that puts up with it gets its whole request.
 *
 * @throws only when no connection came to be, or for options that cannot be.
 * @example
 * const { status, elapsedMs } = await drip(url, { body: 'x'.repeat(100), bytes: 1, every: '100ms' });
 * expect(status).toBe(408);
 */
export async function drip(url: string | URL, options: DripOptions = {}): Promise<ClientView> {
  const { part = options.body === undefined ? 'headers' : 'body' } = options;
  const bytes = byteCount(options.bytes ?? 1, 1);
  const everyMs = parseDuration(options.every ?? '1s', 'every');
  return converse(url, options, async (client) => {
    const { request } = client.listen();
    if (part === 'headers') {
      await dripAll(client, piecesOf(request.head, bytes), everyMs);
      await client.sendAll(request.body());
    } else {
      await client.send(request.head);
      await dripAll(client, request.body(bytes), everyMs);
    }
    client.said();
  });
}

async function dripAll(client: HostileConnection, pieces: Iterable<Buffer>, everyMs: number) {
  let isFirst = true;
  for (const piece of pieces) {
    if (!isFirst) await client.wait(everyMs);
    if (client.isOver) return;
    isFirst = false;
    await client.send(piece);
  }
}

function* piecesOf(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

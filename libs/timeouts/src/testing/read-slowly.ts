import type { Duration } from '../core/duration.js';
import { parseDuration } from '../core/duration.js';
import { byteCount } from './byte-count.js';
import type { ClientView } from './client-view.js';
import { converse } from './hostile-connection.js';
import type { HostileRequest } from './hostile-request.js';

/** How soon a client that reads next to nothing notices that it was cut off. */
const PROBE_MS = 100;

/**
 * Options of {@link readSlowly}.
 *
 * @example
 * const options: ReadSlowlyOptions = { bytes: 100, every: '1s' };
 */
export interface ReadSlowlyOptions extends HostileRequest {
  /** Bytes of the answer that are read at a time; 0 for none at all. Default 0. */
  readonly bytes?: number;
  /** Time between them. Default 1 s. */
  readonly every?: Duration;
}

/**
 * A client that asks properly and reads the answer a few bytes at a time, or not at all. The system
 * on both sides buffers what is not read, often some megabytes: the answer has to be larger than
 * that for the server to feel it. Settles when the connection is over. What the server sent before it
 * closed the connection has to be read before the close is seen; a reset is seen within 100 ms.
 *
 * @throws only when no connection came to be, or for options that cannot be.
 * @example
 * const { whole, ended } = await readSlowly(`${url}/export`, { bytes: 100, every: '1s' });
 * expect({ whole, ended }).toEqual({ whole: false, ended: 'reset' });
 */
export async function readSlowly(
  url: string | URL,
  options: ReadSlowlyOptions = {},
): Promise<ClientView> {
  const bytes = byteCount(options.bytes ?? 0, 0);
  const everyMs = parseDuration(options.every ?? '1s', 'every');
  return converse(url, options, async (client) => {
    await client.sendAll(client.request.until('after-body'));
    client.said();
    let readAt = performance.now() + everyMs;
    while (!client.isOver) {
      const now = performance.now();
      if (now >= readAt) {
        client.read(bytes);
        readAt += everyMs;
      }
      client.probe();
      await client.wait(Math.min(Math.max(readAt - now, 1), PROBE_MS));
    }
  });
}

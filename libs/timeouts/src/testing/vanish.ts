import type { Duration } from '../core/duration.js';
import { parseDelay } from '../core/duration.js';
import type { ClientView } from './client-view.js';
import { converse } from './hostile-connection.js';
import type { HostileRequest, Moment } from './hostile-request.js';

/**
 * Options of {@link vanish}.
 *
 * @example
 * const options: VanishOptions = { at: 'mid-answer', by: 'close' };
 */
export interface VanishOptions extends HostileRequest {
  /** How far the request has come when the client leaves. Default `'after-body'`. */
  readonly at?: Moment;
  /** How long it stays after that, for instance until the handler works. Default 0. */
  readonly after?: Duration;
  /** `'reset'` as a crash or a dead network does, `'close'` as a closed tab does. Default `'reset'`. */
  readonly by?: 'reset' | 'close';
}

/**
 * A client that leaves without a word. Settles when it has left (`ended: 'left'`), or when the
 * server was faster.
 *
 * @throws only when no connection came to be, or for options that cannot be.
 * @example
 * await vanish(url, { at: 'after-body', after: '200ms' });
 * expect(work.signal.aborted).toBe(true);
 */
export async function vanish(url: string | URL, options: VanishOptions = {}): Promise<ClientView> {
  const { at = 'after-body', by = 'reset' } = options;
  const afterMs = parseDelay(options.after ?? 0, 'after');
  return converse(url, options, async (client) => {
    await client.listen().sendAll(client.request.until(at));
    if (at === 'mid-answer') await client.answering();
    if (afterMs > 0) await client.wait(afterMs);
    client.leave(by);
  });
}

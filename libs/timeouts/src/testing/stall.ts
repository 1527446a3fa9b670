import type { ClientView } from './client-view.js';
import { converse } from './hostile-connection.js';
import type { HostileRequest, Moment } from './hostile-request.js';

/**
 * Options of {@link stall}.
 *
 * @example
 * const options: StallOptions = { at: 'connect', giveUpAfter: '25s' };
 */
export interface StallOptions extends HostileRequest {
  /** Where it falls silent. Default: `'mid-body'` when there is a body, else `'mid-headers'`. */
  readonly at?: Exclude<Moment, 'after-body' | 'mid-answer'>;
}

/**
 * A client that sends part of its request at once and then nothing, and waits. Settles when the
 * connection is over.
 *
 * @throws only when no connection came to be, or for options that cannot be.
 * @example
 * const { status, ended } = await stall(url, { body: '{"half":"of it"}' });
 * expect({ status, ended }).toEqual({ status: 408, ended: 'closed' });
 */
export function stall(url: string | URL, options: StallOptions = {}): Promise<ClientView> {
  const { at = options.body === undefined ? 'mid-headers' : 'mid-body' } = options;
  return converse(url, options, async (client) => {
    await client.listen().sendAll(client.request.until(at));
  });
}

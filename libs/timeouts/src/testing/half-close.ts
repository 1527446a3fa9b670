import type { ClientView } from './client-view.js';
import { converse } from './hostile-connection.js';
import type { HostileRequest, Moment } from './hostile-request.js';

/**
 * Options of {@link halfClose}.
 *
 * @example
 * const options: HalfCloseOptions = { body: 'half of this', at: 'mid-body' };
 */
export interface HalfCloseOptions extends HostileRequest {
  /** How far the request has come when the client's side ends. Default `'after-body'`. */
  readonly at?: Exclude<Moment, 'mid-answer'>;
}

/**
 * A client that ends its side of the connection (as `nc -N` and some load balancers do) and still
 * waits for the answer. Node's server takes it for one that left. Settles when the connection is over.
 *
 * @throws only when no connection came to be, or for options that cannot be.
 * @example
 * const { status, ended } = await halfClose(url);
 * expect({ status, ended }).toEqual({ status: undefined, ended: 'closed' });
 */
export function halfClose(url: string | URL, options: HalfCloseOptions = {}): Promise<ClientView> {
  const { at = 'after-body' } = options;
  return converse(url, options, async (client) => {
    await client.listen().sendAll(client.request.until(at));
    if (!client.isOver) client.socket.end();
  });
}

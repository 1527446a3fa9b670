import type { ServerResponse } from 'node:http';
import { http2StreamOf } from './http2-stream.js';

/** Ends an answer that is not whole, so that its client notices. */
export function breakOff(res: ServerResponse): void {
  // Over HTTP/2 an answer that ends without an error is a whole one.
  res.destroy(http2StreamOf(res) && new Error('The answer is not whole'));
}

/** Ends the connection of an answer that was handed over. */
export function closeConnection(res: ServerResponse): void {
  const stream = http2StreamOf(res);
  // A turn later, or the reset overtakes the end of the answer.
  if (stream) setImmediate(() => stream.close());
  else res.socket?.destroySoon();
}

import type { ServerResponse } from 'node:http';
import { http2StreamOf } from './http2-stream.js';

/** Makes the client come back on another connection, which a load balancer takes elsewhere. */
export function makeLastAnswer(res: ServerResponse): void {
  const stream = http2StreamOf(res);
  if (!stream) {
    if (!res.headersSent) res.setHeader('connection', 'close');
  } else if (stream.session && !stream.session.closed) {
    // Says so to the client at once; the streams that are open are finished.
    stream.session.close();
  }
}

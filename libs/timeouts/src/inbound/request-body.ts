import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { http2StreamOf } from './http2-stream.js';

/** Whether a body, or more of it, is still to come. */
export function isBodyUnread(req: IncomingMessage): boolean {
  // Requests of Fastify's `inject()` do not say.
  if (req.complete ?? req.readableEnded) return false;
  const stream = http2StreamOf(req);
  // Complete, over HTTP/2, is what the application has read to its end.
  if (stream) return !stream.endAfterHeaders && stream.state.remoteClose !== 1;
  // A request without a body is not complete either, until the event loop turns.
  const { headers } = req;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > 0;
}

/** The stream that the connection pushes the body to, as it comes in. */
export function bodySource(req: IncomingMessage): Readable {
  return http2StreamOf(req) ?? req;
}

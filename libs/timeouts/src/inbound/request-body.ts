import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';

/** The part of an HTTP/2 stream that tells how much of its request is there. */
export interface Http2Stream extends Duplex {
  readonly endAfterHeaders: boolean;
  readonly state: { readonly remoteClose?: number };
  close(): void;
}

export function http2StreamOf(req: IncomingMessage): Http2Stream | undefined {
  return (req as { stream?: Http2Stream }).stream;
}

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

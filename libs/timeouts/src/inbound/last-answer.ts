import type { ServerResponse } from 'node:http';

/** The part of an HTTP/2 response that tells which session it belongs to. */
interface Http2Response {
  readonly stream?: { readonly session?: { readonly closed: boolean; close(): void } };
}

/** Makes the client come back on another connection, which a load balancer takes elsewhere. */
export function makeLastAnswer(res: ServerResponse): void {
  const { stream } = res as Http2Response;
  if (!stream) {
    if (!res.headersSent) res.setHeader('connection', 'close');
  } else if (stream.session && !stream.session.closed) {
    // Says so to the client at once; the streams that are open are finished.
    stream.session.close();
  }
}

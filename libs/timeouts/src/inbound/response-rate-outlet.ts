import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { http2StreamOf } from './http2-stream.js';
import type { Connection } from './response-rate-intake.js';

/** Where the bytes of an answer wait for its client: the connection, or one HTTP/2 stream of it. */
export type Outlet = Pick<Writable, 'writableLength' | 'destroyed' | 'on' | 'off'>;

/** There while bytes of the answer wait. */
export function waitingOutlet(res: ServerResponse): Outlet | undefined {
  const outlet: Outlet | null = http2StreamOf(res) ?? res.socket;
  return outlet && outlet.writableLength > 0 && !outlet.destroyed ? outlet : undefined;
}

export function connectionOf(res: ServerResponse): Connection | undefined {
  const stream = http2StreamOf(res);
  if (!stream) return (res.socket as Connection | null) ?? undefined;
  // That of a session that is over must not be touched.
  return stream.session?.destroyed === false ? (stream.session.socket as Connection) : undefined;
}

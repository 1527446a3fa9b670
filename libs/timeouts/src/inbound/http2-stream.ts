import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** What stands for the connection of one HTTP/2 exchange: the session belongs to the others, too. */
export interface Http2Stream extends Duplex {
  readonly endAfterHeaders: boolean;
  readonly state: { readonly remoteClose?: number };
  readonly session?: {
    readonly closed: boolean;
    readonly destroyed: boolean;
    readonly socket: unknown;
    close(): void;
  };
  close(): void;
}

/** The stream of a request or response; undefined over HTTP/1. */
export function http2StreamOf(message: IncomingMessage | ServerResponse): Http2Stream | undefined {
  return (message as { stream?: Http2Stream }).stream;
}

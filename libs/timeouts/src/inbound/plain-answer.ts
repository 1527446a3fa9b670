import type { IncomingMessage, ServerResponse } from 'node:http';

/** An answer that is whole from the start. */
export interface PlainAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: object;
}

/** Answers on the Node response itself; nothing of it may be kept by whoever is in between. */
export function sendPlain(
  { method }: IncomingMessage,
  res: ServerResponse,
  { status, type, body }: PlainAnswer,
): void {
  const text = JSON.stringify(body);
  res.statusCode = status;
  res.setHeader('content-type', type);
  res.setHeader('cache-control', 'no-store');
  res.setHeader('content-length', Buffer.byteLength(text));
  res.end(method === 'HEAD' ? undefined : text);
}

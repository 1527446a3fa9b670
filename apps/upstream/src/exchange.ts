import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Aborts when the caller leaves. */
  readonly signal: AbortSignal;
}

export class BadInput extends Error {}

const MAX_BODY_BYTES = 1_000_000;

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const json = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' });
  response.end(json);
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BadInput(`The body is longer than ${MAX_BODY_BYTES} B`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

export async function readJson(request: IncomingMessage): Promise<Record<string, unknown>> {
  const text = (await readBody(request)).toString('utf8') || '{}';
  try {
    return { ...(JSON.parse(text) as Record<string, unknown>) };
  } catch {
    throw new BadInput('The body is not JSON');
  }
}

/** A whole number from a query string or a JSON body. */
export function wholeNumber(name: string, value: unknown, fallback: number): number {
  if (value === undefined || value === null) return fallback;
  const number = typeof value === 'string' && value.trim() === '' ? NaN : Number(value);
  if (!Number.isSafeInteger(number) || number < 0 || number > 2 ** 31 - 1) {
    throw new BadInput(`${name} must be a whole number of at least 0, not "${String(value)}"`);
  }
  return number;
}

import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { BadInput, readBody, readJson, sendJson, wholeNumber } from './exchange.js';
import type { Exchange } from './exchange.js';

const WORDS = 'every answer has one deadline and all the work done for it ends with it'.split(' ');

/** `GET /shards/:name?q=&delayMs=`: one third of a search. */
export async function shard({ response, url, signal }: Exchange): Promise<void> {
  const name = url.pathname.split('/')[2];
  if (!name) throw new BadInput('Name a shard: /shards/shard-a');
  const query = url.searchParams.get('q') ?? '';
  await wait(milliseconds(url, 'delayMs', 0), undefined, { signal });
  sendJson(response, 200, {
    shard: name,
    results: [1, 2].map((rank) => ({ id: `${name}-${rank}`, title: `${query} (${name})`, rank })),
  });
}

/** `POST /model` `{ tokens, intervalMs }`: one token at a time, as server-sent events. */
export async function model({ request, response, signal }: Exchange): Promise<void> {
  const body = await readJson(request);
  const tokens = wholeNumber('tokens', body.tokens, 20);
  const intervalMs = wholeNumber('intervalMs', body.intervalMs, 50);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  for (let index = 0; index < tokens; index += 1) {
    await wait(intervalMs, undefined, { signal });
    const token = `${WORDS[index % WORDS.length]} `;
    const roomLeft = response.write(`data: ${JSON.stringify({ token })}\n\n`);
    if (!roomLeft) await once(response, 'drain', { signal });
  }
  response.end('data: [DONE]\n\n');
}

/** `GET /sleep?ms=`: one slow answer. */
export async function sleep({ response, url, signal }: Exchange): Promise<void> {
  const ms = milliseconds(url, 'ms', 1_000);
  await wait(ms, undefined, { signal });
  sendJson(response, 200, { ok: true, sleptMs: ms });
}

/** `GET /stall`: headers, then silence until the caller leaves. */
export async function stall({ response, signal }: Exchange): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  response.flushHeaders();
  await once(signal, 'abort');
}

/** `GET /drip`: a byte a second until the caller leaves. */
export async function drip({ response, signal }: Exchange): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/octet-stream' });
  for (;;) {
    response.write('.');
    await wait(1_000, undefined, { signal });
  }
}

/** `POST /hook?status=&delayMs=`: a webhook receiver. */
export async function hook({ request, response, url, signal }: Exchange): Promise<void> {
  const status = wholeNumber('status', url.searchParams.get('status'), 200);
  if (status < 200 || status > 599) throw new BadInput('status must be from 200 to 599');
  const received = await readBody(request);
  await wait(milliseconds(url, 'delayMs', 0), undefined, { signal });
  if (status === 204 || status === 304) return void response.writeHead(status).end();
  sendJson(response, status, { received: received.length });
}

function milliseconds(url: URL, name: string, fallback: number): number {
  return wholeNumber(name, url.searchParams.get(name), fallback);
}

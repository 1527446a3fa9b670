import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { BadInput, sendJson } from './exchange.js';
import type { Exchange } from './exchange.js';
import { RouteStats } from './route-stats.js';
import { drip, hook, model, shard, sleep, stall } from './routes.js';

type Route = (exchange: Exchange) => Promise<void>;

const routes: Record<string, Route> = {
  'GET /shards': shard,
  'POST /model': model,
  'GET /sleep': sleep,
  'GET /stall': stall,
  'GET /drip': drip,
  'POST /hook': hook,
};

/** A slow, streaming upstream that keeps count of the callers who left before it was done. */
export function createUpstream(): Server {
  const stats = new RouteStats(Object.keys(routes).map((route) => route.split(' ')[1]!));
  return createServer((request, response) => void serve(request, response, stats));
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  stats: RouteStats,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://upstream');
  const path = `/${url.pathname.split('/')[1] ?? ''}`;
  if (path === '/stats') return sendJson(response, 200, stats.snapshot());

  const route = routes[`${request.method} ${path}`];
  if (!route) return sendJson(response, 404, { error: `No ${request.method} ${url.pathname}` });

  const signal = stats.track(path, response);
  try {
    await route({ request, response, url, signal });
  } catch (error) {
    answerFailure(response, signal, error);
  }
}

function answerFailure(response: ServerResponse, signal: AbortSignal, error: unknown): void {
  if (signal.aborted) return;
  if (response.headersSent) return void response.destroy();
  const status = error instanceof BadInput ? 400 : 500;
  sendJson(response, status, { error: (error as Error).message });
}

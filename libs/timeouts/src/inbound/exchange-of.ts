import type { ServerResponse } from 'node:http';
import type { HttpExchange } from './http-exchange.js';

const EXCHANGE = Symbol('nestjs-timeouts.exchange');

interface Carrier {
  [EXCHANGE]?: HttpExchange;
}

/** The exchange of a raw response, or of the framework's wrapper around one. */
export function exchangeOf(response: unknown): HttpExchange | undefined {
  const { raw = response } = response as { raw?: unknown };
  return (raw as Carrier)[EXCHANGE];
}

/** Makes `exchange` the one that is found for its response. */
export function carryExchange(res: ServerResponse, exchange: HttpExchange): void {
  (res as Carrier)[EXCHANGE] = exchange;
}

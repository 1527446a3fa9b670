import type { ServerResponse } from 'node:http';

/** Fastify keeps headers on its reply until it sends them. */
export interface FrameworkReply {
  getHeaders(): Record<string, number | string | string[] | undefined>;
  hijack(): unknown;
  send(payload?: unknown): unknown;
  readonly raw: ServerResponse;
  readonly request?: { readonly id?: unknown };
}

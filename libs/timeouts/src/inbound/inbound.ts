import type { IncomingMessage } from 'node:http';
import type { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { AnswerQueue } from './answer-queue.js';

/** What the exchanges of one application share. */
export interface Inbound {
  readonly root: ScopeNode;
  readonly defaults: RoutePolicy;
  readonly backstopMs: number;
  readonly answers: AnswerQueue;
  readonly isSkipped: ((url: string) => boolean) | undefined;
}

/** Marked on the route, or the default that `skipPaths` may lift. */
export function handlerLimitMs(
  { isSkipped }: Inbound,
  { handlerMarked, handlerMs }: RoutePolicy,
  { url }: IncomingMessage,
): number {
  return !handlerMarked && isSkipped?.(url!) ? Infinity : handlerMs;
}

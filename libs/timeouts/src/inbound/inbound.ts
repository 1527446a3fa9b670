import type { IncomingMessage } from 'node:http';
import type { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { AnswerQueue } from './answer-queue.js';
import type { EarlyRoutes } from './early-routes.js';
import type { FrontDoor } from './front-door.js';
import type { HeaderLimit } from './header-limit.js';
import type { ResponseRate } from './response-rate.js';

/** The name of a request until its route is known. */
export const UNROUTED = '(no route)';

/** What the exchanges of one application share. */
export interface Inbound {
  readonly root: ScopeNode;
  /** Where requests are dealt with that get no exchange. */
  readonly door: FrontDoor;
  readonly defaults: RoutePolicy;
  readonly backstopMs: number;
  readonly answers: AnswerQueue;
  readonly headers: HeaderLimit;
  /** There where clients have to read at a minimum rate. */
  readonly responseRate: ResponseRate | undefined;
  /**
   * `routes.enter(exchange)` puts the policy of the route in force before the framework gets there;
   * `routes.identify(exchange)` does so, and names the route, for a request that is to be cut.
   */
  readonly routes: EarlyRoutes;
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

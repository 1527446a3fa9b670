import { enterScope } from '../core/current-scope.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { HttpExchange } from './http-exchange.js';
import { UNROUTED } from './inbound.js';
import type { Route } from './route.js';

/** The route that a request will reach. */
export interface FoundRoute {
  readonly route: Route;
  /** What the framework will put on the request for it; undefined when it has. */
  readonly params?: object;
}

/** Tells the route of a request before the framework gets there, by the framework's own means. */
export interface RouteFinder {
  /** Registers `route` by calling `register`. */
  register(route: Route, register: () => unknown): unknown;
  /** May throw what users' code does, such as the extractor of custom versioning. */
  find(exchange: HttpExchange): FoundRoute | undefined;
}

/**
 * Lets the policy of a route take over before the request has got there, for those that take long to:
 * their bodies are read, and slow middleware runs, under the limits of their route. The real entry
 * comes later and has the last word.
 */
export class EarlyRoutes {
  /** That of the adapter, before any route is added. */
  finder: RouteFinder | undefined;
  #hasPolicies = false;

  add(route: Route, register: () => unknown): unknown {
    this.#hasPolicies ||= route.policy.custom;
    return this.finder!.register(route, register);
  }

  /**
   * Puts the policy of its route in force. Only the first call does anything, and none does where
   * no route has a policy of its own.
   */
  enter(exchange: HttpExchange): void {
    if (this.#hasPolicies) this.identify(exchange);
  }

  /** The same for a request that is about to be cut: its outcome is to name the route in any case. */
  identify(exchange: HttpExchange): void {
    const { scope } = exchange;
    if (scope.name !== UNROUTED || scope.cancellation || scope.closed) return;
    const found = attempt(() => this.finder?.find(exchange));
    if (!found) return;
    const { route } = found;
    // Named first: the policy may be a function that asks its scope, and so comes by here again.
    scope.name = route.name;
    const policy = attempt(() => policyOf(found, exchange));
    // Not the target: nothing of the route has begun.
    exchange.enterRoute(route.name, policy ?? exchange.policy, undefined);
  }

  /**
   * Asked when a deadline is over.
   * @returns true when it was the default one, and the route of the request allows for more.
   */
  allowsMore(exchange: HttpExchange): boolean {
    const { scope, inbound } = exchange;
    const byDefault = scope.startedAt + inbound.defaults.handlerMs;
    // Whoever set another one, in middleware, meant it.
    if (scope.name !== UNROUTED || scope.ownDeadline !== byDefault) return false;
    this.identify(exchange);
    return scope.ownDeadline > scope.tree.clock.now();
  }
}

function policyOf({ route, params }: FoundRoute, exchange: HttpExchange): RoutePolicy {
  const { policy } = route;
  if (!policy.resolve) return policy;
  const { scope, req, res, reply } = exchange;
  const request = (reply?.request ?? req) as { params?: unknown };
  const before = request.params;
  if (params) request.params = params;
  try {
    return enterScope(scope, () => policy.resolve!(route.contextOf(request, reply ?? res, ignore)));
  } finally {
    if (params) request.params = before;
  }
}

/** What fails here does so again where the framework gets to it, and is reported there. */
function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

function ignore(): void {}

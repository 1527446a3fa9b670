import { enteredScope, enterScope } from '../core/current-scope.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { EarlyRoutes } from './early-routes.js';
import { exchangeOf } from './exchange-of.js';
import { Route } from './route.js';
import { disguise } from './route-target.js';
import { versionFilterOf } from './version-filter.js';

type Handler = (this: unknown, req: unknown, res: unknown, next: unknown) => unknown;

const VERBS = [
  'all',
  'copy',
  'delete',
  'get',
  'head',
  'lock',
  'mkcol',
  'move',
  'options',
  'patch',
  'post',
  'propfind',
  'proppatch',
  'put',
  'query',
  'search',
  'unlock',
] as const;

/** The part of an HTTP adapter that routes are registered with. */
export type Router = Partial<Record<(typeof VERBS)[number], (...args: unknown[]) => unknown>>;

/**
 * Wraps every route as the adapter registers it, so that its policy takes over as soon as it is
 * known: before guards, pipes and request-scoped providers, whatever order they were declared in.
 * @returns the routes, filled in as they are registered.
 */
export function enterRoutesOf(
  router: Router,
  defaults: RoutePolicy,
  early: EarlyRoutes,
): readonly Route[] {
  const routes: Route[] = [];
  for (const verb of VERBS) {
    const register = router[verb];
    if (!register) continue;
    router[verb] = function (this: unknown, ...args: unknown[]): unknown {
      const handler = args.at(-1);
      if (args.length < 2 || typeof handler !== 'function') return register.apply(this, args);
      const route = new Route(verb, String(args[0]), handler, defaults);
      routes.push(route);
      args[args.length - 1] = entering(route, handler as Handler);
      return early.add(route, () => register.apply(this, args));
    };
  }
  return routes;
}

function entering(route: Route, handler: Handler): Handler {
  const { name, target, policy: fixed } = route;
  const isVersion = versionFilterOf(handler);
  const enter: Handler = function (req, res, next) {
    const exchange = exchangeOf(res);
    // On Express a route of another version is asked as well, and passes the request on.
    const isOther = isVersion && !isVersion(req as never, res as never);
    if (!exchange || isOther) return handler.call(this, req, res, next);
    const asked = exchange.scope.cancellation ? undefined : fixed.resolve;
    const policy = asked ? asked(route.contextOf(req, res, next)) : fixed;
    if (!exchange.enterRoute(name, policy, target)) return undefined;
    // Express middleware with queues of its own loses the async context.
    if (!exchange.reply && !enteredScope()) {
      return enterScope(exchange.scope, () => handler.call(this, req, res, next));
    }
    return handler.call(this, req, res, next);
  };
  return disguise(enter, handler);
}

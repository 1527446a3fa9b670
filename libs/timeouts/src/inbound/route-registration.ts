import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { enteredScope, enterScope } from '../core/current-scope.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { exchangeOf } from './exchange-of.js';
import type { RouteTarget } from './route-target.js';
import { disguise, targetOf } from './route-target.js';

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

/** A route as it was registered. */
export interface Route {
  readonly verb: string;
  readonly path: string;
}

/**
 * Wraps every route as the adapter registers it, so that its policy takes over as soon as it is
 * known: before guards, pipes and request-scoped providers, whatever order they were declared in.
 * @returns the routes, filled in as they are registered.
 */
export function enterRoutesOf(router: Router, defaults: RoutePolicy): readonly Route[] {
  const routes: Route[] = [];
  for (const verb of VERBS) {
    const register = router[verb];
    if (!register) continue;
    router[verb] = function (this: unknown, ...args: unknown[]): unknown {
      const handler = args.at(-1);
      if (args.length >= 2 && typeof handler === 'function') {
        const path = String(args[0]);
        routes.push({ verb, path });
        args[args.length - 1] = enteringRoute(handler as Handler, verb, path, defaults);
      }
      return register.apply(this, args);
    };
  }
  return routes;
}

function enteringRoute(
  handler: Handler,
  verb: string,
  path: string,
  defaults: RoutePolicy,
): Handler {
  const method = verb.toUpperCase();
  const name = `${method} ${path}`;
  const target = targetOf(handler);
  const fixed = target?.policy ?? defaults;
  const entering: Handler = function (req, res, next) {
    const exchange = exchangeOf(res);
    if (!exchange) return handler.call(this, req, res, next);
    const policy = fixed.resolve ? fixed.resolve(contextOf(target!, req, res, next)) : fixed;
    if (!exchange.enterRoute(name, policy, target)) return undefined;
    // Express middleware with queues of its own loses the async context.
    if (!exchange.reply && !enteredScope()) {
      return enterScope(exchange.scope, () => handler.call(this, req, res, next));
    }
    return handler.call(this, req, res, next);
  };
  return disguise(entering, handler);
}

function contextOf(
  { controller, handler }: RouteTarget,
  req: unknown,
  res: unknown,
  next: unknown,
): ExecutionContext {
  return new ExecutionContextHost(
    [req, res, next],
    controller as ConstructorParameters<typeof ExecutionContextHost>[1],
    handler as ConstructorParameters<typeof ExecutionContextHost>[2],
  );
}

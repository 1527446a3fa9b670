import type { FoundRoute, RouteFinder } from './early-routes.js';
import type { HttpExchange } from './http-exchange.js';
import type { Route } from './route.js';

const ROUTE = Symbol('nestjs-timeouts.route');

interface RouteConfig {
  [ROUTE]?: Route;
}

/** What is used of a Fastify instance. */
export interface FastifyRouting {
  addHook(name: 'onRoute', hook: (options: { config?: RouteConfig }) => void): unknown;
}

/**
 * Fastify has routed a request before its first hook runs, by constraints such as versions too. The
 * route's config is what it hands on from a registration as it is; handlers get wrapped and bound.
 */
export class FastifyRoutes implements RouteFinder {
  #registering: Route | undefined;

  constructor(fastify: FastifyRouting) {
    fastify.addHook('onRoute', (options) => {
      if (this.#registering) options.config = { ...options.config, [ROUTE]: this.#registering };
    });
  }

  register(route: Route, register: () => unknown): unknown {
    this.#registering = route;
    try {
      return register();
    } finally {
      this.#registering = undefined;
    }
  }

  find({ reply }: HttpExchange): FoundRoute | undefined {
    const request = reply?.request as { routeOptions?: { config?: RouteConfig } } | undefined;
    const route = request?.routeOptions?.config?.[ROUTE];
    return route && { route };
  }
}

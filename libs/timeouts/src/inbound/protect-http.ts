import { Logger } from '@nestjs/common';
import type { Server } from 'node:http';
import type { AbstractHttpAdapter, DiscoveryService } from '@nestjs/core';
import type { ScopeNode } from '../core/scope-node.js';
import { defaultRoutePolicy } from '../policy/route-policy.js';
import { createSkipMatcher } from '../policy/skip-paths.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';
import { AnswerQueue } from './answer-queue.js';
import { DeadlineInterceptor } from './deadline.interceptor.js';
import type { RouteFinder } from './early-routes.js';
import { EarlyRoutes } from './early-routes.js';
import { ExpressRoutes } from './express-routes.js';
import { FastifyRoutes } from './fastify-routes.js';
import type { FrontDoor } from './front-door.js';
import type { ErrorLayer } from './gone-clients.js';
import { silenceErrorLayer } from './gone-clients.js';
import { guardControllers } from './handler-guard.js';
import { HeaderLimit } from './header-limit.js';
import type { FastifyHooks } from './request-listener.js';
import { openScopesFor, openScopesInFastify } from './request-listener.js';
import { resolvePolicies } from './resolve-policies.js';
import { ResponseRate } from './response-rate.js';
import type { Route } from './route.js';
import type { Router } from './route-registration.js';
import { enterRoutesOf } from './route-registration.js';
import type { VersionedAdapter } from './version-filter.js';
import { exposeVersionFilters } from './version-filter.js';

/** An application whose HTTP requests are to end on time. */
export interface HttpApplication {
  readonly httpAdapter: Pick<AbstractHttpAdapter, 'getHttpServer' | 'getInstance' | 'getType'>;
  readonly options: ResolvedOptions;
  readonly root: ScopeNode;
  readonly door: FrontDoor;
  readonly discovery: DiscoveryService;
}

/** What is protected. */
export interface HttpProtection {
  readonly server: Server;
  /** Filled in as Nest registers them. */
  readonly routes: readonly Route[];
}

/**
 * Puts the requests of an application under its limits.
 * @returns undefined when they are already.
 * @throws TimeoutsConfigurationError listing every marker on a route that cannot work.
 */
export function protectHttp(app: HttpApplication): HttpProtection | undefined {
  const { httpAdapter, options, root, door } = app;
  const server = httpAdapter.getHttpServer() as Server;
  const defaults = defaultRoutePolicy(options);
  const { skipPaths, backstopMs } = options;
  const isSkipped = skipPaths.length > 0 ? createSkipMatcher(skipPaths) : undefined;
  const answers = new AnswerQueue();
  const routes = new EarlyRoutes();
  const headers = new HeaderLimit(root, answers, options.headersMs);
  const responseRate = ResponseRate.of(root, options.response);
  const inbound = {
    root,
    door,
    defaults,
    backstopMs,
    answers,
    headers,
    responseRate,
    routes,
    isSkipped,
  };
  if (!openScopesFor(server, inbound)) return undefined;
  headers.watch(server, options.body.totalMs);
  if (httpAdapter.getType() === 'fastify') {
    openScopesInFastify(httpAdapter as unknown as FastifyHooks, inbound);
  }
  guardRoutes(app);
  silenceErrorLayer(httpAdapter as ErrorLayer);
  routes.finder = finderFor(httpAdapter);
  return { server, routes: enterRoutesOf(httpAdapter as Router, defaults, routes) };
}

function finderFor(httpAdapter: HttpApplication['httpAdapter']): RouteFinder {
  if (httpAdapter.getType() === 'fastify') return new FastifyRoutes(httpAdapter.getInstance());
  exposeVersionFilters(httpAdapter as unknown as VersionedAdapter);
  return new ExpressRoutes(httpAdapter.getInstance(), () =>
    new Logger('Timeouts').warn(UNFORESEEN),
  );
}

const UNFORESEEN =
  'The router of this HTTP adapter cannot be asked for the route of a request ahead of time; ' +
  'limits of a route hold from its handler on, not while its body is read. Express 5 can.';

function guardRoutes({ discovery, options }: HttpApplication): void {
  const interceptor = options.enforcement === 'interceptor' ? new DeadlineInterceptor() : undefined;
  resolvePolicies(options, (resolvePolicy) =>
    guardControllers(discovery.getControllers(), { resolvePolicy, interceptor }),
  );
}

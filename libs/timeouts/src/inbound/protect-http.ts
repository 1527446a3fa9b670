import type { Server } from 'node:http';
import type { AbstractHttpAdapter, DiscoveryService, ModulesContainer } from '@nestjs/core';
import type { ScopeNode } from '../core/scope-node.js';
import { TimeoutsConfigurationError } from '../policy/configuration-error.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { defaultRoutePolicy, resolveRoutePolicy } from '../policy/route-policy.js';
import { createSkipMatcher } from '../policy/skip-paths.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';
import { AnswerQueue } from './answer-queue.js';
import { DeadlineInterceptor } from './deadline.interceptor.js';
import { addFallbackFilter } from './fallback-filter.js';
import type { ErrorLayer } from './gone-clients.js';
import { silenceErrorLayer } from './gone-clients.js';
import type { GuardSettings } from './handler-guard.js';
import { guardControllers } from './handler-guard.js';
import { ProblemFilter } from './problem.filter.js';
import type { FastifyHooks } from './request-listener.js';
import { openScopesFor, openScopesInFastify } from './request-listener.js';
import type { Route, Router } from './route-registration.js';
import { enterRoutesOf } from './route-registration.js';

/** An application whose HTTP requests are to end on time. */
export interface HttpApplication {
  readonly httpAdapter: Pick<AbstractHttpAdapter, 'getHttpServer' | 'getInstance' | 'getType'>;
  readonly options: ResolvedOptions;
  readonly root: ScopeNode;
  readonly discovery: DiscoveryService;
  readonly modules: ModulesContainer;
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
  const { httpAdapter, options, root } = app;
  const server = httpAdapter.getHttpServer() as Server;
  const defaults = defaultRoutePolicy(options);
  const { skipPaths, backstopMs } = options;
  const isSkipped = skipPaths.length > 0 ? createSkipMatcher(skipPaths) : undefined;
  const answers = new AnswerQueue();
  const inbound = { root, defaults, backstopMs, answers, isSkipped };
  if (!openScopesFor(server, inbound)) return undefined;
  if (httpAdapter.getType() === 'fastify') {
    openScopesInFastify(httpAdapter.getInstance() as FastifyHooks, inbound);
  }
  guardRoutes(app, defaults);
  addFallbackFilter(app.modules, new ProblemFilter());
  silenceErrorLayer(httpAdapter as ErrorLayer);
  return { server, routes: enterRoutesOf(httpAdapter as Router, defaults) };
}

function guardRoutes({ discovery, options }: HttpApplication, defaults: RoutePolicy): void {
  const faults: string[] = [];
  const resolvePolicy: GuardSettings['resolvePolicy'] = (onClass, onMethod, where) => {
    if (!onClass && !onMethod) return defaults;
    try {
      return resolveRoutePolicy(options, onClass, onMethod, where);
    } catch (error) {
      if (!(error instanceof TimeoutsConfigurationError)) throw error;
      faults.push(...error.faults);
      return defaults;
    }
  };
  const interceptor = options.enforcement === 'interceptor' ? new DeadlineInterceptor() : undefined;
  guardControllers(discovery.getControllers(), { resolvePolicy, interceptor });
  if (faults.length > 0) throw new TimeoutsConfigurationError(faults);
}

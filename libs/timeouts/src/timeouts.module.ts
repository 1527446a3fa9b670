import type {
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  MiddlewareConsumer,
  NestModule,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleDestroy,
  OnModuleInit,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Inject, Logger, Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { Clock } from './core/clock.js';
import { openApplicationScope } from './core/current-scope.js';
import type { OutcomeListener } from './core/outcome.js';
import type { ScopeNode } from './core/scope-node.js';
import { isDebuggerAttached } from './inbound/debugger.js';
import { addFallbackFilter } from './inbound/fallback-filter.js';
import { FrontDoor } from './inbound/front-door.js';
import { findMessageHandlers, Messages } from './inbound/messages.js';
import { ProblemFilter } from './inbound/problem.filter.js';
import { protectHttp } from './inbound/protect-http.js';
import type { HttpProtection } from './inbound/protect-http.js';
import { Shedding } from './inbound/shedding.js';
import { TimeoutsMonitor } from './inbound/timeouts-monitor.js';
import { coverIntegrations } from './integrations.js';
import { formatBootTable } from './policy/boot-table.js';
import { checkBudgets } from './policy/budgets-check.js';
import { factsFromEnv, processEnvironment } from './policy/env.js';
import { defaultRoutePolicy } from './policy/route-policy.js';
import { unmatchedSkipPaths } from './policy/skip-paths.js';
import type { ResolvedOptions, TimeoutsOptions } from './policy/timeouts-options.js';
import { resolveOptions } from './policy/timeouts-options.js';
import { DrainService } from './shutdown/drain.service.js';
import { drainBeforeClose } from './shutdown/drained-server.js';

/** Options of {@link TimeoutsModule}: the limits, and who hears of outcomes. */
export interface TimeoutsModuleOptions extends TimeoutsOptions {
  /** Hear of every ending. Default none. */
  readonly listeners?: readonly OutcomeListener[];
  /** The time that limits are measured by. Default: the process's monotonic clock. */
  readonly clock?: Clock;
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TimeoutsModuleOptions>({ moduleName: 'Timeouts' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createTimeoutsOptions')
    .build();

/** What one application has, however often the module is imported: the first import makes it. */
interface TimeoutsCore {
  readonly options: ResolvedOptions;
  readonly root: ScopeNode;
  readonly monitor: TimeoutsMonitor;
  readonly door: FrontDoor;
  readonly drain: DrainService;
}

const TIMEOUTS_CORE = Symbol('nestjs-timeouts.core');

const cores = new WeakMap<ModulesContainer, TimeoutsCore>();

function coreOf(
  modules: ModulesContainer,
  given: TimeoutsModuleOptions,
  host: HttpAdapterHost,
): TimeoutsCore {
  const options = resolveOptions(limitsIn(given), processEnvironment());
  let core = cores.get(modules);
  if (!core) cores.set(modules, (core = openCore(options, given, modules, host)));
  return core;
}

function openCore(
  options: ResolvedOptions,
  { listeners, clock }: TimeoutsModuleOptions,
  modules: ModulesContainer,
  host: HttpAdapterHost,
): TimeoutsCore {
  const handlers = findMessageHandlers(modules, options);
  addFallbackFilter(modules, new ProblemFilter());
  const isSuspended = options.suspendWhileDebugging ? isDebuggerAttached : undefined;
  const policy = defaultRoutePolicy(options);
  const root = openApplicationScope({ clock, listeners, isSuspended, policy });
  const shedding = Shedding.of(options.shedding, root);
  const monitor = new TimeoutsMonitor(root, shedding);
  const door = new FrontDoor(root.tree, shedding);
  const drain = new DrainService(root, options.shutdown);
  // With an HTTP adapter, Nest waits for the drain before it closes any transport.
  const drainFirst = () => (host.httpAdapter ? undefined : drain.close());
  const messages = new Messages(root, handlers, { modules, options, drainFirst });
  drain.endConnections = () => messages.endConnections();
  return { options, root, monitor, door, drain };
}

/** What is no object at all is for `resolveOptions` to refuse. */
function limitsIn(given: TimeoutsModuleOptions): TimeoutsOptions {
  if (typeof given !== 'object' || given === null) return given;
  const { listeners: _, clock: __, ...limits } = given;
  return limits;
}

/** Implemented by classes given as `useClass` or `useExisting` to {@link TimeoutsModule.forRootAsync}. */
export interface TimeoutsOptionsFactory {
  createTimeoutsOptions(): TimeoutsModuleOptions | Promise<TimeoutsModuleOptions>;
}

/**
 * Gives every request of the application one deadline, and ends what is done on its behalf when it
 * passes, when the client leaves or when the application goes down. Import it once, in the root
 * module; it is global. Bad options stop the application from starting, with every fault listed.
 *
 * @example
 * @Module({ imports: [TimeoutsModule.forRoot()] })
 * export class AppModule {}
 */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [
    {
      provide: TIMEOUTS_CORE,
      inject: [ModulesContainer, MODULE_OPTIONS_TOKEN, HttpAdapterHost],
      useFactory: coreOf,
    },
    {
      provide: TimeoutsMonitor,
      inject: [TIMEOUTS_CORE],
      useFactory: ({ monitor }: TimeoutsCore) => monitor,
    },
    {
      provide: DrainService,
      inject: [TIMEOUTS_CORE],
      useFactory: ({ drain }: TimeoutsCore) => drain,
    },
    {
      provide: FrontDoor,
      inject: [TIMEOUTS_CORE],
      useFactory: ({ door }: TimeoutsCore) => door,
    },
  ],
  exports: [TimeoutsMonitor, DrainService, FrontDoor],
})
export class TimeoutsModule
  extends ConfigurableModuleClass
  implements
    NestModule,
    OnModuleInit,
    OnApplicationBootstrap,
    OnModuleDestroy,
    OnApplicationShutdown
{
  readonly #logger = new Logger('Timeouts');
  #http: HttpProtection | undefined;

  constructor(
    @Inject(TIMEOUTS_CORE) private readonly core: TimeoutsCore,
    @Inject(HttpAdapterHost) private readonly host: HttpAdapterHost,
    @Inject(DiscoveryService) private readonly discovery: DiscoveryService,
    @Inject(ModulesContainer) private readonly modules: ModulesContainer,
  ) {
    super();
    if (!host.httpAdapter) this.#goDownFirst();
  }

  /** With these options, over environment variables and the defaults of the profile. */
  static override forRoot(options: TimeoutsModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** With options made by `useFactory`, `useClass` or `useExisting`. */
  static override forRootAsync(
    options: ConfigurableModuleAsyncOptions<TimeoutsModuleOptions, 'createTimeoutsOptions'>,
  ): DynamicModule {
    return super.forRootAsync(options);
  }

  /** The earliest point at which the HTTP server exists, and no route does. */
  configure(_consumer: MiddlewareConsumer): void {
    const { httpAdapter } = this.host;
    if (!httpAdapter) return;
    const { discovery } = this;
    const { options, root, door } = this.core;
    this.#http = protectHttp({ httpAdapter, options, root, door, discovery });
    if (this.#http) {
      drainBeforeClose(httpAdapter, () => this.core.drain.close());
    } else {
      this.#logger.warn('TimeoutsModule is imported twice; the options of the first import hold');
    }
  }

  /** All providers are there, and nothing was done on anybody's behalf yet. */
  async onModuleInit(): Promise<void> {
    if (this.host.httpAdapter && !this.#http) return;
    await coverIntegrations(this.discovery, this.core.monitor, this.#logger);
  }

  onApplicationBootstrap(): void {
    if (this.host.httpAdapter && !this.#http) return;
    const { options, drain, door } = this.core;
    drain.watch(this.#http?.server);
    door.shedding?.start();
    this.#logger.log(`Limits in force\n${formatBootTable(options)}`);
    const facts = factsFromEnv(processEnvironment());
    const keepAliveMs = this.#http?.server.keepAliveTimeout;
    const findings = checkBudgets(options, { ...facts, keepAliveMs });
    for (const finding of findings) this.#logger.warn(finding);
    const paths = this.#http?.routes.map(({ path }) => path) ?? [];
    for (const path of unmatchedSkipPaths(options.skipPaths, paths)) {
      this.#logger.warn(`skipPaths: ${path} matches no route; remove it or correct its spelling`);
    }
  }

  /** Without an HTTP adapter there is nothing that Nest waits for before its hooks. */
  async onModuleDestroy(): Promise<void> {
    if (!this.host.httpAdapter) await this.core.drain.close();
  }

  onApplicationShutdown(): void {
    this.core.door.shedding?.stop();
  }

  /** Nest takes modules down in the order of their distance from the root, global ones last. */
  #goDownFirst(): void {
    for (const module of this.modules.values()) {
      if (module.metatype === TimeoutsModule) module.distance = -1;
    }
  }
}

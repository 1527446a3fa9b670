import type {
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  MiddlewareConsumer,
  NestModule,
  OnApplicationBootstrap,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Global, Inject, Logger, Module } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService, HttpAdapterHost, ModulesContainer } from '@nestjs/core';
import type { Clock } from './core/clock.js';
import { openApplicationScope } from './core/current-scope.js';
import type { OutcomeListener } from './core/outcome.js';
import type { ScopeNode } from './core/scope-node.js';
import { isDebuggerAttached } from './inbound/debugger.js';
import { protectHttp } from './inbound/protect-http.js';
import type { HttpProtection } from './inbound/protect-http.js';
import { TimeoutsMonitor } from './inbound/timeouts-monitor.js';
import { formatBootTable } from './policy/boot-table.js';
import { checkBudgets } from './policy/budgets-check.js';
import { factsFromEnv, processEnvironment } from './policy/env.js';
import { defaultRoutePolicy } from './policy/route-policy.js';
import { unmatchedSkipPaths } from './policy/skip-paths.js';
import type { ResolvedOptions, TimeoutsOptions } from './policy/timeouts-options.js';
import { resolveOptions } from './policy/timeouts-options.js';
import { DrainService } from './shutdown/drain.service.js';

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
  readonly drain: DrainService;
}

const TIMEOUTS_CORE = Symbol('nestjs-timeouts.core');

const cores = new WeakMap<ModulesContainer, TimeoutsCore>();

function coreOf(modules: ModulesContainer, given: TimeoutsModuleOptions): TimeoutsCore {
  const options = resolveOptions(limitsIn(given), processEnvironment());
  let core = cores.get(modules);
  if (!core) cores.set(modules, (core = openCore(options, given)));
  return core;
}

function openCore(
  options: ResolvedOptions,
  { listeners, clock }: TimeoutsModuleOptions,
): TimeoutsCore {
  const isSuspended = options.suspendWhileDebugging ? isDebuggerAttached : undefined;
  const policy = defaultRoutePolicy(options);
  const root = openApplicationScope({ clock, listeners, isSuspended, policy });
  const monitor = new TimeoutsMonitor(root);
  return { options, root, monitor, drain: new DrainService(root, options.shutdown.graceMs) };
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
      inject: [ModulesContainer, MODULE_OPTIONS_TOKEN],
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
  ],
  exports: [TimeoutsMonitor, DrainService],
})
export class TimeoutsModule
  extends ConfigurableModuleClass
  implements NestModule, OnApplicationBootstrap
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
    const { discovery, modules } = this;
    const { options, root } = this.core;
    this.#http = protectHttp({ httpAdapter, options, root, discovery, modules });
    if (!this.#http) {
      this.#logger.warn('TimeoutsModule is imported twice; the options of the first import hold');
    }
  }

  onApplicationBootstrap(): void {
    if (this.host.httpAdapter && !this.#http) return;
    const { options } = this.core;
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
}

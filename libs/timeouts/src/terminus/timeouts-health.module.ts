import type {
  ConfigurableModuleAsyncOptions,
  DynamicModule,
  OnApplicationBootstrap,
  OnApplicationShutdown,
  OnModuleInit,
} from '@nestjs/common';
import { ConfigurableModuleBuilder, Inject, Module } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import type { Probe } from '../inbound/front-door.js';
import { FrontDoor } from '../inbound/front-door.js';
import { TimeoutsMonitor } from '../inbound/timeouts-monitor.js';
import { TimeoutsConfigurationError } from '../policy/configuration-error.js';
import { DrainHealthIndicator } from './drain.health.js';
import type { TimeoutsHealthModuleOptions } from './health-options.js';
import { Probes } from './probes.js';
import type { ResolvedHealth } from './resolved-health.js';
import { resolveHealth } from './resolved-health.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<TimeoutsHealthModuleOptions>({ moduleName: 'TimeoutsHealth' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createTimeoutsHealthOptions')
    .build();

/**
 * Implemented by classes given as `useClass` or `useExisting` to
 * {@link TimeoutsHealthModule.forRootAsync}.
 */
export interface TimeoutsHealthOptionsFactory {
  createTimeoutsHealthOptions(): TimeoutsHealthModuleOptions | Promise<TimeoutsHealthModuleOptions>;
}

/**
 * Answers the probes of an orchestrator, in the words of Terminus: `/_ops/live`, `/_ops/ready` and
 * `/_ops/startup`. Import it beside `TimeoutsModule`. The answers are given before anything else hears
 * of the request, so neither prefix, versioning, middleware, guards, deadlines, shedding nor access
 * logs apply to them. Not being ready is logged once when it begins and once when it ends.
 *
 * @example
 * @Module({
 *   imports: [
 *     TimeoutsModule.forRoot(),
 *     TimeoutsHealthModule.forRootAsync({
 *       imports: [TerminusModule],
 *       inject: [TypeOrmHealthIndicator],
 *       useFactory: (database: TypeOrmHealthIndicator) => ({
 *         checks: { database: () => database.pingCheck('database') },
 *       }),
 *     }),
 *   ],
 * })
 * export class AppModule {}
 */
@Module({
  // A probe that fails is an answer, not an error worth a log line each time.
  imports: [TerminusModule.forRoot({ logger: false })],
  providers: [DrainHealthIndicator],
  exports: [DrainHealthIndicator],
})
export class TimeoutsHealthModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown
{
  readonly #door: FrontDoor;
  readonly #probes: Probes;
  readonly #paths: ResolvedHealth['paths'];

  constructor(
    @Inject(MODULE_OPTIONS_TOKEN) options: TimeoutsHealthModuleOptions,
    @Inject(FrontDoor) door: FrontDoor,
    @Inject(TimeoutsMonitor) monitor: TimeoutsMonitor,
    @Inject(HealthCheckService) health: HealthCheckService,
    @Inject(DrainHealthIndicator) drain: DrainHealthIndicator,
  ) {
    super();
    const settings = resolveHealth(options);
    this.#door = door;
    this.#paths = settings.paths;
    this.#probes = new Probes(settings, { clock: door.tree.clock, monitor, health, drain });
  }

  /** With these options, over the defaults. */
  static override forRoot(options: TimeoutsHealthModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** With options made by `useFactory`, `useClass` or `useExisting`. */
  static override forRootAsync(
    options: ConfigurableModuleAsyncOptions<
      TimeoutsHealthModuleOptions,
      'createTimeoutsHealthOptions'
    >,
  ): DynamicModule {
    return super.forRootAsync(options);
  }

  /** @throws TimeoutsConfigurationError when another import of the module has one of the paths. */
  onModuleInit(): void {
    const { live, ready, startup } = this.#paths;
    const probes: readonly (readonly [path: string, probe: Probe])[] = [
      [live, () => this.#probes.live()],
      [ready, () => this.#probes.ready()],
      [startup, () => this.#probes.startup()],
    ];
    const faults = probes
      .filter(([path, probe]) => !this.#door.addProbe(path, probe))
      .map(([path]) => `TimeoutsHealthModule is imported twice with a probe at ${path}`);
    if (faults.length > 0) throw new TimeoutsConfigurationError(faults);
  }

  onApplicationBootstrap(): void {
    this.#probes.start();
  }

  onApplicationShutdown(): void {
    this.#probes.stop();
  }
}

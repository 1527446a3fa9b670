import { Inject, Injectable } from '@nestjs/common';
import type { HealthIndicatorResult, HealthIndicatorStatus } from '@nestjs/terminus';
import { DrainService } from '../shutdown/drain.service.js';

/**
 * A Terminus indicator for health controllers of your own: up while the application serves, down from
 * the moment it begins to drain, each with its `state`. Needs `TimeoutsModule`; it waits for nothing.
 *
 * @example
 * @Get('ready')
 * @HealthCheck()
 * ready() {
 *   return this.health.check([() => this.drain.isHealthy(), () => this.database.pingCheck('database')]);
 * }
 */
@Injectable()
export class DrainHealthIndicator {
  readonly #drain: DrainService;

  constructor(@Inject(DrainService) drain: DrainService) {
    this.#drain = drain;
  }

  /** @param key what it is called in the answer. Default `drain`. */
  isHealthy<Key extends string = 'drain'>(key: Key = 'drain' as Key): HealthIndicatorResult<Key> {
    const { state } = this.#drain;
    const status: HealthIndicatorStatus = state === 'running' ? 'up' : 'down';
    const result: HealthIndicatorResult = { [key]: { status, state } };
    return result as HealthIndicatorResult<Key>;
  }
}

import { Controller, Get, Header } from '@nestjs/common';
import { CurrentScope, DrainService, SkipTimeout, TimeoutsMonitor } from 'nestjs-timeouts';
import type { DrainState, Scope, TimeoutsSnapshot } from 'nestjs-timeouts';
import { PoolGauge } from './pool-gauge.js';
import { ProcessGauge } from './process-gauge.js';
import type { ProcessUse } from './process-gauge.js';

interface TimeoutsPage extends Omit<TimeoutsSnapshot, 'pools'> {
  readonly pool: ReturnType<PoolGauge['read']>;
  readonly drain: { readonly state: DrainState };
  readonly process: ProcessUse;
}

@Controller('_ops')
@SkipTimeout()
export class TimeoutsController {
  constructor(
    private readonly monitor: TimeoutsMonitor,
    private readonly pool: PoolGauge,
    private readonly drain: DrainService,
    private readonly process: ProcessGauge,
  ) {}

  @Get('timeouts')
  @Header('Cache-Control', 'no-store')
  timeouts(@CurrentScope() own: Scope): TimeoutsPage {
    const { pools: _, ...snapshot } = this.monitor.snapshot(own);
    return {
      ...snapshot,
      pool: this.pool.read(),
      drain: { state: this.drain.state },
      process: this.process.read(),
    };
  }
}

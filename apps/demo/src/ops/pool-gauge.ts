import { Injectable } from '@nestjs/common';
import { TimeoutsMonitor } from 'nestjs-timeouts';
import type { PoolUse } from 'nestjs-timeouts';

/** The connections to PostgreSQL. */
@Injectable()
export class PoolGauge {
  constructor(private readonly monitor: TimeoutsMonitor) {}

  read(): Omit<PoolUse, 'name'> {
    const { pools } = this.monitor.snapshot();
    const { name: _, ...use } = pools.find(({ name }) => name === 'default')!;
    return use;
  }
}

import type { Pool } from 'pg';
import type { DataSource } from 'typeorm';
import { isDeadlinePool, makesDeadlinePools } from './deadline-pool.js';

/** The part of TypeORM's PostgreSQL driver that knows its pools; without any until it connects. */
interface PooledDriver {
  readonly master?: Pool;
  readonly slaves?: readonly Pool[];
}

export function poolsOf({ driver }: DataSource): readonly Pool[] {
  const { master, slaves = [] } = driver as PooledDriver;
  return master ? [master, ...slaves] : slaves;
}

/** Whether the pools of `dataSource` have deadlines, or will have them once it is initialized. */
export function hasEngine({ driver, options }: DataSource): boolean {
  const { master } = driver as PooledDriver;
  return master
    ? isDeadlinePool(master)
    : makesDeadlinePools((options as { driver?: unknown }).driver);
}

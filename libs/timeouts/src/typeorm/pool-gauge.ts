import type { Pool } from 'pg';
import type { PoolUse } from '../inbound/pool-use.js';
import { isDeadlinePool } from './deadline-pool.js';
import type { PoolStats } from './pool-stats.js';
import { emptyPoolStats } from './pool-stats.js';

/** The use of the pools of one data source, all together. */
export function usesOf(name: string, pools: readonly Pool[]): PoolUse {
  const sum = (count: (pool: Pool) => number) =>
    pools.reduce((total, pool) => total + count(pool), 0);
  const { waiting, waitedMs, ...stats } = statsOf(pools);
  return {
    name,
    total: sum((pool) => pool.totalCount),
    idle: sum((pool) => pool.idleCount),
    // Those who wait for a pool with deadlines are not in its own queue.
    waiting: sum((pool) => (isDeadlinePool(pool) ? 0 : pool.waitingCount)) + waiting,
    waitedMs: Math.round(waitedMs),
    ...stats,
  };
}

function statsOf(pools: readonly Pool[]): PoolStats {
  const total = emptyPoolStats();
  for (const { stats } of pools.filter(isDeadlinePool)) {
    for (const key of Object.keys(total) as (keyof PoolStats)[]) total[key] += stats[key];
  }
  return total;
}

import type { Clock } from '../core/clock.js';
import type { PoolUse } from '../inbound/pool-use.js';

const WINDOW_MS = 1_000;

/** How it stands with database connections. */
export interface PoolReading {
  /** Callers that wait at this moment. */
  readonly waiting: number;
  /** How long callers waited in the last window; of several pools, the slowest. */
  readonly waitMs: number;
}

/** Turns what pools have counted since they were made into what they are like now. */
export class PoolWait {
  #before = new Map<string, PoolUse>();
  #readAt = -Infinity;
  #waitMs = 0;

  constructor(
    readonly readPools: () => readonly PoolUse[],
    readonly clock: Clock,
  ) {}

  read(): PoolReading {
    const pools = this.readPools();
    const now = this.clock.now();
    const elapsedMs = now - this.#readAt;
    if (elapsedMs >= WINDOW_MS) {
      this.#waitMs = Math.max(0, ...pools.map((pool) => this.#waitOf(pool, elapsedMs)));
      this.#before = new Map(pools.map((pool) => [pool.name, pool]));
      this.#readAt = now;
    }
    return { waiting: pools.reduce((sum, pool) => sum + pool.waiting, 0), waitMs: this.#waitMs };
  }

  #waitOf(pool: PoolUse, elapsedMs: number): number {
    const before = this.#before.get(pool.name);
    // A pool without deadlines counts nobody.
    if (!before || pool.waits === 0) return 0;
    const waitedMs = pool.waitedMs - before.waitedMs;
    if (waitedMs > 0) return waitedMs / Math.max(1, servedBy(pool) - servedBy(before));
    // Some have waited all the while, and nobody was served.
    return before.waiting > 0 && pool.waiting > 0 ? elapsedMs : 0;
  }
}

/** Those who had to wait and got a connection. */
function servedBy({ waits, abandoned, waiting }: PoolUse): number {
  return waits - abandoned - waiting;
}

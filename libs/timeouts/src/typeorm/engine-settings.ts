import type { Duration } from '../core/duration.js';
import { InvalidDurationError, parseDuration } from '../core/duration.js';

/** What {@link withDeadlines} may be told. Everything has a default that suits most applications. */
export interface DatabaseSettings {
  /**
   * How long a statement waits for a lock; then PostgreSQL refuses it with `55P03`, which is
   * answered with 503. Default: the server's own `lock_timeout`.
   */
  readonly lock?: Duration;
  /**
   * How long to wait for a connection of the pool where the budget leaves more; then a
   * `PoolWaitTimeoutError`, which is answered with 503. Default: the budget alone.
   */
  readonly poolWait?: Duration;
  /**
   * How long a cancelled query may take to end before its connection is destroyed. Default 1 s.
   */
  readonly cancelGrace?: Duration;
  /** How many cancel requests are under way at once, per pool; each is a connection. Default 10. */
  readonly maxCancels?: number;
}

export interface EngineSettings {
  readonly lockMs: number;
  readonly poolWaitMs: number;
  readonly cancelGraceMs: number;
  readonly maxCancels: number;
}

export function readSettings(settings: DatabaseSettings): EngineSettings {
  const { lock = Infinity, poolWait = Infinity, cancelGrace = 1_000, maxCancels = 10 } = settings;
  if (!Number.isInteger(maxCancels) || maxCancels < 1) {
    throw new InvalidDurationError(
      'withDeadlines maxCancels',
      maxCancels,
      'a whole number above 0',
    );
  }
  return {
    lockMs: parseDuration(lock, 'withDeadlines lock'),
    poolWaitMs: parseDuration(poolWait, 'withDeadlines poolWait'),
    cancelGraceMs: parseDuration(cancelGrace, 'withDeadlines cancelGrace'),
    maxCancels,
  };
}

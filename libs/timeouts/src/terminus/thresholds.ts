import type { HealthIndicatorResult } from '@nestjs/terminus';
import { LoopDelay } from '../inbound/loop-delay.js';
import type { PoolWait } from './pool-wait.js';
import type { ThresholdLimits } from './resolved-health.js';

const WINDOW_MS = 2_000;

/** Measures of the process that may grow until it had better be left alone for a while. */
export class Thresholds {
  readonly #limits: ThresholdLimits;
  readonly #delay = new LoopDelay(WINDOW_MS);
  readonly #pool: PoolWait;
  readonly #looks: (() => HealthIndicatorResult)[] = [];

  constructor(limits: ThresholdLimits, pool: PoolWait) {
    const { rssBytes, heapBytes, loopDelayMs, poolWaitMs, poolWaiting } = limits;
    this.#limits = limits;
    this.#pool = pool;
    if (Math.min(rssBytes, heapBytes) < Infinity) this.#looks.push(() => this.#memory());
    if (loopDelayMs < Infinity) this.#looks.push(() => this.#eventLoop());
    if (Math.min(poolWaitMs, poolWaiting) < Infinity) this.#looks.push(() => this.#database());
  }

  /** One for each measure that has a threshold. */
  get indicators(): readonly (() => HealthIndicatorResult)[] {
    return this.#looks;
  }

  start(): void {
    if (this.#limits.loopDelayMs < Infinity) this.#delay.start();
  }

  stop(): void {
    this.#delay.stop();
  }

  #memory(): HealthIndicatorResult {
    const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
    const isDown = rssBytes > this.#limits.rssBytes || heapBytes > this.#limits.heapBytes;
    return { memory: { status: statusOf(isDown), rssBytes, heapBytes } };
  }

  #eventLoop(): HealthIndicatorResult {
    const isDown = this.#delay.ms > this.#limits.loopDelayMs;
    return { eventLoop: { status: statusOf(isDown), delayMs: Math.round(this.#delay.ms) } };
  }

  #database(): HealthIndicatorResult {
    const { waiting, waitMs } = this.#pool.read();
    const isDown = waitMs > this.#limits.poolWaitMs || waiting > this.#limits.poolWaiting;
    return { pool: { status: statusOf(isDown), waiting, waitMs: Math.round(waitMs) } };
  }
}

function statusOf(isDown: boolean): 'up' | 'down' {
  return isDown ? 'down' : 'up';
}

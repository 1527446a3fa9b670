import type { HealthIndicatorResult } from '@nestjs/terminus';
import { openScope } from '../core/current-scope.js';
import { runScoped } from '../core/run-scoped.js';
import type { ScopeNode } from '../core/scope-node.js';
import { isPlainObject } from '../policy/value-kinds.js';
import type { CheckSettings } from './resolved-health.js';

/** A check that is run once at a time, however many ask, and never keeps them beyond its timeout. */
export class SingleCheck {
  #result: Promise<HealthIndicatorResult> | undefined;
  #isRunning = false;
  #freshUntil = -Infinity;

  constructor(
    readonly settings: CheckSettings,
    /** Not the application's: what runs for probes is not in flight, and a drain does not wait for it. */
    readonly root: ScopeNode,
  ) {}

  /** Never rejects. */
  result(): Promise<HealthIndicatorResult> {
    const isFresh = this.#isRunning || this.root.tree.clock.now() < this.#freshUntil;
    // One that ignored its timeout is not over; another beside it would make things worse.
    if (this.#result && isFresh) return this.#result;
    return (this.#result = this.#run());
  }

  async #run(): Promise<HealthIndicatorResult> {
    const { name, check, timeoutMs, cacheForMs } = this.settings;
    const { clock } = this.root.tree;
    const scope = openScope(this.root, 'block', name, timeoutMs);
    const startedAt = clock.now();
    const responseTime = () => Math.round(clock.now() - startedAt);
    try {
      const given = await runScoped(scope, async ({ signal }) => {
        this.#isRunning = true;
        try {
          return await check({ signal });
        } finally {
          this.#isRunning = false;
          if (!scope.cancellation) this.#freshUntil = clock.now() + cacheForMs;
        }
      });
      if (isResult(given)) return given;
      if (given !== false) return { [name]: { status: 'up', responseTime: responseTime() } };
      return { [name]: { status: 'down', responseTime: responseTime() } };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { [name]: { status: 'down', message, responseTime: responseTime() } };
    }
  }
}

const STATUSES = new Set<unknown>(['up', 'degraded', 'down']);

/** Whether `given` is what the indicators of Terminus give. */
function isResult(given: unknown): given is HealthIndicatorResult {
  if (!isPlainObject(given)) return false;
  const indicators = Object.values(given);
  return (
    indicators.length > 0 &&
    indicators.every((value) => isPlainObject(value) && STATUSES.has(value['status']))
  );
}

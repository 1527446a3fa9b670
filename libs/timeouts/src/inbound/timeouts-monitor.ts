import type { CancelReason, Layer } from '../core/errors.js';
import type { LateWork, Outcome, OutcomeListener } from '../core/outcome.js';
import { LATE_AFTER_MS } from '../core/run-scoped.js';
import type { Scope } from '../core/scope.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { PoolUse } from './pool-use.js';
import type { Shedding } from './shedding.js';

/** A request or task that has not ended. Times are in milliseconds. */
export interface InFlightScope {
  readonly route: string;
  readonly ageMs: number;
  /** `null` without a limit, 0 once cancelled. */
  readonly budgetMs: number | null;
}

/** How often a layer ended the work of a route, and why. */
export interface CancelCount {
  readonly layer: Layer;
  readonly reason: CancelReason;
  readonly route: string;
  readonly count: number;
}

/** Work that went on after its cancel. */
export interface LateTotals {
  /** Pieces of late work that have stopped. */
  readonly count: number;
  /** Pieces that are running now. */
  readonly running: number;
  /** Milliseconds they ran over in all. */
  readonly overrunMs: number;
}

/** What {@link TimeoutsMonitor.snapshot} gives. */
export interface TimeoutsSnapshot {
  readonly inFlight: readonly InFlightScope[];
  readonly counters: readonly CancelCount[];
  readonly late: LateTotals;
  /** One for each PostgreSQL data source. */
  readonly pools: readonly PoolUse[];
  /** Requests that were turned away; there where `shedding` has a threshold. */
  readonly shed?: number;
}

/**
 * Looks at what is in flight and at database pools, and counts cancels, limits that were reached and
 * late work by layer, reason and route.
 *
 * @example
 * constructor(private readonly monitor: TimeoutsMonitor) {}
 *
 * @Get('timeouts')
 * timeouts() {
 *   return this.monitor.snapshot();
 * }
 */
export class TimeoutsMonitor implements OutcomeListener {
  readonly cancelsOnly = true;
  readonly #root: ScopeNode;
  readonly #counters = new Map<string, CancelCount>();
  readonly #pools: (() => PoolUse)[] = [];
  readonly #shedding: Shedding | undefined;
  #lateCount = 0;
  #overrunMs = 0;

  /** @internal */
  constructor(root: ScopeNode, shedding?: Shedding) {
    this.#root = root;
    this.#shedding = shedding;
    root.tree.listen(this);
  }

  /** @internal */
  watchPool(read: () => PoolUse): void {
    this.#pools.push(read);
  }

  /** @internal */
  readPools(): PoolUse[] {
    return this.#pools.map((read) => read());
  }

  onOutcome({ kind, name: route, layer, result }: Outcome): void {
    if (kind === 'application') return;
    const key = `${layer} ${result} ${route}`;
    const count = (this.#counters.get(key)?.count ?? 0) + 1;
    this.#counters.set(key, { layer, reason: result as CancelReason, route, count });
  }

  onLate({ overrunMs }: LateWork): void {
    this.#lateCount++;
    this.#overrunMs += overrunMs;
  }

  /** The state of this moment. `except` leaves a scope out, such as the one of the request that asks. */
  snapshot(except?: Scope): TimeoutsSnapshot {
    const now = this.#root.tree.clock.now();
    const open = [...this.#root.children].filter((scope) => scope !== except);
    const running = open.filter(({ cancellation }) => {
      return cancellation && now - cancellation.at > LATE_AFTER_MS;
    });
    return {
      inFlight: open.map((scope) => describe(scope, now)),
      counters: [...this.#counters.values()],
      late: {
        count: this.#lateCount,
        running: running.length,
        overrunMs: Math.round(this.#overrunMs),
      },
      pools: this.readPools(),
      ...(this.#shedding && { shed: this.#shedding.count }),
    };
  }
}

function describe(scope: ScopeNode, now: number): InFlightScope {
  const budgetMs = scope.budgetMs();
  return {
    route: scope.name,
    ageMs: Math.round(now - scope.startedAt),
    budgetMs: budgetMs === Infinity ? null : Math.floor(budgetMs),
  };
}

import type { Duration } from './duration.js';
import type { CancelledError, CancelReason, Layer } from './errors.js';
import type { ScopeKind } from './outcome.js';

/** Releases something when a scope ends. */
export type Cleanup = () => unknown;

/**
 * A node of the cancellation tree: a request, a block, a task. Cancelling it cancels everything
 * below it. Its deadline is the earlier of its own and its parent's.
 *
 * @example
 * const scope = currentScope();
 * await client.query({ sql, signal: scope.signal, timeoutMs: scope.budgetMs() });
 */
export interface Scope {
  readonly kind: ScopeKind;
  /** A route such as `GET /v1/orders`, or the name of a block or task. */
  readonly name: string;
  /** The layer whose limit this scope is held to. */
  readonly layer: Layer;
  /** When the scope opened, in milliseconds of the monotonic clock. */
  readonly startedAt: number;
  /** The scope's own limit in milliseconds, counted from its start; `Infinity` for none. */
  readonly timeoutMs: number;
  /**
   * The instant this scope is cancelled: the earliest deadline of the scope and of those around it,
   * in milliseconds of `performance.now()`; `Infinity` for none.
   */
  readonly deadline: number;
  /** Why the scope was cancelled; undefined while it was not. */
  readonly reason: CancelReason | undefined;
  /** The error that cancelled work is rejected with; undefined while the scope is not cancelled. */
  readonly error: CancelledError | undefined;
  /**
   * Aborts when this scope is cancelled, with the {@link CancelledError} as its reason. Hand it to
   * whatever takes an `AbortSignal`; any number of listeners is fine. Made on first use.
   */
  readonly signal: AbortSignal;

  /** Milliseconds until the deadline: 0 once it passed or the scope was cancelled, `Infinity` without one. */
  budgetMs(): number;

  /** Throws the scope's {@link CancelledError} if it was cancelled, or if its deadline has passed. */
  throwIfCancelled(): void;

  /**
   * Cancels the scope and everything below it; `reason` is `'explicit'` by default. The first reason
   * wins. The scope of an application is cancelled by shutdown alone.
   * @returns false when the scope was cancelled or has ended already.
   */
  cancel(reason?: CancelReason, message?: string): boolean;

  /**
   * Moves the deadline to `duration` from now. It never outlasts the deadline of a scope around
   * this one.
   * @returns false, changing nothing, when the scope has ended or its deadline has passed.
   */
  setDeadline(duration: Duration): boolean;

  /**
   * Grants `duration` more than what is left. Without a deadline there is nothing to extend; the
   * deadline of a scope around this one still holds.
   * @returns false, changing nothing, when the scope has ended or its deadline has passed.
   */
  extend(duration: Duration): boolean;

  /**
   * Lifts the scope's own deadline; the one of a scope around it still holds.
   * @returns false, changing nothing, when the scope has ended or its deadline has passed.
   */
  clearDeadline(): boolean;

  /**
   * Runs `cleanup` when the scope ends, however it ends: last in, first out, once each, awaited,
   * with a second in all and free of the scope's own cancellation. A scope that has ended already
   * runs it at once. What it throws is reported in the outcome.
   *
   * @example
   * const lock = await locks.acquire(key);
   * currentScope().defer(() => lock.release());
   */
  defer(cleanup: Cleanup): void;
}

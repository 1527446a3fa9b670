import type { CancelReason, DeadlineExceededError, Layer } from './errors.js';
import type { ScopeNode } from './scope-node.js';

/** What a scope stands for. */
export type ScopeKind = 'application' | 'request' | 'message' | 'block' | 'task' | 'cleanup';

/**
 * How a scope ended. Every scope ends once and gives one outcome; durations are milliseconds.
 */
export interface Outcome {
  readonly kind: ScopeKind;
  /** A route such as `GET /v1/orders`, a pattern such as `rpc sum`, or the name of a block or task. */
  readonly name: string;
  /**
   * `completed`, `failed` (its own error), or why it was cancelled; `deadline` also where it failed
   * with the limit of one operation, such as an SQL statement.
   */
  readonly result: 'completed' | 'failed' | CancelReason;
  /** The limit that was reached; for scopes that were not cancelled, the layer they belong to. */
  readonly layer: Layer;
  readonly durationMs: number;
  /** What was left of the budget at the end: 0 after a deadline, `Infinity` without a limit. */
  readonly budgetMs: number;
  /** The limit in force, `Infinity` for none. */
  readonly timeoutMs: number;
  /** How long past its deadline a blocked event loop let the end be noticed; 0 otherwise. */
  readonly loopDelayMs: number;
  /** The work still ran when this outcome was given; `onLate` follows unless it stops within 25 ms. */
  readonly late: boolean;
  /** The HTTP status of a request: 499 when the client left before it was answered. */
  readonly status?: number;
  /** What the work failed with, or the cancellation. */
  readonly error?: unknown;
  /** Errors of `defer` cleanups. They never hide `error`. */
  readonly cleanupErrors: readonly unknown[];
}

/** Work that went on after its scope was cancelled, told when it finally stopped. */
export interface LateWork {
  readonly kind: ScopeKind;
  readonly name: string;
  readonly layer: Layer;
  readonly reason: CancelReason;
  /** Milliseconds from the cancellation until the work stopped. */
  readonly overrunMs: number;
  /** What the late work failed with, if it failed. Nobody else sees this error. */
  readonly error?: unknown;
}

/**
 * Hears of every ending, once. Metrics and logs are listeners; nothing flows back from them, and
 * one that throws is reported as a process warning and does not disturb the others.
 *
 * @example
 * const listener: OutcomeListener = {
 *   onOutcome: ({ name, result, durationMs }) => histogram.record(durationMs, { name, result }),
 * };
 * TimeoutsModule.forRoot({ listeners: [listener] });
 */
export interface OutcomeListener {
  /** Spares this listener the `completed` and `failed` endings; told to nobody, they cost nothing. */
  readonly cancelsOnly?: boolean;
  onOutcome(outcome: Outcome): void;
  onLate?(work: LateWork): void;
}

/** How the work of a scope ended, unless a cancellation says so already. */
export interface Ending {
  readonly failed?: boolean;
  readonly error?: unknown;
  /** The limit of one operation that the work failed with. */
  readonly limit?: DeadlineExceededError;
  readonly late?: boolean;
  readonly status?: number;
  readonly cleanupErrors?: readonly unknown[];
}

/** Whether the work was cancelled, and did not end by itself. */
export function isCancelOutcome({ result }: Outcome): boolean {
  return result !== 'completed' && result !== 'failed';
}

const NONE: readonly unknown[] = [];

export function outcomeOf(scope: ScopeNode, ending: Ending = {}): Outcome {
  const { cancellation, deadline } = scope;
  const { limit } = ending;
  const now = scope.tree.clock.now();
  return {
    kind: scope.kind,
    name: scope.name,
    result: (cancellation ?? limit)?.reason ?? (ending.failed ? 'failed' : 'completed'),
    layer: (cancellation ?? limit ?? scope).layer,
    durationMs: now - scope.startedAt,
    budgetMs: cancellation ? 0 : Math.max(0, deadline - now),
    timeoutMs: (cancellation ?? limit ?? scope).timeoutMs,
    loopDelayMs: cancellation?.loopDelayMs ?? 0,
    late: ending.late ?? false,
    status: ending.status,
    error: cancellation ? cancellation.error : (limit ?? ending.error),
    cleanupErrors: ending.cleanupErrors ?? NONE,
  };
}

/** Why a scope was cancelled. The first reason wins and never changes. */
export type CancelReason = 'deadline' | 'disconnect' | 'shutdown' | 'explicit';

/** Which limit it was. */
export type Layer =
  | 'headers'
  | 'body'
  | 'handler'
  | 'response'
  | 'outbound'
  | 'pool'
  | 'statement'
  | 'job'
  | 'webhook'
  | 'caller'
  | 'shutdown';

/** What a {@link CancelledError} tells. */
export interface CancelFacts {
  readonly code: string;
  readonly reason: CancelReason;
  readonly layer: Layer;
  readonly scopeName: string;
  readonly timeoutMs: number;
  readonly elapsedMs: number;
  readonly message: string;
}

/** What a {@link DeadlineExceededError} tells besides, where it is the limit of one operation. */
export interface LimitFacts extends CancelFacts {
  readonly overloaded?: boolean;
  readonly cause?: unknown;
}

// Registered, so that errors of another copy of this package are recognised too.
const BRAND = Symbol.for('nestjs-timeouts.cancelled');

/**
 * Rejects work whose scope was cancelled, and is the `reason` of every `AbortSignal` of that scope.
 * It has no stack trace: it is made where a timer fired or a socket closed, not where the work is.
 *
 * @example
 * try {
 *   await fetch(url, { signal: currentScope().signal });
 * } catch (error) {
 *   if (isCancelled(error) && error.reason === 'disconnect') return; // nobody is waiting any more
 *   throw error;
 * }
 */
export class CancelledError extends Error {
  /** Stable identifier: `handler_timeout`, `client_disconnected`, `shutting_down`, `cancelled`, … */
  readonly code: string;
  /** Why the scope was cancelled. */
  readonly reason: CancelReason;
  /** The limit that was reached, or the layer the cancelled scope belongs to. */
  readonly layer: Layer;
  /** The scope that was cancelled: a route such as `GET /v1/orders`, or the name of a block or job. */
  readonly scopeName: string;
  /** The limit in milliseconds; `Infinity` when no limit was involved. */
  readonly timeoutMs: number;
  /** Milliseconds between the start of the scope, or of the operation, and its end. */
  readonly elapsedMs: number;

  /** @internal */
  constructor(facts: CancelFacts) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(facts.message);
    Error.stackTraceLimit = limit;
    this.code = facts.code;
    this.reason = facts.reason;
    this.layer = facts.layer;
    this.scopeName = facts.scopeName;
    this.timeoutMs = facts.timeoutMs;
    this.elapsedMs = facts.elapsedMs;
  }

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
    Object.defineProperty(this.prototype, 'name', { value: 'CancelledError', writable: true });
  }
}

/**
 * A {@link CancelledError} whose reason is a deadline: of the scope itself, of one around it, or of a
 * single operation, such as an SQL statement (`layer: 'statement'`). In the last case the scope goes
 * on, and `cause` is what the operation failed with.
 */
export class DeadlineExceededError extends CancelledError {
  /**
   * What was waited for is shared, and was taken longer than may be waited for it, while there was
   * budget left: another try may succeed. Answered with 503 and `Retry-After` in the place of 504.
   */
  declare readonly overloaded: boolean;

  /** @internal */
  constructor(facts: LimitFacts) {
    super(facts);
    if (facts.overloaded) define(this, 'overloaded', true);
    if (facts.cause !== undefined) define(this, 'cause', facts.cause);
  }

  static {
    define(this.prototype, 'overloaded', false);
    define(this.prototype, 'name', 'DeadlineExceededError');
  }
}

/**
 * Rejects work that waited too long for a connection of a database pool: longer than its budget, or
 * than the pool's own limit where that is shorter (`overloaded`). Nothing was sent to the database.
 *
 * @example
 * if (error instanceof PoolWaitTimeoutError && error.overloaded) metrics.poolTooSmall.add(1);
 */
export class PoolWaitTimeoutError extends DeadlineExceededError {
  static {
    define(this.prototype, 'name', 'PoolWaitTimeoutError');
  }
}

function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

/**
 * Whether `error` is a cancellation of this package. An `AbortError` or `TimeoutError` of somebody
 * else is not, nor is an error that merely carries one as its `cause`.
 *
 * @example
 * if (isCancelled(error)) logger.debug(`stopped: ${error.reason}`);
 */
export function isCancelled(error: unknown): error is CancelledError {
  return typeof error === 'object' && error !== null && BRAND in error;
}

import type { Cancellation } from './cancellation.js';

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
  /** Milliseconds between the scope's start and its cancellation. */
  readonly elapsedMs: number;

  constructor(cancellation: Cancellation) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(cancellation.message);
    Error.stackTraceLimit = limit;
    this.code = cancellation.code;
    this.reason = cancellation.reason;
    this.layer = cancellation.layer;
    this.scopeName = cancellation.scopeName;
    this.timeoutMs = cancellation.timeoutMs;
    this.elapsedMs = cancellation.elapsedMs;
  }

  static {
    Object.defineProperty(this.prototype, BRAND, { value: true });
    Object.defineProperty(this.prototype, 'name', { value: 'CancelledError', writable: true });
  }
}

/** A {@link CancelledError} whose reason is a deadline: of the scope itself or of one around it. */
export class DeadlineExceededError extends CancelledError {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'DeadlineExceededError',
      writable: true,
    });
  }
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

import { currentNode } from './current-scope.js';
import { withDeadline } from './combinators.js';
import type { ScopedWork } from './combinators.js';
import type { Duration } from './duration.js';
import { parseDuration } from './duration.js';
import { isCancelled } from './errors.js';
import { isTransient, retryAfterMs } from './transient.js';
import type { ScopeNode } from './scope-node.js';

/** Options of {@link retry}. */
export interface RetryOptions {
  /** Tries in all, the first included. Default 3. */
  readonly attempts?: number;
  /** Limit of one try; the last one is clipped to what is left of the budget. Default: the budget. */
  readonly timeout?: Duration;
  /** Upper bound of the first wait; doubles with every try. Waits are drawn from 0 to the bound. Default 100 ms. */
  readonly backoff?: Duration;
  /** The bound grows no further than this. Default 5 s. */
  readonly maxBackoff?: Duration;
  /** A try that would start with less budget than this is not made. Default 10 ms. */
  readonly minBudget?: Duration;
  /** Whether an error is worth another try. Default: timeouts of the try, network errors, 408, 425, 429, 502, 503 and 504. */
  readonly retryIf?: (error: unknown) => boolean;
}

/**
 * Tries `fn` again while its failures are transient and the budget allows: a try that cannot fit
 * after its wait is not started, a `Retry-After` beyond the budget gives up at once, and what is
 * thrown is the last real error. Waits have full jitter.
 *
 * @example
 * const quote = await retry(() => fetchQuote(symbol), { attempts: 4, timeout: '800ms' });
 */
export async function retry<T>(fn: ScopedWork<T>, options: RetryOptions = {}): Promise<T> {
  const { attempts = 3, timeout = Infinity, retryIf = isTransient } = options;
  if (!Number.isInteger(attempts) || attempts < 1) {
    throw new RangeError(`retry attempts: ${attempts} is not a whole number of at least 1`);
  }
  const scope = currentNode();
  const bounds = backoffBounds(options);
  const minBudgetMs = parseDuration(options.minBudget ?? 10, 'retry minBudget');
  for (let attempt = 1; ; attempt++) {
    try {
      return await withDeadline(timeout, fn, { name: fn.name || 'retry' });
    } catch (error) {
      if (scope.expireIfOverdue()) throw error;
      if (attempt >= attempts || !(ownTimeout(error) || retryIf(error))) throw error;
      const waitMs = Math.max(Math.random() * bounds(attempt), retryAfterMs(error) ?? 0);
      if (waitMs + minBudgetMs > scope.budgetMs()) throw error;
      await pause(scope, waitMs);
    }
  }
}

function backoffBounds(options: RetryOptions): (attempt: number) => number {
  const first = parseDuration(options.backoff ?? 100, 'retry backoff');
  const most = parseDuration(options.maxBackoff ?? '5s', 'retry maxBackoff');
  return (attempt) => Math.min(most, first * 2 ** (attempt - 1));
}

function ownTimeout(error: unknown): boolean {
  return isCancelled(error) && error.reason === 'deadline';
}

function pause(scope: ScopeNode, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const { clock } = scope.tree;
    const stopListening = scope.onCancel(() => {
      alarm.cancel();
      reject(scope.error);
    });
    const alarm = clock.at(clock.now() + ms, {
      ring: () => {
        stopListening();
        resolve();
      },
    });
  });
}

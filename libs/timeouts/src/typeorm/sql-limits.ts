import type { Blame } from '../core/blame.js';
import { formatDuration } from '../core/duration.js';
import type { LimitFacts } from '../core/errors.js';
import { DeadlineExceededError, PoolWaitTimeoutError } from '../core/errors.js';
import { noteLimit } from '../core/limit-errors.js';
import type { ScopeNode } from '../core/scope-node.js';

/** For a budget that is spent while its scope waits for a connection. */
export const POOL_WAIT: Blame = {
  layer: 'pool',
  message: (timeoutMs) => `No database connection was free within ${formatDuration(timeoutMs)}`,
};

/** How a limit was reached; times are in milliseconds. */
export interface ReachedSqlLimit {
  readonly scope: ScopeNode;
  readonly timeoutMs: number;
  /** How long the statement ran, or the connection was waited for. */
  readonly elapsedMs: number;
  /** What the driver says of it. */
  readonly cause?: unknown;
}

/** Another statement of the same scope may well be in time: the scope goes on. */
export function statementTimeout(reached: ReachedSqlLimit): DeadlineExceededError {
  const message = `Statement did not complete within ${formatDuration(reached.timeoutMs)}`;
  const facts = { ...factsOf(reached), code: 'statement_timeout', layer: 'statement', message };
  return noted(new DeadlineExceededError(facts as LimitFacts));
}

/** A limit of our own for locks, and not what was left of the budget. */
export function lockTimeout(reached: ReachedSqlLimit): DeadlineExceededError {
  const message = `Statement waited ${formatDuration(reached.timeoutMs)} for a lock`;
  const facts = { ...factsOf(reached), code: 'lock_timeout', layer: 'statement', message };
  return noted(new DeadlineExceededError({ ...facts, overloaded: true } as LimitFacts));
}

/** @param overloaded a cap shorter than the budget was reached. */
export function poolWaitTimeout(
  reached: ReachedSqlLimit,
  overloaded: boolean,
): PoolWaitTimeoutError {
  const { layer } = POOL_WAIT;
  const message = POOL_WAIT.message(reached.timeoutMs);
  const facts = { ...factsOf(reached), code: 'pool_timeout', layer, message, overloaded };
  return noted(new PoolWaitTimeoutError(facts as LimitFacts));
}

function factsOf({ scope, timeoutMs, elapsedMs, cause }: ReachedSqlLimit) {
  return { reason: 'deadline', scopeName: scope.name, timeoutMs, elapsedMs, cause };
}

/** TypeORM wraps what the driver rejects with, and so may the application. */
function noted<E extends DeadlineExceededError>(error: E): E {
  noteLimit(error, error);
  return error;
}

import type { DeadlineExceededError } from './errors.js';

const MAX_LINKS = 5;

interface Link {
  readonly cause?: unknown;
  /** Where TypeORM keeps what it wraps. */
  readonly driverError?: unknown;
  readonly getStatus?: unknown;
}

const limits = new WeakMap<object, DeadlineExceededError>();

/**
 * Notes that an operation failed with `error` because of a limit of ours. Codes and texts of errors
 * are shared by too many causes to tell; only whoever set the limit knows.
 */
export function noteLimit(error: object, limit: DeadlineExceededError): void {
  limits.set(error, limit);
}

/**
 * The limit that `error`, or an error it was made from, was noted for. An HTTP exception that was
 * made from one is an answer somebody chose, and stays that.
 */
export function limitBehind(error: unknown): DeadlineExceededError | undefined {
  let link = error;
  for (let links = 0; links <= MAX_LINKS; links++) {
    if (typeof link !== 'object' || link === null) return undefined;
    const limit = limits.get(link);
    if (limit) return withCause(limit, error);
    const { cause, driverError, getStatus }: Link = link;
    if (typeof getStatus === 'function') return undefined;
    link = driverError ?? cause;
  }
  return undefined;
}

/** What user code was thrown is known to those who ask, and not yet to those who note. */
function withCause(limit: DeadlineExceededError, thrown: unknown): DeadlineExceededError {
  if (thrown !== limit && limit.cause === undefined) limit.cause = thrown;
  return limit;
}

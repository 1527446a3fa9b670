import type { ExecutionContext } from '@nestjs/common';
import type { Duration } from '../core/duration.js';

/** Limits for reading a request's body. The answer to a body that is too slow is 408. */
export interface BodyOptions {
  /** Longest gap between two chunks. Default 15 s in production, 30 s in development. */
  readonly idle?: Duration;
  /** Lowest average rate in bytes per second, `'none'` for no minimum. Default 240. */
  readonly minRate?: number | 'none';
  /** How long a body may take before its rate counts. Default 5 s. */
  readonly grace?: Duration;
  /** Longest time for the whole body. Default none. */
  readonly total?: Duration;
}

/** Limits for a response that is a stream, once its first byte was sent. */
export interface StreamOptions {
  /** Longest gap between two items or chunks; then the connection is reset. Default none. */
  readonly idle?: Duration;
  /** Longest time from the first byte to the last; then the connection is reset. Default none. */
  readonly total?: Duration;
}

/** Limits for one outbound HTTP call. The caller's remaining budget always counts as well. */
export interface OutboundLimitOptions {
  /** Longest time to connect. It runs alongside `headers`, so the shorter one counts. Default 10 s. */
  readonly connect?: Duration;
  /** Longest time from the start of the call to the headers of the reply. Default 10 s. */
  readonly headers?: Duration;
  /** Longest gap in the body of the reply. Default 10 s. */
  readonly bodyIdle?: Duration;
  /** Longest time for the whole call, body included. Default none: the budget bounds it. */
  readonly total?: Duration;
}

/**
 * What may differ from route to route: the object form of `@Deadline` and the named policies of
 * `TimeoutsOptions.policies`. Whatever is left out comes from the next level: the method's marker,
 * the class's, the module's options.
 *
 * @example
 * const report: PolicyOptions = { handler: '2m', statement: '90s', status: 503 };
 */
export interface PolicyOptions {
  /** Time from the start of the request to the first byte of the answer. At the limit: `status`. */
  readonly handler?: Duration;
  /** Limits for reading the body; a single duration is its `idle` limit. At the limit: 408. */
  readonly body?: Duration | BodyOptions;
  /** Time for one SQL statement, at most the remaining budget. At the limit: 504. */
  readonly statement?: Duration;
  /** Limits for outbound calls; a single duration is `headers` and `bodyIdle`. At the limit: 504. */
  readonly outbound?: Duration | OutboundLimitOptions;
  /** Limits for the rest of a streamed response. At the limit the connection is reset. */
  readonly stream?: StreamOptions;
  /** Status of the answer when the handler timeout passed, 400 to 599. Default 504. */
  readonly status?: number;
  /** `title` of that answer. Default: the name of the status. */
  readonly title?: string;
  /** `detail` of that answer. Default: `Handler did not complete within 30s`. */
  readonly detail?: string;
  /**
   * What happens to the work when its client leaves: cancelled at once (`'cancel'`, the default),
   * after a grace, or not at all (`'continue'`; its deadline still holds).
   */
  readonly onDisconnect?: 'cancel' | 'continue' | { readonly grace: Duration };
}

/** The object form of `@Deadline`: a policy that may start from a named one. */
export interface DeadlineOptions extends PolicyOptions {
  /** Name of an entry of `TimeoutsOptions.policies`; the fields beside it win over the policy's. */
  readonly policy?: string;
}

/**
 * What `@Deadline` takes: the handler timeout, an object of limits, or a function that is asked for
 * either with each request, message or tick.
 *
 * @example
 * const spec: DeadlineSpec = (context) =>
 *   context.switchToHttp().getRequest().query.full ? '2m' : { policy: 'quick' };
 */
export type DeadlineSpec =
  Duration | DeadlineOptions | ((context: ExecutionContext) => Duration | DeadlineOptions);

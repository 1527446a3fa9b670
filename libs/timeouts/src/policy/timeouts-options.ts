import type { Duration } from '../core/duration.js';
import type {
  BodyOptions,
  OutboundLimitOptions,
  PolicyOptions,
  StreamOptions,
} from './policy-options.js';
import type { Preset } from './presets.js';
import type { Profile } from './profile.js';

export { DEFAULTS } from './defaults.js';
export { resolveOptions } from './resolve-options.js';
export type { ResolvedOptions } from './resolved-options.js';

/** Limits for clients that read a response slowly. At the limit the connection is reset. */
export interface ResponseOptions {
  /** Lowest average rate in bytes per second, `'none'` for no minimum. Default 240. */
  readonly minRate?: number | 'none';
  /**
   * How long a client may be slower than that; one that takes nothing at all is cut after twice this.
   * Operating systems take answers in lumps of tens of kB, so networks of a few kB/s need more. Default
   * 5 s.
   */
  readonly grace?: Duration;
}

/** Limits for outbound HTTP calls, and how they are applied. */
export interface OutboundOptions extends OutboundLimitOptions {
  /** Whether the global `fetch` obeys the current scope while the module is loaded. Default true. */
  readonly patchGlobalFetch?: boolean;
}

/** How the application goes down. */
export interface ShutdownOptions {
  /**
   * Longest wait for what is in flight; then it is cancelled and answered 503. Default 20 s in
   * production, 5 s in development.
   */
  readonly grace?: Duration;
  /**
   * How long to go on serving after readiness has begun to fail, so that load balancers notice; `0`
   * for not at all. Default 5 s in production, 0 in development.
   */
  readonly readinessDelay?: Duration;
  /** How long nothing must have been in flight before the drain counts as done. Default 0. */
  readonly quiet?: Duration;
}

/**
 * The load from which on requests are answered 503 (`code: 'overloaded'`) before any work is done for
 * them, with a `Retry-After` of one to three seconds. Probes of `TimeoutsHealthModule` never are.
 * Without `inFlight` or `loopDelay` nothing is measured and nobody is turned away.
 *
 * @example
 * TimeoutsModule.forRoot({ shedding: { inFlight: 500, loopDelay: '200ms' } });
 */
export interface SheddingOptions {
  /** How many requests and tasks may be in flight. Default none: any number. */
  readonly inFlight?: number | 'none';
  /**
   * How long what arrives may have to wait for the event loop, on average over the last half second.
   * Default none.
   */
  readonly loopDelay?: Duration;
  /**
   * Which part of the requests may be turned away at most, so that a threshold that is too low does
   * not take the whole service down; 1 for all of them. Default 0.5.
   */
  readonly maxShare?: number;
}

/**
 * Options of `TimeoutsModule`. All are optional; what is left out comes from the environment, then
 * from the preset, then from the profile. Durations are milliseconds or strings such as `'30s'`,
 * `'none'` for no limit; zero is refused except where it says otherwise.
 *
 * @example
 * TimeoutsModule.forRoot({ preset: 'api', handler: '20s', policies: { report: { handler: '2m' } } });
 */
export interface TimeoutsOptions {
  /** Which defaults apply. Default: `APP_ENV`, then `NODE_ENV`, then `'development'`. */
  readonly profile?: Profile;
  /** Limits for a kind of workload, below options and variables. Default: none. */
  readonly preset?: Preset;
  /**
   * Time to receive a request's headers, in all and from their first byte; a TLS handshake counts. At
   * the limit: 408, or nothing where no byte came. In force whatever `server.headersTimeout` says.
   * Default 20 s.
   */
  readonly headers?: Duration;
  /** Limits for reading a request's body; a single duration is its `idle` limit. */
  readonly body?: Duration | BodyOptions;
  /**
   * Time from the start of a request to the first byte of its answer, guards and body included. At
   * the limit: 504. Default 30 s in production, 15 s in development.
   */
  readonly handler?: Duration;
  /** Limits for the rest of a streamed response. Default none. */
  readonly stream?: StreamOptions;
  /** Limits for clients that read a response slowly. */
  readonly response?: ResponseOptions;
  /** Limits for outbound calls; a single duration is `headers` and `bodyIdle`. At the limit: 504. */
  readonly outbound?: Duration | OutboundOptions;
  /** Time for one SQL statement, at most the remaining budget. At the limit: 504. Default none. */
  readonly statement?: Duration;
  /** Time for one attempt of a background job; then it is cancelled and fails. Default none. */
  readonly job?: Duration;
  /**
   * Time for one webhook delivery, reply included; then it counts as failed and is retried. Default:
   * the outbound value (`outbound.total` if there is one, else `outbound.headers`).
   */
  readonly webhook?: Duration;
  /** How the application goes down. */
  readonly shutdown?: ShutdownOptions;
  /** The load from which on requests are turned away. Default none. */
  readonly shedding?: SheddingOptions;
  /**
   * Paths whose handler timeout is lifted, with everything under them, by whole segments and with
   * the global prefix: `'/v1/chat'`. A decorator on a route wins. Default none.
   */
  readonly skipPaths?: readonly string[];
  /** Named policies for `@Deadline({ policy: 'report' })`. Default none. */
  readonly policies?: Readonly<Record<string, PolicyOptions>>;
  /**
   * How handlers are bounded: at the handler itself where nothing else intercepts it (`'auto'`, the
   * default and the cheaper one), or by a global interceptor on every route (`'interceptor'`).
   */
  readonly enforcement?: 'auto' | 'interceptor';
  /**
   * How long an asynchronous exception filter of yours has to answer once a deadline passed, before
   * the module answers itself. Default 100 ms.
   */
  readonly backstop?: Duration;
  /** Whether limits rest while a debugger is attached. Default false. */
  readonly suspendWhileDebugging?: boolean;
  /** Whether doubts about the budgets stop the application from starting. Default false. */
  readonly strict?: boolean;
}

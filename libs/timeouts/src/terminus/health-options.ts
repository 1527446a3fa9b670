import type { Duration } from '../core/duration.js';

/** What a check is run with. */
export interface ProbeCheckRun {
  /** Aborts at the check's timeout. */
  readonly signal: AbortSignal;
}

/**
 * Says whether something is well. It is not where it throws, rejects, gives `false`, or the result of
 * a Terminus indicator that is down. Everything else is. It runs in a scope with the check's timeout,
 * so that SQL, `fetch` and `currentScope()` inside it end in time.
 */
export type ProbeCheckFunction = (run: ProbeCheckRun) => unknown;

/** A check with limits of its own. */
export interface ProbeCheck {
  readonly check: ProbeCheckFunction;
  /** When it counts as failed. Default: `checkTimeout`. */
  readonly timeout?: Duration;
  /** How long its result is used again. Default: the module's `cacheFor`. */
  readonly cacheFor?: Duration;
}

/** Checks by the name under which they are found in the answer. */
export type ProbeChecks = Readonly<Record<string, ProbeCheckFunction | ProbeCheck>>;

/** Where probes are answered: whole paths, whatever prefix or version the application has. */
export interface ProbePaths {
  /** 200 as long as the process answers at all. Default `/_ops/live`. */
  readonly live?: string;
  /** 200 while requests are welcome, 503 otherwise. Default `/_ops/ready`. */
  readonly ready?: string;
  /** 200 once the application has started. Default `/_ops/startup`. */
  readonly startup?: string;
}

/** From where on the application is not ready. Only what is given is looked at. */
export interface HealthThresholds {
  /** Memory of the process. Default none. */
  readonly rssBytes?: number;
  /** Used heap. Default none. */
  readonly heapBytes?: number;
  /** How long what arrives waits for the event loop, on average over two seconds. Default none. */
  readonly loopDelay?: Duration;
  /**
   * How long callers have waited for a database connection, on average since the last look, which is
   * at least a second ago. Needs `withDeadlines()` of `nestjs-timeouts/typeorm`. Default none.
   */
  readonly poolWait?: Duration;
  /** How many callers wait for a database connection at this moment. Default none. */
  readonly poolWaiting?: number;
}

/**
 * Options of `TimeoutsHealthModule`. All are optional. Durations are milliseconds or strings such as
 * `'800ms'`.
 *
 * @example
 * TimeoutsHealthModule.forRoot({
 *   checks: { search: async ({ signal }) => (await fetch(searchUrl, { signal })).ok },
 *   thresholds: { loopDelay: '500ms' },
 * });
 */
export interface TimeoutsHealthModuleOptions {
  /** Where probes are answered. */
  readonly paths?: ProbePaths;
  /** What must be well for the application to be ready. Default: nothing but that it does not drain. */
  readonly checks?: ProbeChecks;
  /** What must be well for it to have started, besides its own bootstrap. Default nothing. */
  readonly startupChecks?: ProbeChecks;
  /** When a check counts as failed. Default 800 ms: the kubelet waits one second. */
  readonly checkTimeout?: Duration;
  /**
   * How long the result of a check is used again, so that many probes are one question; `0` for not
   * at all. Default 1 s.
   */
  readonly cacheFor?: Duration;
  /** From where on the application is not ready, though nothing has failed. Default none. */
  readonly thresholds?: HealthThresholds;
}

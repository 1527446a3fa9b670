import type { RoutePolicyPatch } from './policy-patch.js';
import type { Preset } from './presets.js';
import type { Profile } from './profile.js';

/** Where the value of an option came from. */
export type Origin =
  | 'default'
  | `profile ${Profile}`
  | `preset ${Preset}`
  | `variable ${string}`
  | 'outbound'
  | 'option';

/** Limits for reading a request's body. A rate of 0 is no minimum. */
export interface BodyLimits {
  readonly idleMs: number;
  readonly minRate: number;
  readonly graceMs: number;
  readonly totalMs: number;
}

/** Limits for a streamed response after its first byte. */
export interface StreamLimits {
  readonly idleMs: number;
  readonly totalMs: number;
}

/** Limits for clients that read slowly. A rate of 0 is no minimum. */
export interface ResponseLimits {
  readonly minRate: number;
  readonly graceMs: number;
}

/** Limits for one outbound call, below the remaining budget. */
export interface OutboundLimits {
  readonly connectMs: number;
  readonly headersMs: number;
  readonly bodyIdleMs: number;
  readonly totalMs: number;
}

/** Limits for going down. */
export interface ShutdownLimits {
  readonly graceMs: number;
  readonly readinessDelayMs: number;
  readonly quietMs: number;
}

/** Above which load requests are turned away, and how many of them at most. */
export interface SheddingLimits {
  readonly inFlight: number;
  readonly loopDelayMs: number;
  /** Above 0, 1 for all of them. */
  readonly maxShare: number;
}

/**
 * The options of one application after options, variables, preset and defaults were put together:
 * complete, checked and frozen. Times are in milliseconds, `Infinity` is no limit.
 */
export interface ResolvedOptions {
  readonly profile: Profile;
  readonly preset?: Preset;
  readonly headersMs: number;
  readonly body: BodyLimits;
  readonly handlerMs: number;
  readonly stream: StreamLimits;
  readonly response: ResponseLimits;
  readonly outbound: OutboundLimits & { readonly patchGlobalFetch: boolean };
  readonly statementMs: number;
  readonly jobMs: number;
  readonly webhookMs: number;
  readonly shutdown: ShutdownLimits;
  readonly shedding: SheddingLimits;
  /** Normalised: one leading slash, none at the end. */
  readonly skipPaths: readonly string[];
  readonly policies: ReadonlyMap<string, RoutePolicyPatch>;
  readonly enforcement: 'auto' | 'interceptor';
  readonly backstopMs: number;
  readonly suspendWhileDebugging: boolean;
  readonly strict: boolean;
  /** Where each value came from, by the option's path (`body.idle`), `profile` and `preset` too. */
  readonly origins: ReadonlyMap<string, Origin>;
}

import type { ExecutionContext } from '@nestjs/common';
import type { Attempt } from './configuration-error.js';
import { failFast, Faults, refuse } from './configuration-error.js';
import type { SkippableLayer, TimeoutsMarker } from './decorators.js';
import { deepFreeze } from './deep-freeze.js';
import type { DeadlineSpec } from './policy-options.js';
import type { OnDisconnect, RoutePolicyPatch } from './policy-patch.js';
import { mergePolicies, readDeadline } from './policy-patch.js';
import type {
  BodyLimits,
  OutboundLimits,
  ResolvedOptions,
  StreamLimits,
} from './resolved-options.js';

/**
 * What applies to one route, message pattern or provider method. Complete and frozen; times are in
 * milliseconds, `Infinity` is no limit.
 */
export interface RoutePolicy {
  readonly handlerMs: number;
  /** Whether a marker set or lifted the handler timeout, so that `skipPaths` has no say. */
  readonly handlerMarked: boolean;
  /** Status of the answer at the handler timeout. */
  readonly status: number;
  /** Texts of that answer, where a policy sets them. */
  readonly title?: string;
  readonly detail?: string;
  readonly body: BodyLimits;
  readonly stream: StreamLimits;
  /** Only what a marker or named policy sets; the rest are the module's options. */
  readonly outbound: Partial<OutboundLimits>;
  readonly statementMs: number;
  readonly onDisconnect: OnDisconnect;
  readonly policyName?: string;
  /**
   * There when a spec is a function: the policy for this request, message or tick.
   * Throws InvalidDurationError or TimeoutsConfigurationError, naming the route, when that function
   * returns what cannot work.
   */
  readonly resolve?: (context: ExecutionContext) => RoutePolicy;
  /** Whether anything here differs from the module's options. */
  readonly custom: boolean;
}

type SpecFunction = Extract<DeadlineSpec, (context: ExecutionContext) => unknown>;

/** One marker after reading: each part goes over the one before it. */
interface Level {
  readonly fixed: RoutePolicyPatch;
  readonly dynamic?: SpecFunction;
  readonly lifted: RoutePolicyPatch;
}

const LIFTED: Readonly<Record<SkippableLayer, RoutePolicyPatch>> = {
  handler: { handlerMs: Infinity },
  body: { body: { idleMs: Infinity, minRate: 0, totalMs: Infinity } },
};

/** The policy of a route without any marker. */
export function defaultRoutePolicy(options: ResolvedOptions): RoutePolicy {
  return deepFreeze({
    handlerMs: options.handlerMs,
    handlerMarked: false,
    status: 504,
    body: options.body,
    stream: options.stream,
    outbound: {},
    statementMs: options.statementMs,
    onDisconnect: 'cancel',
    custom: false,
  });
}

/**
 * The policy of a route from the markers on its class and method: method over class over module,
 * field by field. `where` names the route in messages: `GET /v1/orders (OrdersController.list)`.
 *
 * @throws TimeoutsConfigurationError that lists what cannot work in the markers.
 */
export function resolveRoutePolicy(
  options: ResolvedOptions,
  classMarker: TimeoutsMarker | undefined,
  methodMarker: TimeoutsMarker | undefined,
  where: string,
): RoutePolicy {
  const defaults = defaultRoutePolicy(options);
  const markers = [classMarker, methodMarker].filter((marker) => marker !== undefined);
  if (markers.length === 0) return defaults;

  const read = (spec: unknown, attempt: Attempt): RoutePolicyPatch =>
    readDeadline(spec, options.policies, (field) => `${field} on ${where}`, attempt);
  const faults = new Faults();
  const levels = markers.map((marker) => readLevel(marker, where, read, faults.attempt));
  faults.throwIfAny();

  const asked = levels.findLast((level) => level.dynamic !== undefined);
  const combine = (answer: RoutePolicyPatch): RoutePolicyPatch =>
    levels
      .flatMap((level) => [level.fixed, level === asked ? answer : {}, level.lifted])
      .reduce(mergePolicies, {});
  const policy = build(defaults, combine({}));
  const { dynamic } = asked ?? {};
  if (dynamic === undefined) return policy;
  const resolve = (context: ExecutionContext): RoutePolicy =>
    build(defaults, combine(read(dynamic(context), failFast)));
  return Object.freeze({ ...policy, custom: true, resolve });
}

function readLevel(
  { specs, skip }: TimeoutsMarker,
  where: string,
  read: (spec: unknown, attempt: Attempt) => RoutePolicyPatch,
  attempt: Attempt,
): Level {
  const fixed = specs.filter((spec) => typeof spec !== 'function');
  const dynamic = specs.findLast((spec) => typeof spec === 'function');
  const lifted = skip.map((layer) => attempt(() => lift(layer, where)) ?? {});
  return {
    fixed: fixed.map((spec) => read(spec, attempt)).reduce(mergePolicies, {}),
    ...(dynamic && { dynamic }),
    lifted: lifted.reduce(mergePolicies, {}),
  };
}

function lift(layer: SkippableLayer, where: string): RoutePolicyPatch {
  if (Object.hasOwn(LIFTED, layer)) return LIFTED[layer];
  return refuse(`@SkipTimeout on ${where}`, layer, "'handler', 'body'");
}

function build(defaults: RoutePolicy, patch: RoutePolicyPatch): RoutePolicy {
  const policy = mergePolicies(defaults, patch);
  const handlerMarked = patch.handlerMs !== undefined;
  return deepFreeze({ ...policy, handlerMarked, custom: differs(policy, defaults) });
}

function differs(value: unknown, other: unknown): boolean {
  if (typeof value !== 'object' || typeof other !== 'object') return value !== other;
  const keys = new Set(Object.keys({ ...value, ...other }));
  return [...keys].some((key) => differs(value?.[key as never], other?.[key as never]));
}

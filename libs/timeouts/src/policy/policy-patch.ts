import { parseDuration } from '../core/duration.js';
import type { Attempt } from './configuration-error.js';
import { refuse } from './configuration-error.js';
import type { Label } from './read-options.js';
import { nestValues, readOptions } from './read-options.js';
import type { BodyLimits, OutboundLimits, StreamLimits } from './resolved-options.js';
import type { Kinds } from './value-kinds.js';
import { isPlainObject, resolvedPath } from './value-kinds.js';

/** What becomes of the work when its client leaves. */
export type OnDisconnect = 'cancel' | 'continue' | { readonly graceMs: number };

/** The part of a route policy that one marker or named policy sets; times in milliseconds. */
export interface RoutePolicyPatch {
  readonly handlerMs?: number;
  readonly status?: number;
  readonly title?: string;
  readonly detail?: string;
  readonly body?: Partial<BodyLimits>;
  readonly stream?: Partial<StreamLimits>;
  readonly outbound?: Partial<OutboundLimits>;
  readonly statementMs?: number;
  readonly onDisconnect?: OnDisconnect;
  readonly policyName?: string;
}

/** The fields of a policy. */
export const POLICY_KINDS: Kinds = {
  handler: 'duration',
  'body.idle': 'duration',
  'body.minRate': 'rate',
  'body.grace': 'duration',
  'body.total': 'duration',
  statement: 'duration',
  'outbound.connect': 'duration',
  'outbound.headers': 'duration',
  'outbound.bodyIdle': 'duration',
  'outbound.total': 'duration',
  'stream.idle': 'duration',
  'stream.total': 'duration',
  status: 'status',
  title: 'text',
  detail: 'text',
  onDisconnect: 'onDisconnect',
};

/** Reads a named policy of the module's options. */
export function readPolicy(input: unknown, name: string, attempt: Attempt): RoutePolicyPatch {
  const path = `policies.${name}`;
  return isPlainObject(input)
    ? toPatch(readOptions(input, POLICY_KINDS, (field) => `${path}.${field}`, attempt))
    : (attempt(() => refuse(path, input, "an object such as { handler: '2m' }")) ?? {});
}

/** Reads what a marker holds, functions aside; a policy it names is put below its own fields. */
export function readDeadline(
  spec: unknown,
  policies: ReadonlyMap<string, RoutePolicyPatch>,
  label: Label,
  attempt: Attempt,
): RoutePolicyPatch {
  if (!isPlainObject(spec)) {
    return attempt(() => ({ handlerMs: parseDuration(spec, label('handler')) })) ?? {};
  }
  const values = readOptions(spec, { ...POLICY_KINDS, policy: 'text' }, label, attempt);
  const policyName = values.get('policy') as string | undefined;
  values.delete('policy');
  if (policyName === undefined) return toPatch(values);
  const known = [...policies.keys()].join(', ') || 'none, as `policies` has no entry';
  const named = attempt(
    () => policies.get(policyName) ?? refuse(label('policy'), policyName, known),
  );
  return { ...mergePolicies(named ?? {}, toPatch(values)), policyName };
}

/** `base` with the fields that `patch` sets, limits of a group one by one. */
export function mergePolicies<T extends RoutePolicyPatch>(base: T, patch: RoutePolicyPatch): T {
  return {
    ...base,
    ...patch,
    body: { ...base.body, ...patch.body },
    stream: { ...base.stream, ...patch.stream },
    outbound: { ...base.outbound, ...patch.outbound },
  };
}

function toPatch(values: ReadonlyMap<string, unknown>): RoutePolicyPatch {
  return nestValues(values, (path) => resolvedPath(path, POLICY_KINDS[path]));
}

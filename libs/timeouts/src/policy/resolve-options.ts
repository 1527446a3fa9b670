import type { Attempt } from './configuration-error.js';
import { failFast, Faults, refuse } from './configuration-error.js';
import { deepFreeze } from './deep-freeze.js';
import { DEFAULTS } from './defaults.js';
import { readFacts, readVariables } from './env.js';
import type { RoutePolicyPatch } from './policy-patch.js';
import { readPolicy } from './policy-patch.js';
import type { Preset } from './presets.js';
import { PRESETS } from './presets.js';
import type { Profile } from './profile.js';
import { findProfile } from './profile.js';
import { nestValues, readOptions } from './read-options.js';
import type { Origin, ResolvedOptions } from './resolved-options.js';
import type { TimeoutsOptions } from './timeouts-options.js';
import type { Kinds } from './value-kinds.js';
import { parseValue, resolvedPath } from './value-kinds.js';

interface Setting {
  readonly value: unknown;
  readonly origin: Origin;
}

/** Settings by the path of their option. */
type Settings = Map<string, Setting>;

const KINDS: Kinds = {
  profile: 'profile',
  preset: 'preset',
  ...Object.fromEntries(Object.entries(DEFAULTS).map(([path, { kind }]) => [path, kind])),
  policies: 'dictionary',
};

/**
 * Puts options, variables, preset and defaults together, the first of them that names a value wins,
 * and checks all of it.
 *
 * @throws TimeoutsConfigurationError that lists every fault found.
 * @example
 * resolveOptions({ handler: '5s' }, {}).handlerMs; // 5000
 */
export function resolveOptions(options: TimeoutsOptions, env: NodeJS.ProcessEnv): ResolvedOptions {
  const faults = new Faults();
  const explicit = readExplicit(options, faults.attempt);
  const variables = fromVariables(env, faults.attempt);
  const profile = explicit.get('profile') ?? faults.attempt(() => fromEnvironmentName(env));
  const policies = readPolicies(explicit.get('policies')?.value, faults.attempt);
  readFacts(env, faults.attempt);
  faults.throwIfAny();

  const settings: Settings = new Map([
    ['profile', profile ?? { value: 'development', origin: 'default' }],
    ...fromDefaults(profile?.value as Profile),
    ...fromPreset(explicit.get('preset')?.value as Preset | undefined),
    ...variables,
    ...explicit,
  ]);
  settings.delete('policies');
  followOutbound(settings);
  return build(settings, policies);
}

function readExplicit(options: TimeoutsOptions, attempt: Attempt): Settings {
  const input: unknown = options;
  const usable = typeof input === 'object' && input !== null && !Array.isArray(input);
  if (!usable || input instanceof Promise) {
    attempt(() => refuse('the options of TimeoutsModule', input, 'an object'));
    return new Map();
  }
  return withOrigin(
    readOptions(input, KINDS, (path) => path, attempt),
    'option',
  );
}

function fromVariables(env: NodeJS.ProcessEnv, attempt: Attempt): Settings {
  const settings: Settings = new Map();
  for (const [path, { value, variable }] of readVariables(env, attempt)) {
    const parsed = parseValue(DEFAULTS[path].kind, value, variable);
    settings.set(path, { value: parsed, origin: `variable ${variable}` });
  }
  return settings;
}

function fromEnvironmentName(env: NodeJS.ProcessEnv): Setting {
  const { profile, variable } = findProfile(env);
  return { value: profile, origin: variable === undefined ? 'default' : `variable ${variable}` };
}

function fromPreset(preset: Preset | undefined): Settings {
  if (preset === undefined) return new Map();
  const values = readOptions(PRESETS[preset], KINDS, (path) => path, failFast);
  return withOrigin(values, `preset ${preset}`);
}

function fromDefaults(profile: Profile): Settings {
  return new Map(
    Object.entries(DEFAULTS).map(([path, { production, development, [profile]: value }]) => {
      const shared = String(production) === String(development);
      return [path, { value, origin: shared ? 'default' : `profile ${profile}` }];
    }),
  );
}

function withOrigin(values: ReadonlyMap<string, unknown>, origin: Origin): Settings {
  return new Map(Array.from(values, ([path, value]) => [path, { value, origin }]));
}

function readPolicies(input: unknown, attempt: Attempt): Map<string, RoutePolicyPatch> {
  const policies = Object.entries(input ?? {});
  return new Map(policies.map(([name, policy]) => [name, readPolicy(policy, name, attempt)]));
}

function followOutbound(settings: Settings): void {
  if (settings.get('webhook')?.origin !== 'default') return;
  const outbound = [settings.get('outbound.total'), settings.get('outbound.headers')];
  const followed = outbound.find((setting) => setting?.value !== Infinity) ?? outbound[1];
  if (followed === undefined || followed.origin === 'default') return;
  settings.set('webhook', { value: followed.value, origin: 'outbound' });
}

function build(settings: Settings, policies: Map<string, RoutePolicyPatch>): ResolvedOptions {
  const values = Array.from(settings, ([path, { value }]): [string, unknown] => [path, value]);
  const origins = new Map(Array.from(settings, ([path, { origin }]) => [path, origin]));
  const nested = nestValues<ResolvedOptions>(values, (path) => resolvedPath(path, KINDS[path]));
  return deepFreeze({ ...nested, policies, origins });
}

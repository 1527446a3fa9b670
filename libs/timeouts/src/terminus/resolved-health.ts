import type { Attempt } from '../policy/configuration-error.js';
import { Faults, refuse } from '../policy/configuration-error.js';
import { nestValues, readOptions } from '../policy/read-options.js';
import type { Kinds } from '../policy/value-kinds.js';
import { isPlainObject, resolvedPath } from '../policy/value-kinds.js';
import type { ProbeCheckFunction, TimeoutsHealthModuleOptions } from './health-options.js';

/** A check with everything it needs. */
export interface CheckSettings {
  readonly name: string;
  readonly check: ProbeCheckFunction;
  readonly timeoutMs: number;
  readonly cacheForMs: number;
}

/** `Infinity` where there is none. */
export interface ThresholdLimits {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly loopDelayMs: number;
  readonly poolWaitMs: number;
  readonly poolWaiting: number;
}

/** The options of one health module: complete and checked. */
export interface ResolvedHealth {
  readonly paths: { readonly live: string; readonly ready: string; readonly startup: string };
  readonly thresholds: ThresholdLimits;
  readonly checks: readonly CheckSettings[];
  readonly startupChecks: readonly CheckSettings[];
}

const KINDS: Kinds = {
  'paths.live': 'text',
  'paths.ready': 'text',
  'paths.startup': 'text',
  checks: 'dictionary',
  startupChecks: 'dictionary',
  checkTimeout: 'duration',
  cacheFor: 'delay',
  'thresholds.rssBytes': 'count',
  'thresholds.heapBytes': 'count',
  'thresholds.loopDelay': 'duration',
  'thresholds.poolWait': 'duration',
  'thresholds.poolWaiting': 'count',
};

const DEFAULTS: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['paths.live', '/_ops/live'],
  ['paths.ready', '/_ops/ready'],
  ['paths.startup', '/_ops/startup'],
  ['checks', {}],
  ['startupChecks', {}],
  ['checkTimeout', 800],
  ['cacheFor', 1_000],
  ['thresholds.rssBytes', Infinity],
  ['thresholds.heapBytes', Infinity],
  ['thresholds.loopDelay', Infinity],
  ['thresholds.poolWait', Infinity],
  ['thresholds.poolWaiting', Infinity],
]);

const PATH = /^(\/[^/?#\s]+)+$/;

/** What we answer for ourselves. */
const OUR_NAMES = ['application', 'drain', 'eventLoop', 'memory', 'pool'];

type Given = Omit<ResolvedHealth, 'checks' | 'startupChecks'> & {
  readonly checks: Readonly<Record<string, unknown>>;
  readonly startupChecks: Readonly<Record<string, unknown>>;
  readonly checkTimeoutMs: number;
  readonly cacheForMs: number;
};

/** @throws TimeoutsConfigurationError that lists every fault found. */
export function resolveHealth(options: TimeoutsHealthModuleOptions): ResolvedHealth {
  const faults = new Faults();
  if (!isPlainObject(options)) refuse('the options of TimeoutsHealthModule', options, 'an object');
  const values = readOptions(options, KINDS, label, faults.attempt);
  const given = nestValues<Given>(new Map([...DEFAULTS, ...values]), (path) =>
    resolvedPath(path, KINDS[path]),
  );
  readPaths(given.paths, faults.attempt);
  const checks = readChecks('checks', given, faults.attempt);
  const startupChecks = readChecks('startupChecks', given, faults.attempt);
  faults.throwIfAny();
  return { paths: given.paths, thresholds: given.thresholds, checks, startupChecks };
}

function label(path: string): string {
  return `TimeoutsHealthModule.${path}`;
}

function readPaths(paths: ResolvedHealth['paths'], attempt: Attempt): void {
  const taken = new Set<string>();
  for (const [name, path] of Object.entries(paths)) {
    attempt(() => {
      if (!PATH.test(path)) refuse(label(`paths.${name}`), path, "a path such as '/_ops/live'");
      if (taken.has(path)) refuse(label(`paths.${name}`), path, 'a path of its own');
      taken.add(path);
    });
  }
}

function readChecks(
  group: 'checks' | 'startupChecks',
  given: Given,
  attempt: Attempt,
): CheckSettings[] {
  const settings: CheckSettings[] = [];
  for (const [name, check] of Object.entries(given[group])) {
    attempt(() => settings.push(readCheck(label(`${group}.${name}`), name, check, given)));
  }
  return settings;
}

const CHECK_KINDS: Kinds = { timeout: 'duration', cacheFor: 'delay' };

function readCheck(what: string, name: string, given: unknown, defaults: Given): CheckSettings {
  if (OUR_NAMES.includes(name)) refuse(what, given, `any name but ${OUR_NAMES.join(', ')}`);
  const { check, ...limits } = isPlainObject(given) ? given : { check: given };
  if (typeof check !== 'function') {
    refuse(what, given, "a function, or an object such as { check: () => {}, timeout: '1s' }");
  }
  const own = readOptions(
    limits,
    CHECK_KINDS,
    (path) => `${what}.${path}`,
    (read) => read(),
  );
  return {
    name,
    check: check as ProbeCheckFunction,
    timeoutMs: (own.get('timeout') as number | undefined) ?? defaults.checkTimeoutMs,
    cacheForMs: (own.get('cacheFor') as number | undefined) ?? defaults.cacheForMs,
  };
}

import { describe, expect, it } from '@jest/globals';
import { exportedTypeNames } from './support/public-types.js';
import { readJson, readSources, readText } from './support/repository.js';

interface Surface {
  readonly values: readonly string[];
  readonly types: readonly string[];
}

/** Every name users may rely on. Adding one is a promise, taking one away is a breaking change. */
const SURFACES: Readonly<Record<string, Surface>> = {
  '.': {
    values: [
      'CancelSignal',
      'CancelledError',
      'CurrentScope',
      'Deadline',
      'DeadlineExceededError',
      'DrainService',
      'InvalidDurationError',
      'PoolWaitTimeoutError',
      'SkipTimeout',
      'TimeoutsConfigurationError',
      'TimeoutsModule',
      'TimeoutsMonitor',
      'all',
      'bindScope',
      'currentScope',
      'detach',
      'isCancelled',
      'optionsFromEnv',
      'pick',
      'race',
      'retry',
      'shield',
      'withDeadline',
    ],
    types: [
      'Alarm',
      'AlarmHandle',
      'Bindable',
      'BlockLimit',
      'BlockOptions',
      'BodyOptions',
      'CancelCount',
      'CancelReason',
      'Cleanup',
      'Clock',
      'DeadlineOptions',
      'DeadlineSpec',
      'DrainState',
      'Duration',
      'InFlightScope',
      'LateTotals',
      'LateWork',
      'Layer',
      'Outcome',
      'OutcomeListener',
      'PolicyOptions',
      'PoolUse',
      'Preset',
      'Problem',
      'Profile',
      'RetryOptions',
      'Scope',
      'ScopeKind',
      'ScopedWork',
      'SkippableLayer',
      'StreamOptions',
      'TimeoutsModuleOptions',
      'TimeoutsOptions',
      'TimeoutsOptionsFactory',
      'TimeoutsSnapshot',
    ],
  },
  './terminus': {
    values: ['DrainHealthIndicator', 'TimeoutsHealthModule'],
    types: [
      'HealthThresholds',
      'ProbeCheck',
      'ProbeCheckFunction',
      'ProbeCheckRun',
      'ProbeChecks',
      'ProbePaths',
      'TimeoutsHealthModuleOptions',
      'TimeoutsHealthOptionsFactory',
    ],
  },
  './testing': {
    values: ['ManualClock', 'drip', 'halfClose', 'readSlowly', 'stall', 'vanish'],
    types: [
      'ClientView',
      'ConnectionEnd',
      'DripOptions',
      'HalfCloseOptions',
      'HostileRequest',
      'Moment',
      'ReadSlowlyOptions',
      'StallOptions',
      'VanishOptions',
    ],
  },
  './typeorm': {
    values: ['StatementTimeoutSubscriber', 'isDeadlinePool', 'withDeadlines'],
    types: ['DatabaseSettings', 'DeadlinePool', 'PoolStats'],
  },
};

const manifest = readJson<{ exports: Record<string, unknown> }>('libs/timeouts/package.json');
const folders = readSources('libs/timeouts/src')
  .map(({ path }) => /^(?<folder>.+)\/index\.ts$/.exec(path)?.groups?.['folder'])
  .filter((folder) => folder !== undefined);
const entries = Object.keys(manifest.exports).filter((entry) => entry !== './package.json');

describe('the public surface', () => {
  it('has the entries that are pinned here', () => {
    expect(entries).toEqual(Object.keys(SURFACES));
  });

  it('has an entry for each folder that has an index', () => {
    expect(entries).toEqual(expect.arrayContaining(folders.map((folder) => `./${folder}`)));
  });

  it.each(entries)('of %s has exactly the pinned values', async (entry) => {
    const module = (await import(entry.replace('.', 'nestjs-timeouts'))) as object;

    expect(Object.keys(module).toSorted()).toEqual(SURFACES[entry]?.values);
  });

  it.each(entries)('of %s has exactly the pinned types', (entry) => {
    const source = readText(`libs/timeouts/src/${entry}/index.ts`);

    expect(exportedTypeNames(source)).toEqual(SURFACES[entry]?.types);
  });
});

describe('the reader of type names', () => {
  it('sees what exists only for the type checker', () => {
    const source = `
      export { Scope, type Reason } from './core/scope.js';
      export type { Outcome, Clock as Time } from './core/outcome.js';
      export type Duration = number;
      export interface Options {}
      interface Hidden {}`;

    expect(exportedTypeNames(source)).toEqual(['Duration', 'Options', 'Outcome', 'Reason', 'Time']);
  });
});

import { describe, expect, it } from '@jest/globals';
import { TimeoutsConfigurationError } from '../policy/configuration-error.js';
import type { TimeoutsHealthModuleOptions } from './health-options.js';
import { resolveHealth } from './resolved-health.js';

function faultsOf(options: unknown): readonly string[] {
  try {
    resolveHealth(options as TimeoutsHealthModuleOptions);
  } catch (error) {
    if (error instanceof TimeoutsConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

const check = () => {};

describe('resolveHealth', () => {
  it('has the documented defaults', () => {
    expect(resolveHealth({ checks: { database: check } })).toEqual({
      paths: { live: '/_ops/live', ready: '/_ops/ready', startup: '/_ops/startup' },
      thresholds: {
        rssBytes: Infinity,
        heapBytes: Infinity,
        loopDelayMs: Infinity,
        poolWaitMs: Infinity,
        poolWaiting: Infinity,
      },
      checks: [{ name: 'database', check, timeoutMs: 800, cacheForMs: 1_000 }],
      startupChecks: [],
    });
  });

  it('K04 prefers the limits of a check to those of all checks', () => {
    const { checks, startupChecks } = resolveHealth({
      checkTimeout: '2s',
      cacheFor: 0,
      checks: { a: check, b: { check, timeout: '1s' } },
      startupChecks: { c: { check, cacheFor: '5s' } },
    });

    expect([...checks, ...startupChecks]).toEqual([
      { name: 'a', check, timeoutMs: 2_000, cacheForMs: 0 },
      { name: 'b', check, timeoutMs: 1_000, cacheForMs: 0 },
      { name: 'c', check, timeoutMs: 2_000, cacheForMs: 5_000 },
    ]);
  });

  it.each([
    [undefined, 'the options of TimeoutsHealthModule is undefined; allowed: an object'],
    [{ check: {} }, 'TimeoutsHealthModule.check is not an option; known: paths, checks'],
    [{ checkTimeout: 0 }, 'TimeoutsHealthModule.checkTimeout is 0; allowed'],
    [{ cacheFor: 'none' }, 'TimeoutsHealthModule.cacheFor is "none"; allowed: 0,'],
    [{ paths: { live: 'live' } }, 'TimeoutsHealthModule.paths.live is "live"; allowed: a path'],
    [{ paths: { live: '/' } }, 'TimeoutsHealthModule.paths.live is "/"; allowed: a path'],
    [{ paths: { live: '/a?b' } }, 'TimeoutsHealthModule.paths.live is "/a?b"; allowed: a path'],
    [
      { paths: { live: '/health', ready: '/health' } },
      'TimeoutsHealthModule.paths.ready is "/health"; allowed: a path of its own',
    ],
    [{ checks: [check] }, 'TimeoutsHealthModule.checks is a list; allowed: an object'],
    [{ checks: { a: 5 } }, 'TimeoutsHealthModule.checks.a is 5; allowed: a function, or an object'],
    [{ checks: { drain: check } }, 'TimeoutsHealthModule.checks.drain is a function; allowed: any'],
    [
      { checks: { a: { check, timeout: -1 } } },
      'TimeoutsHealthModule.checks.a.timeout is -1; allowed',
    ],
    [
      { startupChecks: { a: { check, ttl: 1 } } },
      'TimeoutsHealthModule.startupChecks.a.ttl is not an option; known: timeout, cacheFor',
    ],
    [
      { thresholds: { rssBytes: '1GB' } },
      'TimeoutsHealthModule.thresholds.rssBytes is "1GB"; allowed: a whole number above 0',
    ],
    [
      { thresholds: { loopDelay: 0 } },
      'TimeoutsHealthModule.thresholds.loopDelay is 0; allowed: a number of milliseconds',
    ],
  ])('refuses %p', (options, message) => {
    expect(faultsOf(options)).toEqual([expect.stringContaining(message)]);
  });

  it('reports all faults in one error', () => {
    const faults = faultsOf({ checkTimeout: 'x', paths: { ready: '' }, checks: { a: 1, b: 2 } });

    expect(faults).toHaveLength(4);
  });
});

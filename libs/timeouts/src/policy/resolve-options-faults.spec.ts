import { describe, expect, it } from '@jest/globals';
import { TimeoutsConfigurationError } from './configuration-error.js';
import { resolveOptions } from './resolve-options.js';
import type { TimeoutsOptions } from './timeouts-options.js';

function faultsOf(options: unknown, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    resolveOptions(options as TimeoutsOptions, env);
  } catch (error) {
    if (error instanceof TimeoutsConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('resolveOptions', () => {
  it.each([
    [{ handler: 0 }, 'handler is 0; allowed: a number of milliseconds above 0'],
    [{ handler: '100' }, 'handler is "100" (no unit); allowed'],
    [{ handler: null }, 'handler is null; allowed'],
    [{ body: { idle: -1 } }, 'body.idle is -1; allowed'],
    [{ body: '5 parsecs' }, 'body is "5 parsecs"; allowed'],
    [{ outbound: NaN }, 'outbound is NaN; allowed'],
    [{ body: { minRate: 0 } }, 'body.minRate is 0; allowed: a number of bytes per second above 0'],
    [{ response: { minRate: Infinity } }, 'response.minRate is Infinity; allowed'],
    [{ stream: '5s' }, 'stream is "5s"; allowed: an object with idle, total'],
    [{ shutdown: { grace: 0 } }, 'shutdown.grace is 0; allowed'],
    [{ shutdown: { quiet: 'none' } }, 'shutdown.quiet is "none"; allowed: 0,'],
    [{ shedding: { inFlight: 0 } }, 'shedding.inFlight is 0; allowed: a whole number above 0'],
    [{ shedding: { inFlight: 1.5 } }, 'shedding.inFlight is 1.5; allowed'],
    [{ shedding: { loopDelay: '50' } }, 'shedding.loopDelay is "50" (no unit); allowed'],
    [{ shedding: { maxShare: 1.1 } }, 'shedding.maxShare is 1.1; allowed: a number above 0'],
    [{ shedding: { maxShare: 0 } }, 'shedding.maxShare is 0; allowed'],
    [{ shedding: 100 }, 'shedding is 100; allowed: an object with inFlight, loopDelay, maxShare'],
    [{ backstop: '0ms' }, 'backstop is "0ms"; allowed'],
    [{ skipPaths: ['/'] }, 'an entry of skipPaths is "/"; allowed'],
    [{ skipPaths: ['/a', ''] }, 'an entry of skipPaths is ""; allowed'],
    [{ enforcement: 'always' }, "enforcement is \"always\"; allowed: 'auto', 'interceptor'"],
    [{ preset: 'web' }, "preset is \"web\"; allowed: 'api', 'ai', 'upload', 'batch'"],
    [{ profile: 'prod' }, "profile is \"prod\"; allowed: 'production', 'development'"],
    [{ strict: 'yes' }, 'strict is "yes"; allowed: true, false'],
    [{ outbound: { patchGlobalFetch: 0 } }, 'outbound.patchGlobalFetch is 0; allowed: true, false'],
    [{ hanlder: '5s' }, 'hanlder is not an option; known: profile, preset, headers, body, handler'],
    [{ handlerMs: 5 }, 'handlerMs is not an option; known'],
    [{ constructor: 5 }, 'constructor is not an option; known'],
    [{ 'body.idle': 5 }, 'body.idle is not an option; known'],
    [{ body: { idel: 5 } }, 'body.idel is not an option; known: idle, minRate, grace, total'],
    [{ policies: ['fast'] }, 'policies is a list; allowed: an object'],
    [
      { policies: { fast: '2s' } },
      'policies.fast is "2s"; allowed: an object such as { handler: \'2m\' }',
    ],
    [{ policies: { fast: { handler: 0 } } }, 'policies.fast.handler is 0; allowed'],
    [
      { policies: { fast: { status: 200 } } },
      'policies.fast.status is 200; allowed: an error status',
    ],
    [{ policies: { fast: { detail: '' } } }, 'policies.fast.detail is ""; allowed: a text'],
    [{ policies: { fast: { policy: 'slow' } } }, 'policies.fast.policy is not an option; known'],
    [
      { policies: { fast: { onDisconnect: 'stop' } } },
      'policies.fast.onDisconnect is "stop"; allowed',
    ],
    [
      { policies: { fast: { onDisconnect: { grace: 0 } } } },
      'policies.fast.onDisconnect.grace is 0',
    ],
    [undefined, 'the options of TimeoutsModule is undefined; allowed: an object'],
    [['5s'], 'the options of TimeoutsModule is a list; allowed: an object'],
    [Promise.resolve({}), 'the options of TimeoutsModule is a promise; allowed: an object'],
  ])('P06 refuses %p', (options, message) => {
    expect(faultsOf(options)).toEqual([expect.stringContaining(message)]);
  });

  it('P06 reports all faults of options, variables and names in one error', () => {
    const faults = faultsOf(
      { handler: 0, typo: 1, body: { idle: 'x', minRate: -1 }, policies: { a: { handler: NaN } } },
      {
        REQUEST_TIMEOUT_SECONDS: 'abc',
        TERMINATION_GRACE_PERIOD_SECONDS: '-5',
        NODE_ENV: 'prodution',
      },
    );

    expect(faults.map((fault) => fault.split(' is ')[0])).toEqual([
      'handler',
      'typo',
      'body.idle',
      'body.minRate',
      'REQUEST_TIMEOUT_SECONDS',
      'NODE_ENV',
      'policies.a.handler',
      'TERMINATION_GRACE_PERIOD_SECONDS',
    ]);
  });
});

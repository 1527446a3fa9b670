import { describe, expect, it } from '@jest/globals';
import { VARIABLES } from './env.js';
import type { TimeoutsOptions } from './timeouts-options.js';
import { DEFAULTS, resolveOptions } from './timeouts-options.js';

const everything = {
  headers: 1,
  body: { idle: 2, minRate: 3, grace: 4, total: 5 },
  handler: 6,
  stream: { idle: 7, total: 8 },
  response: { minRate: 9, grace: 10 },
  outbound: { connect: 11, headers: 12, bodyIdle: 13, total: 14, patchGlobalFetch: false },
  statement: 15,
  job: 16,
  webhook: 17,
  shutdown: { grace: 18, readinessDelay: 19, quiet: 20 },
  shedding: { inFlight: 21, loopDelay: 22, maxShare: 0.23 },
  skipPaths: ['/x'],
  enforcement: 'interceptor',
  backstop: 21,
  suspendWhileDebugging: true,
  strict: true,
} as const satisfies TimeoutsOptions;

describe('resolveOptions', () => {
  it('has the documented defaults in production', () => {
    const { origins, ...options } = resolveOptions({}, { NODE_ENV: 'production' });

    expect(options).toEqual({
      profile: 'production',
      headersMs: 20_000,
      body: { idleMs: 15_000, minRate: 240, graceMs: 5_000, totalMs: Infinity },
      handlerMs: 30_000,
      stream: { idleMs: Infinity, totalMs: Infinity },
      response: { minRate: 240, graceMs: 5_000 },
      outbound: {
        connectMs: 10_000,
        headersMs: 10_000,
        bodyIdleMs: 10_000,
        totalMs: Infinity,
        patchGlobalFetch: true,
      },
      statementMs: Infinity,
      jobMs: Infinity,
      webhookMs: 10_000,
      shutdown: { graceMs: 20_000, readinessDelayMs: 5_000, quietMs: 0 },
      shedding: { inFlight: Infinity, loopDelayMs: Infinity, maxShare: 0.5 },
      skipPaths: [],
      policies: new Map(),
      enforcement: 'auto',
      backstopMs: 100,
      suspendWhileDebugging: false,
      strict: false,
    });
    expect(origins.size).toBe(Object.keys(DEFAULTS).length + 1);
  });

  it('differs in development by four values', () => {
    const { body, handlerMs, shutdown, origins } = resolveOptions({}, {});

    expect([body.idleMs, handlerMs, shutdown.graceMs, shutdown.readinessDelayMs]).toEqual([
      30_000, 15_000, 5_000, 0,
    ]);
    expect([...origins].filter(([, origin]) => origin === 'profile development')).toHaveLength(4);
  });

  it('P08 takes every option', () => {
    const { origins, policies, profile, ...options } = resolveOptions(everything, {});

    expect(options).toEqual({
      headersMs: 1,
      body: { idleMs: 2, minRate: 3, graceMs: 4, totalMs: 5 },
      handlerMs: 6,
      stream: { idleMs: 7, totalMs: 8 },
      response: { minRate: 9, graceMs: 10 },
      outbound: {
        connectMs: 11,
        headersMs: 12,
        bodyIdleMs: 13,
        totalMs: 14,
        patchGlobalFetch: false,
      },
      statementMs: 15,
      jobMs: 16,
      webhookMs: 17,
      shutdown: { graceMs: 18, readinessDelayMs: 19, quietMs: 20 },
      shedding: { inFlight: 21, loopDelayMs: 22, maxShare: 0.23 },
      skipPaths: ['/x'],
      enforcement: 'interceptor',
      backstopMs: 21,
      suspendWhileDebugging: true,
      strict: true,
    });
    expect(new Set(origins.values())).toEqual(new Set(['option', 'default']));
    expect([profile, policies.size]).toEqual(['development', 0]);
  });

  it.each(Object.entries(VARIABLES))('P08 prefers the option to %s', (name, { sets, unit }) => {
    const env = { [name]: unit === 'paths' ? '/from-env' : '99' };

    const fromEnv = resolveOptions({}, env).origins;
    const fromOption = resolveOptions(everything, env).origins;

    for (const path of sets) {
      expect(fromEnv.get(path)).toBe(`variable ${name}`);
      expect(fromOption.get(path)).toBe('option');
    }
  });

  it('P08 overrides member by member', () => {
    const env = { HTTP_CLIENT_TIMEOUT_SECONDS: '3', REQUEST_BODY_GRACE_SECONDS: '2' };

    const { outbound, body } = resolveOptions({ outbound: { total: '9s' }, body: '4s' }, env);

    expect(outbound).toMatchObject({ headersMs: 3_000, bodyIdleMs: 3_000, totalMs: 9_000 });
    expect(body).toMatchObject({ idleMs: 4_000, graceMs: 2_000 });
  });

  it('P07 keeps long limits and knows no limit in every spelling', () => {
    const options = resolveOptions(
      { handler: '30d', job: Infinity, statement: 'none', body: { minRate: 'none' } },
      { REQUEST_HEADERS_TIMEOUT_SECONDS: 'none' },
    );

    expect(options).toMatchObject({
      handlerMs: 2_592_000_000,
      jobMs: Infinity,
      statementMs: Infinity,
      headersMs: Infinity,
      body: { minRate: 0 },
    });
  });

  it.each([
    [{ profile: 'production' }, { NODE_ENV: 'qa' }, 'production', 'option'],
    [{}, { APP_ENV: 'prod' }, 'production', 'variable APP_ENV'],
    [{}, { NODE_ENV: 'test' }, 'development', 'variable NODE_ENV'],
    [{}, {}, 'development', 'default'],
  ] as const)('P09 chooses the profile: %p %p', (options, env, profile, origin) => {
    const resolved = resolveOptions(options, env);

    expect([resolved.profile, resolved.origins.get('profile')]).toEqual([profile, origin]);
  });

  it.each([
    [{}, {}, 10_000, 'default'],
    [{ outbound: '3s' }, {}, 3_000, 'outbound'],
    [{ outbound: { total: '20s' } }, {}, 20_000, 'outbound'],
    [{}, { HTTP_CLIENT_TIMEOUT_SECONDS: '4' }, 4_000, 'outbound'],
    [{ preset: 'ai' }, {}, 60_000, 'outbound'],
    [{ outbound: 'none' }, {}, Infinity, 'outbound'],
    [{ outbound: '3s', webhook: '5s' }, {}, 5_000, 'option'],
    [
      { outbound: '3s' },
      { WEBHOOK_DELIVERY_TIMEOUT_SECONDS: '6' },
      6_000,
      'variable WEBHOOK_DELIVERY_TIMEOUT_SECONDS',
    ],
  ] as const)('lets webhook follow outbound until it is set: %p %p', (options, env, ms, origin) => {
    const resolved = resolveOptions(options, env);

    expect([resolved.webhookMs, resolved.origins.get('webhook')]).toEqual([ms, origin]);
  });

  it('treats undefined as unset and takes an instance of a class', () => {
    class Options implements TimeoutsOptions {
      handler = '2s' as const;
      body = undefined;
      stream = { idle: undefined };
    }

    const options = resolveOptions(new Options(), {});

    expect([options.handlerMs, options.body.idleMs, options.stream.idleMs]).toEqual([
      2_000,
      30_000,
      Infinity,
    ]);
  });

  it('keeps named policies in milliseconds', () => {
    const { policies } = resolveOptions(
      { policies: { report: { handler: '2m', outbound: '5s', onDisconnect: { grace: '1s' } } } },
      {},
    );

    expect(policies.get('report')).toEqual({
      handlerMs: 120_000,
      outbound: { headersMs: 5_000, bodyIdleMs: 5_000 },
      onDisconnect: { graceMs: 1_000 },
    });
  });

  it('is frozen all the way down', () => {
    const options = resolveOptions({ policies: { a: { body: '5s' } }, skipPaths: ['/x'] }, {});

    for (const part of [
      options,
      options.body,
      options.outbound,
      options.skipPaths,
      options.policies,
      options.policies.get('a'),
      options.policies.get('a')?.body,
      options.origins,
    ]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

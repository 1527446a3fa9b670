import { describe, expect, it } from '@jest/globals';
import { TimeoutsConfigurationError } from './configuration-error.js';
import type { SkippableLayer, TimeoutsMarker } from './decorators.js';
import type { DeadlineSpec } from './policy-options.js';
import { resolveOptions } from './resolve-options.js';
import type { RoutePolicy } from './route-policy.js';
import { defaultRoutePolicy, resolveRoutePolicy } from './route-policy.js';

const where = 'GET /v1/orders (OrdersController.list)';
const options = resolveOptions(
  {
    handler: '30s',
    statement: '5s',
    policies: {
      fast: { handler: '1s', statement: '500ms', status: 503, title: 'Busy', detail: 'Try later' },
      slow: { handler: '5m', outbound: { total: '1m' } },
    },
  },
  { NODE_ENV: 'production' },
);

function deadline(...specs: unknown[]): TimeoutsMarker {
  return { specs: specs as DeadlineSpec[], skip: [] };
}

function skip(...layers: string[]): TimeoutsMarker {
  return { specs: [], skip: layers as SkippableLayer[] };
}

function both(spec: DeadlineSpec, layer: SkippableLayer): TimeoutsMarker {
  return { specs: [spec], skip: [layer] };
}

function policyOf(onClass?: TimeoutsMarker, onMethod?: TimeoutsMarker): RoutePolicy {
  return resolveRoutePolicy(options, onClass, onMethod, where);
}

function faultsOf(onClass?: TimeoutsMarker, onMethod?: TimeoutsMarker): readonly string[] {
  try {
    policyOf(onClass, onMethod);
  } catch (error) {
    if (error instanceof TimeoutsConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

describe('defaultRoutePolicy', () => {
  it('is what the options say', () => {
    expect(defaultRoutePolicy(options)).toEqual({
      handlerMs: 30_000,
      handlerMarked: false,
      status: 504,
      body: { idleMs: 15_000, minRate: 240, graceMs: 5_000, totalMs: Infinity },
      stream: { idleMs: Infinity, totalMs: Infinity },
      outbound: {},
      statementMs: 5_000,
      onDisconnect: 'cancel',
      custom: false,
    });
  });

  it('applies to a route without markers', () => {
    expect(policyOf()).toEqual(defaultRoutePolicy(options));
  });
});

describe('resolveRoutePolicy', () => {
  it.each([
    ['module', undefined, undefined, 30_000],
    ['class over module', deadline('20s'), undefined, 20_000],
    ['method over module', undefined, deadline(10_000), 10_000],
    ['method over class', deadline('20s'), deadline('10s'), 10_000],
    ['method over class, though longer', deadline('20s'), deadline('60s'), 60_000],
    [
      'class, when the method sets another field',
      deadline('20s'),
      deadline({ body: '1s' }),
      20_000,
    ],
    ['an undefined field is unset', deadline('20s'), deadline({ handler: undefined }), 20_000],
    ['the upper of two decorators', undefined, deadline('20s', '10s'), 10_000],
    ['no limit', deadline('20s'), deadline('none'), Infinity],
  ])('P03 resolves %s', (_, onClass, onMethod, handlerMs) => {
    expect(policyOf(onClass, onMethod).handlerMs).toBe(handlerMs);
  });

  it('P03 goes field by field, also inside groups', () => {
    const policy = policyOf(
      deadline({ body: { idle: '9s', total: '8s' }, outbound: '2s', status: 503, statement: '3s' }),
      deadline({
        body: { idle: '1s', minRate: 'none' },
        outbound: { total: '4s' },
        stream: { idle: '7s' },
        onDisconnect: 'continue',
      }),
    );

    expect(policy).toEqual({
      handlerMs: 30_000,
      handlerMarked: false,
      status: 503,
      body: { idleMs: 1_000, minRate: 0, graceMs: 5_000, totalMs: 8_000 },
      stream: { idleMs: 7_000, totalMs: Infinity },
      outbound: { headersMs: 2_000, bodyIdleMs: 2_000, totalMs: 4_000 },
      statementMs: 3_000,
      onDisconnect: 'continue',
      custom: true,
    });
  });

  it.each([
    ['a method timeout beats a class skip', skip('handler'), deadline('1s'), 1_000],
    ['a method policy beats a class skip', skip('handler'), deadline({ policy: 'fast' }), 1_000],
    ['another field leaves a class skip', skip('handler'), deadline({ body: '1s' }), Infinity],
    ['a method skip beats a class timeout', deadline('1s'), skip('handler'), Infinity],
    ['a method skip beats its own timeout', undefined, both('1s', 'handler'), Infinity],
    ['a class skip beats its own timeout', both('1s', 'handler'), undefined, Infinity],
    ['a body skip leaves the handler', undefined, both('1s', 'body'), 1_000],
  ])('P04 %s', (_, onClass, onMethod, handlerMs) => {
    expect(policyOf(onClass, onMethod)).toMatchObject({ handlerMs, handlerMarked: true });
  });

  it('P04 lifts the body limits and lets a method set them again', () => {
    const lifted = policyOf(skip('body'));
    const set = policyOf(skip('body'), deadline({ body: { minRate: 100 } }));

    expect(lifted).toMatchObject({
      handlerMs: 30_000,
      body: { idleMs: Infinity, minRate: 0, totalMs: Infinity },
    });
    expect(set.body).toEqual({ idleMs: Infinity, minRate: 100, graceMs: 5_000, totalMs: Infinity });
  });

  it('P05 pulls a named policy, below the fields beside it', () => {
    expect(
      policyOf(deadline({ policy: 'slow' }), deadline({ policy: 'fast', statement: '2s' })),
    ).toMatchObject({
      policyName: 'fast',
      handlerMs: 1_000,
      statementMs: 2_000,
      status: 503,
      title: 'Busy',
      detail: 'Try later',
      outbound: { totalMs: 60_000 },
    });
  });

  it('P05 refuses an unknown name, with the route and the known names', () => {
    expect(faultsOf(undefined, deadline({ policy: 'fsat' }))).toEqual([
      `policy on ${where} is "fsat"; allowed: fast, slow`,
    ]);
  });

  it('P05 says so when there are no policies at all', () => {
    const none = resolveOptions({}, {});

    expect(() => resolveRoutePolicy(none, deadline({ policy: 'fast' }), undefined, where)).toThrow(
      'is "fast"; allowed: none, as `policies` has no entry',
    );
  });

  it.each([
    [deadline(0), 'handler on GET /v1/orders (OrdersController.list) is 0; allowed'],
    [deadline('100'), 'is "100" (no unit)'],
    [deadline(undefined), 'handler on GET /v1/orders (OrdersController.list) is undefined'],
    [deadline(['5s']), 'is a list'],
    [deadline({ body: { idle: 'x' } }), 'body.idle on GET /v1/orders'],
    [
      deadline({ timeout: 5 }),
      'timeout on GET /v1/orders (OrdersController.list) is not an option',
    ],
    [deadline({ status: 200 }), 'status on GET /v1/orders (OrdersController.list) is 200'],
    [deadline({ onDisconnect: { graceMs: 5 } }), 'onDisconnect on GET /v1/orders'],
    [
      skip('outbound'),
      "@SkipTimeout on GET /v1/orders (OrdersController.list) is \"outbound\"; allowed: 'handler', 'body'",
    ],
  ])('P06 refuses %p at boot and names the route', (marker, message) => {
    expect(faultsOf(marker)).toEqual([expect.stringContaining(message)]);
  });

  it('P06 collects the faults of class and method', () => {
    expect(
      faultsOf(deadline({ handler: 0, statement: -1 }), deadline({ policy: 'x' })),
    ).toHaveLength(3);
  });

  it.each([
    ['the default written out', deadline('30s'), false],
    ['the default in another unit', deadline({ handler: 30_000, status: 504 }), false],
    ['another limit', deadline('29s'), true],
    ['an outbound limit', deadline({ outbound: '10s' }), true],
    ['a grace on disconnect', deadline({ onDisconnect: { grace: '1s' } }), true],
  ])('knows whether %s is custom', (_, marker, custom) => {
    expect(policyOf(marker).custom).toBe(custom);
  });

  it('is frozen', () => {
    const policy = policyOf(deadline({ body: '1s' }));

    for (const part of [policy, policy.body, policy.outbound]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

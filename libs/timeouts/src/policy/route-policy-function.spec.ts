import { describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { InvalidDurationError } from '../core/duration.js';
import type { SkippableLayer, TimeoutsMarker } from './decorators.js';
import type { DeadlineSpec } from './policy-options.js';
import { resolveOptions } from './resolve-options.js';
import type { RoutePolicy } from './route-policy.js';
import { resolveRoutePolicy } from './route-policy.js';

const where = 'GET /v1/orders (OrdersController.list)';
const options = resolveOptions(
  { handler: '30s', policies: { fast: { handler: '1s' }, slow: { handler: '5m' } } },
  {},
);

function deadline(...specs: unknown[]): TimeoutsMarker {
  return { specs: specs as DeadlineSpec[], skip: [] };
}

function skip(layer: SkippableLayer): TimeoutsMarker {
  return { specs: [], skip: [layer] };
}

function policyOf(onClass?: TimeoutsMarker, onMethod?: TimeoutsMarker): RoutePolicy {
  return resolveRoutePolicy(options, onClass, onMethod, where);
}

function ask(policy: RoutePolicy, request: object = {}): RoutePolicy {
  const context = { switchToHttp: () => ({ getRequest: () => request }) };
  return policy.resolve?.(context as unknown as ExecutionContext) ?? policy;
}

describe('a spec that is a function', () => {
  const byQuery: DeadlineSpec = (context) =>
    context.switchToHttp().getRequest<{ full?: boolean }>().full
      ? { policy: 'slow', statement: '4s' }
      : '2s';

  it('P13 is asked with each context, over the class and module', () => {
    const policy = policyOf(deadline({ body: '1s', statement: '3s' }), deadline(byQuery));

    expect(policy).toMatchObject({ handlerMs: 30_000, body: { idleMs: 1_000 } });
    expect(ask(policy)).toMatchObject({
      handlerMs: 2_000,
      handlerMarked: true,
      statementMs: 3_000,
      body: { idleMs: 1_000 },
    });
    expect(ask(policy, { full: true })).toMatchObject({
      handlerMs: 300_000,
      statementMs: 4_000,
      policyName: 'slow',
    });
    expect(ask(policy).resolve).toBeUndefined();
  });

  it.each([
    ['method function over class function', deadline(() => '1s'), deadline(() => '2s'), 2_000],
    ['method literal over class function', deadline(() => '1s'), deadline('2s'), 2_000],
    [
      'class function, method sets another field',
      deadline(() => '1s'),
      deadline({ status: 503 }),
      1_000,
    ],
    ['method skip over class function', deadline(() => '1s'), skip('handler'), Infinity],
    [
      'a skip over the function beside it',
      undefined,
      { ...deadline(() => '1s'), skip: ['handler'] as const },
      Infinity,
    ],
    ['method function over class skip', skip('handler'), deadline(() => '2s'), 2_000],
    ['function over a literal beside it', undefined, deadline(() => '1s', '2s'), 1_000],
  ])('P03 P04 obeys the same order: %s', (_, onClass, onMethod, handlerMs) => {
    expect(ask(policyOf(onClass, onMethod)).handlerMs).toBe(handlerMs);
  });

  it.each([
    [0, 'is 0'],
    ['soon', 'is "soon"'],
    [undefined, 'is undefined'],
    [Promise.resolve('1s'), 'is a promise'],
    [{ body: { idle: NaN } }, 'is NaN'],
  ])('P06 refuses the answer %p at run time and names the route', (answer, message) => {
    const policy = policyOf(
      undefined,
      deadline(() => answer),
    );

    expect(() => ask(policy)).toThrow(InvalidDurationError);
    expect(() => ask(policy)).toThrow(message);
    expect(() => ask(policy)).toThrow(where);
  });

  it('P05 refuses an unknown policy at run time', () => {
    const policy = policyOf(deadline(() => ({ policy: 'nope' })));

    expect(() => ask(policy)).toThrow(`policy on ${where} is "nope"; allowed: fast, slow`);
  });

  it('makes the policy custom, and what it resolves to is frozen', () => {
    const policy = policyOf(deadline(() => '30s'));

    expect([policy.custom, ask(policy).custom]).toEqual([true, false]);
    for (const part of [policy, ask(policy), ask(policy).body]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });
});

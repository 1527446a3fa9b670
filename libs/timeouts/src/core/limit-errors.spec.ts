import { describe, expect, it } from '@jest/globals';
import { openApplicationScope, openScope } from './current-scope.js';
import { DeadlineExceededError, isCancelled, PoolWaitTimeoutError } from './errors.js';
import { limitBehind, noteLimit } from './limit-errors.js';
import type { Outcome } from './outcome.js';
import { runScoped } from './run-scoped.js';

const FACTS = {
  code: 'statement_timeout',
  reason: 'deadline',
  layer: 'statement',
  scopeName: 'GET /orders',
  timeoutMs: 100,
  elapsedMs: 101,
  message: 'Statement did not complete within 100ms',
} as const;

const limitOf = (error: object) => {
  const limit = new DeadlineExceededError(FACTS);
  noteLimit(error, limit);
  return limit;
};

describe('limits behind errors', () => {
  it('Q10 is found where it was noted, and knows what was thrown', () => {
    const error = new Error('canceled');
    const limit = limitOf(error);

    expect(limitBehind(error)).toBe(limit);
    expect(limit.cause).toBe(error);
    expect(isCancelled(limit)).toBe(true);
    expect(limit).toMatchObject({ ...FACTS, overloaded: false, name: 'DeadlineExceededError' });
  });

  it.each<[string, (inner: Error) => object]>([
    ['a cause', (cause) => new Error('outer', { cause })],
    ['a driver error', (driverError) => Object.assign(new Error('outer'), { driverError })],
    [
      'both',
      (driverError) =>
        new Error('outer', { cause: Object.assign(new Error('middle'), { driverError }) }),
    ],
  ])('Q10 is found behind what was made of it: %s', (_, wrap) => {
    const inner = new Error('canceled');
    const limit = limitOf(inner);
    const outer = wrap(inner);

    expect(limitBehind(outer)).toBe(limit);
    expect(limit.cause).toBe(outer);
  });

  it('Q10 is not looked for behind an HTTP exception: that was somebody’s choice', () => {
    const cause = new Error('canceled');
    limitOf(cause);

    expect(limitBehind(Object.assign(new Error('503', { cause }), { getStatus }))).toBeUndefined();
  });

  it('Q10 is not found in others, nor in a circle of them', () => {
    const circle = new Error('round');
    circle.cause = circle;

    for (const error of [circle, new Error('57014'), null, undefined, 'text', 42]) {
      expect(limitBehind(error)).toBeUndefined();
    }
  });

  it('Q10 is what the work that fails with it ended of', async () => {
    const outcomes: Outcome[] = [];
    const listener = { cancelsOnly: true, onOutcome: (outcome: Outcome) => outcomes.push(outcome) };
    const root = openApplicationScope({ listeners: [listener] });
    const error = new Error('canceled');
    const limit = limitOf(error);
    const scope = openScope(root, 'task', 'work', 5_000);

    await expect(runScoped(scope, () => Promise.reject(error))).rejects.toBe(error);

    expect(outcomes).toMatchObject([
      { name: 'work', result: 'deadline', layer: 'statement', timeoutMs: 100, error: limit },
    ]);
    expect(scope.reason).toBeUndefined();
    root.close();
  });

  it('Q10 says which was too long for a shared resource', () => {
    const error = new PoolWaitTimeoutError({ ...FACTS, layer: 'pool', overloaded: true });

    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect([error.name, error.overloaded, isCancelled(error)]).toEqual([
      'PoolWaitTimeoutError',
      true,
      true,
    ]);
    expect(Object.keys(error)).not.toContain('overloaded');
  });
});

function getStatus(): number {
  return 503;
}

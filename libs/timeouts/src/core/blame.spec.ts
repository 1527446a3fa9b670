import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import type { Blame } from './blame.js';
import { blameOf, putBlame, takeBackBlame } from './blame.js';
import { openApplicationScope, openScope } from './current-scope.js';

const POOL: Blame = { layer: 'pool', message: (ms) => `no connection for ${ms} ms` };

describe('blame', () => {
  const open = () => {
    const clock = new ManualClock();
    const root = openApplicationScope({ clock });
    return { clock, root, scope: openScope(root, 'request', 'GET /orders', 100, 'handler') };
  };

  it('Q10 names what the time of a deadline was lost on', () => {
    const { clock, scope } = open();
    putBlame(scope, POOL);
    clock.advance(100);

    expect(scope.error).toMatchObject({
      reason: 'deadline',
      layer: 'pool',
      code: 'pool_timeout',
      timeoutMs: 100,
      message: 'no connection for 100 ms',
    });
  });

  it('Q10 is over when the last of those who put it has taken it back', () => {
    const { clock, scope } = open();
    putBlame(scope, POOL);
    putBlame(scope, POOL);
    takeBackBlame(scope);
    expect(blameOf(scope)).toBe(POOL);
    takeBackBlame(scope);
    takeBackBlame(scope);
    clock.advance(100);

    expect(scope.error).toMatchObject({ layer: 'handler', code: 'handler_timeout' });
  });

  it('Q10 is not for other reasons, nor for other deadlines', () => {
    const { clock, scope, root } = open();
    const inner = openScope(scope, 'block', 'lookup', 50);
    putBlame(scope, POOL);
    clock.advance(50);
    scope.cancel('disconnect');

    expect(inner.error).toMatchObject({ layer: 'handler', scopeName: 'lookup' });
    expect(scope.error).toMatchObject({ layer: 'handler', code: 'client_disconnected' });
    root.close();
  });
});

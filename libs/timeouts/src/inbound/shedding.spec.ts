import { describe, expect, it } from '@jest/globals';
import { openApplicationScope, openScope } from '../core/current-scope.js';
import { block } from '../../../../test/support/work.js';
import { eventually } from '../../../../test/support/eventually.js';
import { LoopDelay } from './loop-delay.js';
import { Shedding } from './shedding.js';

const NONE = { inFlight: Infinity, loopDelayMs: Infinity, maxShare: 0.5 };

function overloaded(maxShare: number): Shedding {
  const root = openApplicationScope();
  openScope(root, 'request', 'GET /');
  return Shedding.of({ ...NONE, inFlight: 1, maxShare }, root)!;
}

describe('Shedding', () => {
  it('does not exist without a threshold', () => {
    expect(Shedding.of(NONE, openApplicationScope())).toBeUndefined();
  });

  it.each([0.1, 0.5, 0.9])('refuses no more than %p of the requests, and not less', (maxShare) => {
    const shedding = overloaded(maxShare);

    for (let times = 0; times < 10_000; times++) shedding.refuses();

    expect(shedding.count).toBeGreaterThan(10_000 * maxShare - 20);
    expect(shedding.count).toBeLessThanOrEqual(10_000 * maxShare + 10);
  });

  it('may refuse all but the first where that is allowed', () => {
    const shedding = overloaded(1);

    const refused = Array.from({ length: 1_000 }, () => shedding.refuses());

    expect(refused.filter((isRefused) => !isRefused)).toEqual([false]);
  });

  it('saves up no more than ten refusals in a row', () => {
    const root = openApplicationScope();
    const shedding = Shedding.of({ ...NONE, inFlight: 1 }, root)!;
    for (let times = 0; times < 1_000; times++) shedding.refuses();

    openScope(root, 'request', 'GET /');
    const refused = Array.from({ length: 20 }, () => shedding.refuses());

    expect(refused.indexOf(false)).toBe(10);
  });
});

describe('LoopDelay', () => {
  it('measures turns by their length, and only while it is started', async () => {
    const delay = new LoopDelay(100);
    delay.start();
    delay.start();

    block(300);
    await eventually(() => delay.ms > 0, 'a delay');
    const busy = delay.ms;
    await eventually(() => delay.ms < 100, 'rest');
    delay.stop();
    const last = delay.ms;
    block(300);
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(busy).toBeGreaterThan(200);
    expect(delay.ms).toBe(last);
  });
});

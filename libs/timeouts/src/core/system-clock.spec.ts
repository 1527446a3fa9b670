import { AsyncLocalStorage } from 'node:async_hooks';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { AlarmHandle } from './clock.js';
import { closeApplicationScope, openApplicationScope, openScope } from './current-scope.js';
import { systemClock } from './system-clock.js';

const pending = new Set<NodeJS.Timeout>();

const nodeSetTimeout = globalThis.setTimeout;

/** Timers made here that keep the process alive; those of the process would include the runner's own. */
const reffedTimers = () => [...pending].filter((timer) => timer.hasRef()).length;

beforeAll(() => {
  const recording = (callback: () => void, ms?: number) => {
    const timer = nodeSetTimeout(() => {
      pending.delete(timer);
      callback();
    }, ms);
    pending.add(timer);
    return timer;
  };
  globalThis.setTimeout = Object.assign(recording, nodeSetTimeout) as typeof nodeSetTimeout;
});

afterAll(() => {
  globalThis.setTimeout = nodeSetTimeout;
});

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Sets one alarm per delay; `rung` resolves with their indexes in the order they rang. */
function ringAll(delays: readonly number[]) {
  const start = systemClock.now();
  const order: number[] = [];
  const early: number[] = [];
  const handles: AlarmHandle[] = [];
  const rung = new Promise<number[]>((resolve) => {
    for (const [index, delay] of delays.entries()) {
      const ring = () => {
        if (systemClock.now() < start + delay) early.push(index);
        if (order.push(index) === delays.length) resolve(order);
      };
      handles.push(systemClock.at(start + delay, { ring }));
    }
  });
  return { rung, order, early, handles };
}

describe('the system clock', () => {
  it('rings in the order of the instants, never early', async () => {
    const { rung, early } = ringAll([80, 20, 50, 35, 1, 110]);

    expect(await rung).toEqual([4, 1, 3, 2, 0, 5]);
    expect(early).toEqual([]);
  });

  it('rings what is due in the past, but not inside at()', async () => {
    const { rung, order } = ringAll([-1_000, 0]);

    expect(order).toEqual([]);
    expect(await rung).toEqual([0, 1]);
  });

  it('does not ring what was cancelled: first, last, or in the middle of its lane', async () => {
    const { order, handles } = ringAll([20, 20, 20, 20, 20]);
    const { rung: after } = ringAll([40]);
    for (const index of [0, 2, 4]) handles[index]!.cancel();

    await after;
    for (const handle of handles) handle.cancel();

    expect(order.toSorted()).toEqual([1, 3]);
  });

  it('an alarm may cancel the next, and set another for the same number of milliseconds', async () => {
    const rung: string[] = [];
    await new Promise<void>((resolve) => {
      const at = (ms: number, ring: () => void) => systemClock.at(systemClock.now() + ms, { ring });
      at(15, () => {
        rung.push('first');
        second.cancel();
        at(15, () => {
          rung.push('again');
          resolve();
        });
      });
      const second = at(15, () => rung.push('second'));
    });

    expect(rung).toEqual(['first', 'again']);
  });

  it('a lane whose timer is older than its alarms still rings on time', async () => {
    const stale = systemClock.at(systemClock.now() + 50, { ring: () => {} });
    stale.cancel();
    await ringAll([25]).rung;

    const { rung, early } = ringAll([50]);
    await rung;

    expect(early).toEqual([]);
  });

  it('P07 more than 2^31-1 ms ahead does not ring at once', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);

    const before = reffedTimers();
    const { order, handles } = ringAll([2 ** 31, 2 ** 33, 2 ** 40]);
    await ringAll([20]).rung;
    for (const handle of handles) handle.cancel();
    process.off('warning', onWarning);

    expect(order).toEqual([]);
    expect(warnings).toEqual([]);
    expect(reffedTimers()).toBeLessThanOrEqual(before);
  });

  it('leaves no timer that keeps the process alive', async () => {
    const before = reffedTimers();
    const { handles } = ringAll([30_000, 30_000, 45_000]);
    expect(reffedTimers()).toBeGreaterThan(before);
    for (const handle of handles) handle.cancel();
    expect(reffedTimers()).toBeLessThanOrEqual(before);
    const { handles: again } = ringAll([30_000]);
    expect(reffedTimers()).toBe(before + 1);
    again[0]!.cancel();

    await ringAll([5]).rung;

    expect(reffedTimers()).toBeLessThanOrEqual(before);
  });

  it('10,000 alarms for the same number of milliseconds need a handful of timers', () => {
    const before = reffedTimers();

    const handles = Array.from({ length: 10_000 }, () =>
      systemClock.at(systemClock.now() + 30_000, { ring: () => {} }),
    );
    const timers = reffedTimers() - before;
    for (const handle of handles) handle.cancel();

    // Rounding spreads one limit over neighbouring lanes.
    expect(timers).toBeLessThanOrEqual(5);
  });

  it('10,000 alarms at once are rung in turns', async () => {
    const before = reffedTimers();
    let rungInARow = 0;
    let rows = 0;
    let rung = 0;
    let watching = true;
    const watch = () => {
      rungInARow = 0;
      if (watching) setImmediate(watch);
    };
    watch();
    await new Promise<void>((resolve) => {
      const ring = () => {
        if (rungInARow++ === 0) rows++;
        block(0.02);
        if (++rung === 10_000) resolve();
      };
      const now = systemClock.now();
      for (let i = 0; i < 10_000; i++) systemClock.at(now + 30, { ring }, now);
      block(40);
    });
    watching = false;

    // Two hundred milliseconds of work.
    expect(rows).toBeGreaterThanOrEqual(10);
    expect(reffedTimers()).toBeLessThanOrEqual(before);
  });

  it('holds no request: alarms ring outside the async context that set them', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen = await storage.run(
      'request',
      () =>
        new Promise<unknown>((resolve) => {
          systemClock.at(systemClock.now() + 5, { ring: () => resolve(storage.getStore()) });
        }),
    );

    expect(seen).toBeUndefined();
  });

  it('fires a deadline not before it, and within 60 ms and 10 % after it', async () => {
    const root = openApplicationScope();
    const scope = openScope(root, 'block', 'block', 200);

    await new Promise<void>((resolve) => scope.onCancel(resolve));
    const elapsedMs = systemClock.now() - scope.startedAt;

    expect(elapsedMs).toBeGreaterThanOrEqual(200);
    expect(elapsedMs).toBeLessThan(280);
    scope.close();
    closeApplicationScope(root);
  });
});

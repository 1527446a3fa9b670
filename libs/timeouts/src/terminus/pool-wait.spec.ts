import { describe, expect, it } from '@jest/globals';
import type { PoolUse } from '../inbound/pool-use.js';
import { ManualClock } from '../testing/manual-clock.js';
import { PoolWait } from './pool-wait.js';

const IDLE: PoolUse = {
  name: 'default',
  total: 1,
  idle: 1,
  waiting: 0,
  waits: 0,
  waitedMs: 0,
  abandoned: 0,
  cancelsSent: 0,
  gatesHeld: 0,
  dropped: 0,
};

function watch(...readings: Partial<PoolUse>[][]) {
  const clock = new ManualClock();
  let reading = 0;
  const pools = () => readings[reading]!.map((use) => Object.assign({}, IDLE, use));
  const wait = new PoolWait(pools, clock);
  return (advanceMs: number) => {
    clock.advance(advanceMs);
    const read = wait.read();
    reading = Math.min(reading + 1, readings.length - 1);
    return [read.waiting, read.waitMs];
  };
}

describe('PoolWait', () => {
  it('K05 is the average of those that were served since the last look', () => {
    const look = watch(
      [{ waits: 10, waitedMs: 5_000 }],
      [{ waits: 17, waitedMs: 6_000, waiting: 1, abandoned: 2 }],
    );

    expect([look(1_000), look(1_000), look(1_000)]).toEqual([
      [0, 0],
      [1, 250],
      [1, 1_000],
    ]);
  });

  it('K05 is the time since the last look where some wait and nobody is served', () => {
    const look = watch([{ waits: 3, waiting: 3 }]);

    expect([look(1_000), look(4_000)]).toEqual([
      [3, 0],
      [3, 4_000],
    ]);
  });

  it('K05 is nothing for a pool that counts nobody, and where nobody waits', () => {
    const plain = watch([{ waiting: 3 }]);
    const quiet = watch([{ waits: 9, waitedMs: 90 }]);

    expect([plain(1_000), plain(1_000), quiet(1_000), quiet(1_000)]).toEqual([
      [3, 0],
      [3, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it('K05 is that of the slowest pool, looked at once a second at most', () => {
    const look = watch(
      [{}, { name: 'replica' }],
      [
        { waits: 1, waitedMs: 10 },
        { name: 'replica', waits: 1, waitedMs: 70, waiting: 0 },
      ],
    );

    expect([look(1_000), look(500), look(499), look(1), look(999)]).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 70],
      [0, 70],
    ]);
  });
});

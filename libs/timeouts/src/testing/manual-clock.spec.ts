import { describe, expect, it } from '@jest/globals';
import { ManualClock } from './manual-clock.js';

function alarmsOf(clock: ManualClock) {
  const rung: string[] = [];
  const set = (name: string, instant: number) =>
    clock.at(instant, { ring: () => rung.push(`${name}@${clock.now()}`) });
  return { rung, set };
}

describe('ManualClock', () => {
  it('stands still until it is advanced', () => {
    const clock = new ManualClock();

    clock.advance('1.5s');
    clock.advance(250);

    expect(clock.now()).toBe(1_750);
  });

  it('rings due alarms in the order of their instants, then of their insertion', () => {
    const clock = new ManualClock();
    const { rung, set } = alarmsOf(clock);
    set('late', 300);
    set('first', 100);
    set('second', 100);
    set('middle', 200);

    clock.advance(300);

    expect(rung).toEqual(['first@100', 'second@100', 'middle@200', 'late@300']);
    expect(clock.now()).toBe(300);
  });

  it('rings at the instant, not before, and once', () => {
    const clock = new ManualClock();
    const { rung, set } = alarmsOf(clock);
    set('a', 100);

    clock.advance(99.999);
    expect(rung).toEqual([]);
    clock.advance(0.001);
    clock.advance(1_000);

    expect(rung).toEqual(['a@100']);
  });

  it('leaves out what was cancelled, even by an alarm that rings before it', () => {
    const clock = new ManualClock();
    const { rung, set } = alarmsOf(clock);
    const doomed = set('doomed', 200);
    clock.at(100, { ring: () => doomed.cancel() });
    const kept = set('kept', 50);

    clock.advance(300);
    kept.cancel();

    expect(rung).toEqual(['kept@50']);
  });

  it('rings an alarm set by an alarm in the same call, and one for the past at once', () => {
    const clock = new ManualClock();
    const { rung, set } = alarmsOf(clock);
    clock.at(100, {
      ring: () => {
        set('chained', 150);
        set('overdue', 20);
        set('beyond', 500);
      },
    });

    clock.advance(200);

    expect(rung).toEqual(['overdue@100', 'chained@150']);
    expect(clock.now()).toBe(200);
  });

  it('may be advanced by an alarm', () => {
    const clock = new ManualClock();
    const { rung, set } = alarmsOf(clock);
    clock.at(100, { ring: () => clock.advance(500) });
    set('inner', 400);

    clock.advance(200);

    expect(rung).toEqual(['inner@400']);
    expect(clock.now()).toBe(600);
  });

  it('refuses to go back, and has no end to advance to', () => {
    const clock = new ManualClock();

    expect(() => clock.advance(-1)).toThrow('ManualClock.advance');
    expect(() => clock.advance(Infinity)).toThrow('ManualClock.advance');
  });
});

import type { Alarm, AlarmHandle, Clock } from '../core/clock.js';
import type { Duration } from '../core/duration.js';
import { parseDelay } from '../core/duration.js';

interface PendingAlarm {
  readonly instant: number;
  readonly alarm: Alarm;
}

/**
 * A clock that stands still until it is told to advance, so that a test of a deadline takes no time.
 * It starts at 0, and alarms ring inside `advance`: what they settle is seen after the next `await`.
 *
 * @example
 * const clock = new ManualClock();
 * const answer = enterScope(openApplicationScope({ clock }), () => withDeadline('2s', ask));
 * clock.advance('2s');
 * await expect(answer).rejects.toThrow(DeadlineExceededError);
 */
export class ManualClock implements Clock {
  #now = 0;
  readonly #pending: PendingAlarm[] = [];

  now(): number {
    return this.#now;
  }

  at(instant: number, alarm: Alarm): AlarmHandle {
    const pending = { instant, alarm };
    this.#pending.push(pending);
    return { cancel: () => this.#remove(pending) };
  }

  /**
   * Moves the time by `duration` and rings what comes due on the way, in the order of the instants
   * and, for the same instant, in the order of insertion. While an alarm rings, `now()` is its
   * instant; an alarm that it sets rings in the same call if it comes due within it.
   */
  advance(duration: Duration): void {
    const target = this.#now + parseDelay(duration, 'ManualClock.advance');
    for (let due = this.#nextDue(target); due; due = this.#nextDue(target)) {
      this.#remove(due);
      this.#now = Math.max(this.#now, due.instant);
      due.alarm.ring();
    }
    this.#now = Math.max(this.#now, target);
  }

  #nextDue(target: number): PendingAlarm | undefined {
    let next: PendingAlarm | undefined;
    for (const pending of this.#pending) {
      if (pending.instant <= target && !(next && next.instant <= pending.instant)) next = pending;
    }
    return next;
  }

  #remove(pending: PendingAlarm): void {
    const index = this.#pending.indexOf(pending);
    if (index >= 0) this.#pending.splice(index, 1);
  }
}

import { AsyncResource } from 'node:async_hooks';
import type { Alarm, AlarmHandle, Clock } from './clock.js';

/** Node fires timers above this at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** How long alarms are rung in a row, so that 10,000 at once do not block the event loop. */
const TURN_MS = 4;

/** Looked at the clock after so many, because what an alarm sets off follows right after the row. */
const ALARMS_PER_LOOK = 50;

// A timer created inside a request would hold that request's async context for as long as the
// lane lives, and wake every other request inside it.
const outsideRequests = new AsyncResource('nestjs-timeouts');

class Entry implements AlarmHandle {
  previous: Entry | undefined = undefined;
  next: Entry | undefined = undefined;

  constructor(
    readonly instant: number,
    readonly alarm: Alarm,
    public lane: Lane | undefined,
  ) {}

  cancel(): void {
    this.lane?.leave(this);
  }
}

/**
 * All alarms that were set for the same number of milliseconds ahead. They come due in the order
 * in which they were set, so entering and leaving is a linked-list operation, and one Node timer
 * serves the whole lane.
 */
class Lane {
  #head: Entry | undefined;
  #tail: Entry | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #ms: number;
  readonly #ring = () => this.#ringDue();

  constructor(ms: number) {
    this.#ms = ms;
  }

  enter(entry: Entry): void {
    const tail = this.#tail;
    this.#tail = entry;
    if (tail) {
      tail.next = entry;
      entry.previous = tail;
      return;
    }
    this.#head = entry;
    if (this.#timer) this.#timer.ref();
    else this.#arm(this.#ms);
  }

  leave(entry: Entry): void {
    const { previous, next } = entry;
    if (previous) previous.next = next;
    else this.#head = next;
    if (next) next.previous = previous;
    else this.#tail = previous;
    entry.lane = entry.previous = entry.next = undefined;
    // Kept for the next alarm, but it must not keep the process alive.
    if (!this.#head) this.#timer?.unref();
  }

  #arm(ms: number): void {
    const delay = Math.min(Math.max(1, Math.ceil(ms)), MAX_TIMER_MS);
    this.#timer = outsideRequests.runInAsyncScope(setTimeout, undefined, this.#ring, delay);
  }

  #ringDue(): void {
    const now = performance.now();
    for (let rung = 0; this.#head && this.#head.instant <= now; rung++) {
      if (rung > 0 && rung % ALARMS_PER_LOOK === 0 && isOver(now)) {
        setImmediate(this.#ring);
        return;
      }
      const { alarm } = this.#head;
      this.leave(this.#head);
      alarm.ring();
    }
    if (this.#head) {
      this.#arm(this.#head.instant - now);
    } else {
      this.#timer = undefined;
      lanes.delete(this.#ms);
    }
  }
}

function isOver(turnStart: number): boolean {
  return performance.now() - turnStart > TURN_MS;
}

const lanes = new Map<number, Lane>();

/** The process's monotonic clock. Instants are those of `performance.now()`. */
export const systemClock: Clock = {
  now: () => performance.now(),
  at(instant, alarm, now = performance.now()) {
    const ms = Math.max(1, Math.ceil(instant - now));
    let lane = lanes.get(ms);
    if (!lane) lanes.set(ms, (lane = new Lane(ms)));
    const entry = new Entry(instant, alarm, lane);
    lane.enter(entry);
    return entry;
  },
};

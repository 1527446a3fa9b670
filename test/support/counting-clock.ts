import type { Alarm, AlarmHandle, Clock } from 'nestjs-timeouts';

/** Real time, counting the alarms that are set and those that are pending. */
export class CountingClock implements Clock {
  set = 0;
  readonly pending = new Set<Alarm>();

  now(): number {
    return performance.now();
  }

  at(instant: number, alarm: Alarm): AlarmHandle {
    this.set++;
    this.pending.add(alarm);
    let timer: NodeJS.Timeout;
    const wait = () => {
      // Node's timers may be a fraction of a millisecond early.
      const ms = instant - this.now();
      if (ms > 0) timer = setTimeout(wait, ms);
      else if (this.pending.delete(alarm)) alarm.ring();
    };
    wait();
    const cancel = () => {
      clearTimeout(timer);
      this.pending.delete(alarm);
    };
    return { cancel };
  }
}

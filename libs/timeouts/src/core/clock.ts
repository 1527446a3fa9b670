/** What a {@link Clock} wakes. */
export interface Alarm {
  /** Called once, at or after the instant asked for. */
  ring(): void;
}

/** A pending alarm. */
export interface AlarmHandle {
  /** Takes the alarm back; harmless after it rang. */
  cancel(): void;
}

/**
 * Monotonic time and alarms. The system clock is the default; `ManualClock` of
 * `nestjs-timeouts/testing` stands in for it in tests that must not wait.
 */
export interface Clock {
  /** Milliseconds since an arbitrary origin. Never goes back, whatever the wall clock does. */
  now(): number;
  /**
   * Rings `alarm` once `instant` (on this clock) is reached, never before. Whoever has just asked
   * for the time passes it as `now`.
   */
  at(instant: number, alarm: Alarm, now?: number): AlarmHandle;
}

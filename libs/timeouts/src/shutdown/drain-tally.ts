import type { Outcome, OutcomeListener } from '../core/outcome.js';

/** Counts how what was in flight ended while the application went down. */
export class DrainTally implements OutcomeListener {
  #ended = 0;
  #cancelled = 0;

  onOutcome({ kind, result }: Outcome): void {
    if (kind !== 'request' && kind !== 'message' && kind !== 'task') return;
    this.#ended++;
    if (result === 'shutdown') this.#cancelled++;
  }

  /** How many requests, messages and tasks have ended so far. */
  get ended(): number {
    return this.#ended;
  }

  /** @param left how many of those that were cancelled have gone on regardless. */
  summary(seconds: number, left: number): string {
    const finished = this.#ended - this.#cancelled;
    const cancelled = Math.max(0, this.#cancelled - left);
    return `Drained in ${seconds.toFixed(1)} s: ${finished} finished, ${cancelled} cancelled, ${left} forced`;
  }
}

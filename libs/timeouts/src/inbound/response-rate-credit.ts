import type { ResponseLimits } from '../policy/resolved-options.js';

/**
 * The system hands over to a slow client in lumps of a third of its buffers, which grow meanwhile:
 * from one to the next the wait gets up to four times as long.
 */
const SILENCE_GROWTH = 4;
const LONGEST_CREDIT_MS = 120_000;

/**
 * How much longer a client may take nothing of what waits for it. Every byte it takes is worth the
 * time that it may cost at the lowest rate. What goes beyond the cap is lost: a client that took
 * megabytes at once could otherwise sit on the rest for hours.
 */
export class ResponseRateCredit {
  #leftMs: number;
  #capMs: number;
  #silenceMs = 0;

  constructor(readonly limits: ResponseLimits) {
    // The grace, and as much again: what waits does so because the system took all that it could.
    this.#leftMs = this.#capMs = 2 * limits.graceMs;
  }

  /**
   * The client took `bytes` in the last `ms`.
   * @returns false when nothing is left.
   */
  spend(ms: number, bytes: number): boolean {
    this.#silenceMs += ms;
    this.#leftMs -= ms;
    if (bytes > 0) this.#earn(bytes);
    return this.#leftMs > 0;
  }

  #earn(bytes: number): void {
    const { graceMs, minRate } = this.limits;
    // One that comes back after the grace is slow, not gone, and will be silent again.
    if (this.#silenceMs > graceMs) {
      const nextMs = Math.min(SILENCE_GROWTH * this.#silenceMs, LONGEST_CREDIT_MS);
      this.#capMs = Math.max(this.#capMs, nextMs);
    }
    this.#silenceMs = 0;
    this.#leftMs = Math.min(this.#leftMs + (bytes * 1_000) / minRate, this.#capMs);
  }
}

import type { ReachedLimit } from '../core/cancellation.js';
import { breakOff } from './connection-end.js';
import type { HttpExchange } from './http-exchange.js';
import type { ResponseRateCredit } from './response-rate-credit.js';
import type { ResponseRateIntake } from './response-rate-intake.js';
import type { Outlet } from './response-rate-outlet.js';
import { waitingOutlet } from './response-rate-outlet.js';

/** An answer that was written faster than its client takes it. */
export class WaitingAnswer {
  readonly #isStream: boolean;
  #length: number;
  /** How much a stream may still be sending since it was last seen to move. */
  #unproven: number;
  #silenceMs = 0;
  #hasDrained = false;
  readonly #onDrain = () => (this.#hasDrained = true);

  constructor(
    /** Whose bytes they are; a pipelined one follows on the same outlet. */
    public exchange: HttpExchange,
    readonly outlet: Outlet,
    readonly intake: ResponseRateIntake,
    readonly credit: ResponseRateCredit,
  ) {
    this.#isStream = outlet !== intake.connection;
    this.#length = this.#unproven = outlet.writableLength;
    if (this.#isStream) outlet.on('drain', this.#onDrain);
  }

  /** @returns false when the client has been too slow. */
  spend(ms: number): boolean {
    return this.credit.spend(ms, this.#isStream ? this.#streamed(ms) : this.intake.bytes);
  }

  /**
   * Node does not tell how much of a write an HTTP/2 stream has sent. What the connection took is
   * shared among the streams that wait, for as long as a write may last at the lowest rate.
   */
  #streamed(ms: number): number {
    const { outlet, intake } = this;
    const hasMoved = this.#hasMoved;
    const grown = outlet.writableLength - this.#length;
    this.#length = outlet.writableLength;
    this.#hasDrained = false;
    this.#unproven = hasMoved ? this.#length : this.#unproven + grown;
    this.#silenceMs += ms;
    const bytes = Math.min(intake.bytes / intake.sharers, this.#unproven);
    if (bytes <= 0) return 0;
    const least = (this.#silenceMs * this.credit.limits.minRate) / 1_000;
    this.#silenceMs = 0;
    if (!hasMoved) this.#unproven -= Math.min(bytes, least);
    return bytes;
  }

  get #hasMoved(): boolean {
    return this.#hasDrained || this.outlet.writableLength < this.#length;
  }

  /** Asked once more after the event loop has polled: it may have been blocked until just now. */
  get isStuck(): boolean {
    if (waitingOutlet(this.exchange.res) !== this.outlet) return false;
    if (this.#isStream) return !this.#hasMoved && (this.#unproven <= 0 || !this.intake.hasMoved);
    return !this.intake.hasMoved;
  }

  cut(limit: ReachedLimit): void {
    const { exchange, intake } = this;
    this.leave();
    intake.sharers--;
    // Before the cancel, which closes what is left open, and that in good order.
    if (this.#isStream && (intake.sharers > 0 || !intake.isFull)) breakOff(exchange.res);
    else intake.reset();
    exchange.scope.cancel('deadline', limit);
  }

  leave(): void {
    if (this.#isStream) this.outlet.off('drain', this.#onDrain);
  }
}

import type { Readable } from 'node:stream';
import type { BodyLimits } from '../policy/resolved-options.js';

/** A limit for a body, and the instant at which it is reached if nothing happens until then. */
export interface BodyDue {
  readonly limit: 'idle' | 'rate' | 'total';
  readonly instant: number;
}

/**
 * Counts what arrives of a body, and when. It stands beside the stream: nothing is buffered, read or
 * listened for, and whoever parses the body sees what it would see anyway.
 */
export class BodyMeter {
  /** All of it has arrived. */
  isComplete = false;
  /** Told when the application reads again after it held the client back. */
  onResume: (() => void) | undefined;
  #startedAt = 0;
  #lastArrival = 0;
  #bytes = 0;
  #isHeld = false;
  #heldSince = 0;
  #forgivenMs = 0;

  /** From here on bytes are counted: the first come along with the head. */
  constructor(
    readonly source: Readable,
    readonly now: () => number,
  ) {
    const { push } = source;
    source.push = (chunk: Buffer | null, encoding?: BufferEncoding): boolean => {
      this.#note(chunk);
      const wantsMore = push.call(source, chunk, encoding);
      if (!wantsMore && chunk !== null) this.#hold(this.#lastArrival);
      return wantsMore;
    };
  }

  /** From here on it hears of reads, too: most bodies are complete before anybody asks. */
  watch(startedAt: number): void {
    const { source } = this;
    this.#startedAt = startedAt;
    this.#lastArrival = Math.max(this.#lastArrival, startedAt);
    if (source.readableLength < source.readableHighWaterMark) this.#resume();
    const { _read: read } = source;
    Object.assign(source, {
      _read: (size: number) => {
        this.#resume();
        read.call(source, size);
      },
    });
  }

  /** The application has not asked for anything yet, and until it does, nothing can arrive. */
  hold(): void {
    this.#hold(this.now());
  }

  /** Leaves `ms` out of what the rate is measured over. */
  forgive(ms: number): void {
    this.#forgivenMs += ms;
  }

  /** Measures from now on, as if nothing had been sent. */
  restart(): void {
    this.#startedAt = this.#lastArrival = this.#heldSince = this.now();
    this.#bytes = this.#forgivenMs = 0;
  }

  /** The limit that is reached first. */
  due({ idleMs, minRate, graceMs, totalMs }: BodyLimits): BodyDue {
    const total = this.#startedAt + totalMs;
    // It is not the client that is slow: only the limit for the whole goes on.
    if (this.#isHeld) return { limit: 'total', instant: total };
    const idle = this.#lastArrival + idleMs;
    const worthMs = minRate > 0 ? (this.#bytes / minRate) * 1_000 : Infinity;
    const rate = this.#startedAt + this.#forgivenMs + Math.max(graceMs, worthMs);
    const instant = Math.min(idle, rate, total);
    return { limit: instant === idle ? 'idle' : instant === rate ? 'rate' : 'total', instant };
  }

  #note(chunk: Buffer | null): void {
    if (chunk === null) this.isComplete = true;
    else this.#bytes += chunk.length;
    this.#lastArrival = this.now();
  }

  #hold(since: number): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#heldSince = since;
  }

  /** The client gets a full idle limit from here: it may have waited for as long as we did. */
  #resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    const now = this.now();
    this.#forgivenMs += now - this.#heldSince;
    this.#lastArrival = now;
    this.onResume?.();
  }
}

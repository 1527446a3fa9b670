const TICK_MS = 20;

/**
 * How long what arrives has to wait for the event loop, over windows of `windowMs`. Counted by a tick
 * of its own: `monitorEventLoopDelay` forgets the turn in which its histogram is reset, and that is
 * the busy one when it is read as work begins.
 */
export class LoopDelay {
  /** Of the last whole window. */
  ms = 0;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #sum = 0;
  #sumOfSquares = 0;

  constructor(readonly windowMs: number) {}

  start(): void {
    if (this.#timer) return;
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const turnMs = now - this.#tickedAt;
    this.#tickedAt = now;
    this.#sum += turnMs;
    this.#sumOfSquares += turnMs * turnMs;
    if (this.#sum < this.windowMs) return;
    // A long turn is met by all that arrives in it, so turns count by their length.
    this.ms = Math.max(0, this.#sumOfSquares / this.#sum - TICK_MS);
    this.#sum = this.#sumOfSquares = 0;
  }
}

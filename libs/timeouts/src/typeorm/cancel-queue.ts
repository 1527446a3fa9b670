/** Lets so many cancel requests go at once: each of them is a connection, and a process there. */
export class CancelQueue {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(max: number) {
    this.#free = max;
  }

  /** Calls `start` when there is room, which then ends with `leave`. */
  enter(start: () => void): void {
    if (this.#free === 0) {
      this.#waiting.add(start);
      return;
    }
    this.#free--;
    start();
  }

  /** Does not want to go any more. */
  forget(start: () => void): void {
    this.#waiting.delete(start);
  }

  leave(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#free++;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

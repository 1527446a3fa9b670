/** Whoever waits for a permit. */
export abstract class Waiter {
  previous: Waiter | undefined;
  next: Waiter | undefined;
  isWaiting = false;

  /** It is its turn; it has a permit now and gives it back. */
  abstract granted(): void;
}

/** Lets so many in, the others in the order they came; leaving the queue costs the same anywhere in it. */
export class PermitGate {
  #free: number;
  #first: Waiter | undefined;
  #last: Waiter | undefined;
  #waiting = 0;
  #isGranting = false;

  constructor(permits: number) {
    this.#free = permits;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** @returns true when there was a permit to take at once. */
  take(): boolean {
    if (this.#free === 0 || this.#waiting > 0) return false;
    this.#free--;
    return true;
  }

  enter(waiter: Waiter): void {
    waiter.isWaiting = true;
    waiter.previous = this.#last;
    if (this.#last) this.#last.next = waiter;
    else this.#first = waiter;
    this.#last = waiter;
    this.#waiting++;
  }

  leave(waiter: Waiter): void {
    const { previous, next } = waiter;
    if (previous) previous.next = next;
    else this.#first = next;
    if (next) next.previous = previous;
    else this.#last = previous;
    waiter.previous = waiter.next = undefined;
    waiter.isWaiting = false;
    this.#waiting--;
  }

  giveBack(): void {
    this.#free++;
    // Whoever is let in may come back here before this has returned: a loop, so that they do not pile up.
    if (this.#isGranting) return;
    this.#isGranting = true;
    try {
      for (let first = this.#first; first && this.#free > 0; first = this.#first) {
        this.leave(first);
        this.#free--;
        first.granted();
      }
    } finally {
      this.#isGranting = false;
    }
  }

  /** Those that wait, in order; they may leave meanwhile. */
  *[Symbol.iterator](): Iterator<Waiter> {
    for (let waiter = this.#first, next; waiter; waiter = next) {
      next = waiter.next;
      yield waiter;
    }
  }
}

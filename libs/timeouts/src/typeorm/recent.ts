/** Whoever needs more than these has limits that seldom come again. */
const MAX_ENTRIES = 256;

/** What was made for a number of milliseconds, as long as it is likely to be needed again. */
export class Recent<T> {
  readonly #entries = new Map<number, T>();
  readonly #make: (ms: number) => T;
  #lastMs = NaN;
  #last: T | undefined;

  constructor(make: (ms: number) => T) {
    this.#make = make;
  }

  get(ms: number): T {
    if (ms === this.#lastMs) return this.#last!;
    let entry = this.#entries.get(ms);
    if (entry === undefined) {
      if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear();
      this.#entries.set(ms, (entry = this.#make(ms)));
    }
    this.#lastMs = ms;
    return (this.#last = entry);
  }
}

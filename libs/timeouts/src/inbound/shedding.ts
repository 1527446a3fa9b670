import type { ScopeNode } from '../core/scope-node.js';
import type { SheddingLimits } from '../policy/resolved-options.js';
import { LoopDelay } from './loop-delay.js';

const WINDOW_MS = 500;

/** Requests that may be turned away in a row, in excess of their share. */
const MAX_CREDIT = 10;

/** Decides which requests are turned away because there is too much to do. */
export class Shedding {
  /** How many were. */
  count = 0;
  readonly #limits: SheddingLimits;
  readonly #inFlight: ScopeNode['children'];
  readonly #delay: LoopDelay | undefined;
  /** Every request that is let in allows for some that are not. */
  readonly #gain: number;
  #credit = 0;

  private constructor(limits: SheddingLimits, root: ScopeNode) {
    this.#limits = limits;
    this.#inFlight = root.children;
    this.#gain = limits.maxShare / (1 - limits.maxShare);
    if (limits.loopDelayMs !== Infinity) this.#delay = new LoopDelay(WINDOW_MS);
  }

  /** @returns undefined where there is no threshold, so that nothing is asked or measured. */
  static of(limits: SheddingLimits, root: ScopeNode): Shedding | undefined {
    const { inFlight, loopDelayMs } = limits;
    return Math.min(inFlight, loopDelayMs) === Infinity ? undefined : new Shedding(limits, root);
  }

  start(): void {
    this.#delay?.start();
  }

  stop(): void {
    this.#delay?.stop();
  }

  /** @returns whether the request that has just arrived is to be turned away. */
  refuses(): boolean {
    if (this.#credit < 1 || !this.#isOverloaded()) {
      const credit = this.#credit + this.#gain;
      this.#credit = this.#gain === Infinity ? Infinity : Math.min(MAX_CREDIT, credit);
      return false;
    }
    this.#credit--;
    this.count++;
    return true;
  }

  #isOverloaded(): boolean {
    const { inFlight, loopDelayMs } = this.#limits;
    return this.#inFlight.size >= inFlight || (this.#delay?.ms ?? 0) > loopDelayMs;
  }
}

import type { Clock } from './clock.js';
import type { LateWork, Outcome, OutcomeListener } from './outcome.js';
import { isCancelOutcome } from './outcome.js';

/** What all scopes below one root share. */
export class ScopeTree {
  /** The application is going down: whoever opens a scope now asks its caller to go elsewhere next. */
  isDraining = false;
  readonly #listeners: OutcomeListener[] = [];
  #hearsAll = false;

  constructor(
    readonly clock: Clock,
    /** True while deadlines must not fire, for instance because a debugger holds the process. */
    readonly isSuspended: () => boolean = () => false,
  ) {}

  listen(listener: OutcomeListener): void {
    this.#listeners.push(listener);
    this.#hearsAll ||= !listener.cancelsOnly;
  }

  /** Whether anybody wants the outcome of a scope: most of them need not even be put together. */
  hears(cancelled: boolean): boolean {
    return this.#hearsAll || (cancelled && this.#listeners.length > 0);
  }

  tellOutcome(outcome: Outcome): void {
    for (const listener of this.#listeners) {
      if (listener.cancelsOnly && !isCancelOutcome(outcome)) continue;
      try {
        listener.onOutcome(outcome);
      } catch (error) {
        warn('An outcome listener threw', error);
      }
    }
  }

  tellLate(work: LateWork): void {
    for (const listener of this.#listeners) {
      try {
        listener.onLate?.(work);
      } catch (error) {
        warn('An outcome listener threw', error);
      }
    }
  }
}

/** For errors that have nobody to be thrown to. */
export function warn(what: string, error: unknown): void {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`${what}: ${detail}`, { type: 'TimeoutsWarning' });
}

/** Runs `fn` and hands what it fails with to `report`. */
export async function attempt(fn: () => unknown, report: (error: unknown) => void): Promise<void> {
  try {
    await fn();
  } catch (error) {
    report(error);
  }
}

import { InvalidDurationError, showValue } from '../core/duration.js';

/**
 * Options, environment variables or decorators that cannot work. All faults are found before it is
 * thrown; each names the option or variable, its value and what is allowed.
 *
 * @example
 * if (error instanceof TimeoutsConfigurationError) console.error(error.faults.join('\n'));
 */
export class TimeoutsConfigurationError extends Error {
  override readonly name = 'TimeoutsConfigurationError';
  readonly #faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? 'a fault' : `${faults.length} faults`;
    super(`nestjs-timeouts found ${count} in its configuration:\n  - ${faults.join('\n  - ')}`);
    this.#faults = Object.freeze([...faults]);
    // Whoever reads this at boot is to see the faults, once, and not Nest's injector.
    this.stack = `${this.name}: ${this.message}`;
  }

  get code(): string {
    return 'invalid_configuration';
  }

  get faults(): readonly string[] {
    return this.#faults;
  }
}

/** Runs a reader; what it returns when the reader refuses its input is up to the implementation. */
export type Attempt = <T>(read: () => T) => T | undefined;

/** Lets the first refusal through. */
export const failFast: Attempt = (read) => read();

/** Collects refusals, so that all of them can be reported at once. */
export class Faults {
  readonly #found: string[] = [];

  /** Runs `read`; when it refuses its input, notes that and returns undefined. */
  readonly attempt: Attempt = (read) => {
    try {
      return read();
    } catch (error) {
      if (error instanceof TimeoutsConfigurationError) this.#found.push(...error.faults);
      else if (error instanceof InvalidDurationError) this.#found.push(error.message);
      else throw error;
      return undefined;
    }
  };

  /** @throws TimeoutsConfigurationError when anything was refused. */
  throwIfAny(): void {
    if (this.#found.length > 0) throw new TimeoutsConfigurationError([...new Set(this.#found)]);
  }
}

/** Refuses `value`, given for the option, variable or argument `what`. */
export function refuse(what: string, value: unknown, allowed: string): never {
  throw new TimeoutsConfigurationError([`${what} is ${showValue(value)}; allowed: ${allowed}`]);
}

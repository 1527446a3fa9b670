import ms from 'ms';

type Milliseconds = 'ms' | 'msec' | 'msecs' | 'millisecond' | 'milliseconds';
type Seconds = 's' | 'sec' | 'secs' | 'second' | 'seconds';
type Minutes = 'm' | 'min' | 'mins' | 'minute' | 'minutes';
type Hours = 'h' | 'hr' | 'hrs' | 'hour' | 'hours';
type Longer = 'd' | 'day' | 'days' | 'w' | 'week' | 'weeks' | 'y' | 'year' | 'years';
type Unit = Milliseconds | Seconds | Minutes | Hours | Longer;

/**
 * A length of time: a number of milliseconds, or a string with a unit in the grammar of the `ms`
 * package. `'none'` and `Infinity` mean no limit. A string without a unit (`'100'`) is refused,
 * because nobody can tell whether it means seconds or milliseconds; so are zero and negative values.
 *
 * @example
 * const limits: Duration[] = [250, '250ms', '1.5s', '5m', '1h', 'none'];
 */
export type Duration = number | 'none' | `${number}${Unit}` | `${number} ${Unit}`;

const ALLOWED =
  "a number of milliseconds above 0, a string such as '250ms', '2s', '5m' or '1h', or 'none' for no limit";
const ALLOWED_DELAY = "0, a number of milliseconds, or a string such as '250ms' or '5s'";
const BARE_NUMBER = /^[\s\d.-]*$/;

/**
 * A value that is not a duration. `what` is the option, variable or argument it was given for,
 * `value` the value as it was given.
 *
 * @example
 * if (error instanceof InvalidDurationError) console.error(error.what, error.value);
 */
export class InvalidDurationError extends Error {
  override readonly name = 'InvalidDurationError';
  readonly code = 'invalid_duration';

  constructor(
    readonly what: string,
    readonly value: unknown,
    allowed: string = ALLOWED,
  ) {
    const unitless = typeof value === 'string' && /\d/.test(value) && BARE_NUMBER.test(value);
    super(`${what} is ${showValue(value)}${unitless ? ' (no unit)' : ''}; allowed: ${allowed}`);
  }
}

/**
 * Milliseconds of a {@link Duration}; `Infinity` for no limit.
 * Throws {@link InvalidDurationError}, which names `what`, for anything else, zero included.
 *
 * @example
 * parseDuration('1.5s', 'handler'); // 1500
 */
export function parseDuration(value: unknown, what: string): number {
  const parsed = toMs(value);
  if (parsed > 0) return parsed;
  throw new InvalidDurationError(what, value);
}

/**
 * Like {@link parseDuration} for waits that may be left out: zero is allowed, no limit is not.
 *
 * @example
 * parseDelay('0s', 'shutdown.quiet'); // 0
 */
export function parseDelay(value: unknown, what: string): number {
  const parsed = toMs(value);
  if (parsed >= 0 && parsed < Infinity) return parsed;
  throw new InvalidDurationError(what, value, ALLOWED_DELAY);
}

/**
 * Milliseconds for people: the largest unit that leaves a whole number, otherwise seconds.
 *
 * @example
 * formatDuration(30_000); // '30s'
 * formatDuration(Infinity); // 'none'
 */
export function formatDuration(durationMs: number): string {
  if (durationMs === Infinity) return 'none';
  if (durationMs === 0) return '0s';
  if (durationMs % 3_600_000 === 0) return `${durationMs / 3_600_000}h`;
  if (durationMs % 60_000 === 0) return `${durationMs / 60_000}m`;
  if (Math.abs(durationMs) < 1_000) return `${Number(durationMs.toFixed(3))}ms`;
  return `${Number((durationMs / 1_000).toFixed(3))}s`;
}

/** A value as it should appear in a message: short, strings quoted, objects by kind only. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Promise) return 'a promise';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function toMs(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || BARE_NUMBER.test(value)) return NaN;
  if (value === 'none' || value === 'Infinity') return Infinity;
  // The signature of ms() promises a number; it returns undefined for what it cannot read.
  const parsed = (ms as (text: string) => number | undefined)(value) ?? NaN;
  // Undo the noise of the multiplication: '1.001s' is 1000.9999999999999.
  return Number(parsed.toPrecision(12));
}

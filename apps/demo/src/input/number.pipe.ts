import { BadRequestException } from '@nestjs/common';
import type { ArgumentMetadata, PipeTransform } from '@nestjs/common';

interface Allowed {
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
  /** Used when the client does not say; without one it must. */
  readonly fallback?: number;
}

/** Reads one number from the query or the path; anything else is a 400 that says what is allowed. */
export class NumberPipe implements PipeTransform<unknown, number> {
  constructor(private readonly allowed: Allowed) {}

  transform(value: unknown, { data: name }: ArgumentMetadata): number {
    const { min, max, whole, fallback } = this.allowed;
    if (value === undefined && fallback !== undefined) return fallback;
    const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max && (!whole || Number.isInteger(number))) return number;
    const kind = whole ? 'a whole number' : 'a number';
    throw new BadRequestException(`${name} must be ${kind} from ${min} to ${max}`);
  }
}

export const milliseconds = new NumberPipe({ min: 0, max: 600_000, whole: true, fallback: 1_000 });
export const seconds = new NumberPipe({ min: 0, max: 600, whole: false, fallback: 1 });

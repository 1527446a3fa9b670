import { BadRequestException } from '@nestjs/common';

export type Fields = Readonly<Record<string, unknown>>;

/** The JSON object a client sent, still unchecked. */
export function fields(body: unknown): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new BadRequestException('The body must be a JSON object');
  }
  return body as Fields;
}

/** Answers 400 with every fault at once. */
export function refuse(faults: readonly string[]): void {
  if (faults.length > 0) throw new BadRequestException(faults.join('; '));
}

export function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}

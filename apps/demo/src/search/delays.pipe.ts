import { BadRequestException } from '@nestjs/common';
import type { PipeTransform } from '@nestjs/common';

const MAX_MS = 600_000;

/** `0,3000,0`: how long each shard is to take, one by one. */
export class DelaysPipe implements PipeTransform<unknown, number[]> {
  transform(value: unknown): number[] {
    if (value === undefined || value === '') return [];
    const delays = typeof value === 'string' ? value.split(',') : [];
    const valid = delays.every((delay) => /^\d+$/.test(delay) && Number(delay) <= MAX_MS);
    if (valid && delays.length >= 1 && delays.length <= 3) return delays.map(Number);
    throw new BadRequestException(
      `delayMs must be up to three whole numbers from 0 to ${MAX_MS}, such as 0,3000,0`,
    );
  }
}

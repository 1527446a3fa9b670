import { setTimeout as wait } from 'node:timers/promises';
import { Controller, Get, Query } from '@nestjs/common';
import { CancelSignal, Deadline, SkipTimeout } from 'nestjs-timeouts';
import { milliseconds } from '../input/number.pipe.js';
import { done } from './done.js';
import type { Done } from './done.js';

/** The same handler under three policies. */
@Controller('lab')
export class PoliciesController {
  @Get('skip')
  @SkipTimeout()
  skip(@Query('ms', milliseconds) ms: number, @CancelSignal() signal: AbortSignal): Promise<Done> {
    return work(ms, signal);
  }

  @Get('policy')
  @Deadline({ policy: 'report' })
  policy(
    @Query('ms', milliseconds) ms: number,
    @CancelSignal() signal: AbortSignal,
  ): Promise<Done> {
    return work(ms, signal);
  }

  @Get('tight')
  @Deadline('500ms')
  tight(@Query('ms', milliseconds) ms: number, @CancelSignal() signal: AbortSignal): Promise<Done> {
    return work(ms, signal);
  }
}

async function work(ms: number, signal: AbortSignal): Promise<Done> {
  await wait(ms, undefined, { signal });
  return done();
}

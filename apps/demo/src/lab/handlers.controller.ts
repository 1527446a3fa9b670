import { setTimeout as wait } from 'node:timers/promises';
import { Controller, Get, Query, Res, UseGuards } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CancelSignal } from 'nestjs-timeouts';
import { milliseconds } from '../input/number.pipe.js';
import { done } from './done.js';
import type { Done } from './done.js';
import { HungGuard } from './hung.guard.js';

/** Handlers that behave, and handlers that do not. */
@Controller('lab')
export class HandlersController {
  constructor(private readonly host: HttpAdapterHost) {}

  @Get('sleep')
  async sleep(
    @Query('ms', milliseconds) ms: number,
    @CancelSignal() signal: AbortSignal,
  ): Promise<Done> {
    await wait(ms, undefined, { signal });
    return done();
  }

  @Get('deaf')
  async deaf(@Query('ms', milliseconds) ms: number): Promise<Done> {
    await wait(ms);
    return done();
  }

  @Get('guard')
  @UseGuards(HungGuard)
  guard(): Done {
    return done();
  }

  @Get('cpu')
  cpu(@Query('ms', milliseconds) ms: number): Done {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return done();
  }

  @Get('raw')
  raw(@Query('ms', milliseconds) ms: number, @Res() response: unknown): void {
    setTimeout(() => this.host.httpAdapter.reply(response, done(), 200), ms);
  }
}

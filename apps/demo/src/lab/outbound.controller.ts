import { BadRequestException, Controller, Get, Query } from '@nestjs/common';
import { milliseconds } from '../input/number.pipe.js';
import { UpstreamClient } from '../upstream/upstream.client.js';
import { done } from './done.js';
import type { Done } from './done.js';

@Controller('lab')
export class OutboundController {
  constructor(private readonly upstream: UpstreamClient) {}

  @Get('upstream')
  async call(@Query('ms', milliseconds) ms: number, @Query('via') via = 'fetch'): Promise<Done> {
    if (via !== 'fetch') throw new BadRequestException('via must be fetch');
    const response = await this.upstream.get(`/sleep?ms=${ms}`);
    await response.json();
    return done();
  }
}

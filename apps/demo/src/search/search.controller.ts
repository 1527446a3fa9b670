import { Controller, Get, Query } from '@nestjs/common';
import { DelaysPipe } from './delays.pipe.js';
import { SearchService } from './search.service.js';
import type { SearchAnswer } from './search.service.js';

@Controller('v1/search')
export class SearchController {
  constructor(private readonly search: SearchService) {}

  @Get()
  find(
    @Query('q') query = '',
    @Query('delayMs', DelaysPipe) delaysMs: readonly number[],
  ): Promise<SearchAnswer> {
    return this.search.find(String(query), delaysMs);
  }
}

import { Controller, Get, Query } from '@nestjs/common';
import { DelaysPipe } from './delays.pipe.js';
import type { RecentSearch } from './recent-search.entity.js';
import { RecentSearches } from './recent-searches.service.js';
import { SearchService } from './search.service.js';
import type { SearchAnswer } from './search.service.js';

@Controller('v1/search')
export class SearchController {
  constructor(
    private readonly search: SearchService,
    private readonly recent: RecentSearches,
  ) {}

  @Get()
  async find(
    @Query('q') query = '',
    @Query('delayMs', DelaysPipe) delaysMs: readonly number[],
  ): Promise<SearchAnswer> {
    await this.recent.add(String(query));
    return this.search.find(String(query), delaysMs);
  }

  @Get('recent')
  async lately(): Promise<{ items: RecentSearch[] }> {
    return { items: await this.recent.newest() };
  }
}

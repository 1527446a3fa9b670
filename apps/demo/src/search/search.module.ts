import { Module } from '@nestjs/common';
import { RecentSearches } from './recent-searches.service.js';
import { SearchController } from './search.controller.js';
import { SearchService } from './search.service.js';

@Module({ controllers: [SearchController], providers: [RecentSearches, SearchService] })
export class SearchModule {}

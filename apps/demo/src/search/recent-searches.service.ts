import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { DataSource, LessThanOrEqual } from 'typeorm';
import { RecentSearch } from './recent-search.entity.js';
import { RECENT_SEARCHES } from './recent-searches.options.js';

const KEPT = 20;

/** What was searched for lately; forgotten when the process ends. */
@Injectable()
export class RecentSearches {
  constructor(@InjectDataSource(RECENT_SEARCHES) private readonly memory: DataSource) {}

  async add(query: string): Promise<void> {
    const searches = this.memory.getRepository(RecentSearch);
    const { identifiers } = await searches.insert({ query });
    const { id } = identifiers[0] as Pick<RecentSearch, 'id'>;
    await searches.delete({ id: LessThanOrEqual(id - KEPT) });
  }

  newest(): Promise<RecentSearch[]> {
    return this.memory.getRepository(RecentSearch).find({ order: { id: 'DESC' } });
  }
}

import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import { RecentSearch } from './recent-search.entity.js';

export const RECENT_SEARCHES = 'recent-searches';

/** SQLite in the memory of this process: a data source that statement timeouts are not for. */
export const recentSearchesOptions: TypeOrmModuleOptions = {
  name: RECENT_SEARCHES,
  type: 'sqljs',
  entities: [RecentSearch],
  synchronize: true,
};

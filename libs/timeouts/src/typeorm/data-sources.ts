import type { DataSource } from 'typeorm';
import type { PoolUse } from '../inbound/pool-use.js';
import { hasEngine, poolsOf } from './data-source-kind.js';
import { usesOf } from './pool-gauge.js';
import { adaptQueryRunners } from './query-runners.js';
import { StatementTimeoutSubscriber } from './statement-timeout.subscriber.js';

/** What was done about one data source. */
export interface DataSourceCover {
  readonly isWhole: boolean;
  /** For the boot log. */
  readonly line: string;
  readonly readPool: () => PoolUse;
}

const WHOLE =
  'every query ends with its scope: in transactions and outside, waiting for a connection included';

const SUBSCRIBER_ONLY =
  'subscriber only: transactions are limited; waiting for a connection, queries outside ' +
  'transactions and cancelling are not; use withDeadlines() from nestjs-timeouts/typeorm';

const covered = new WeakSet<DataSource>();

/** Puts the transactions of a PostgreSQL data source under the limits of their scopes. */
export function coverDataSource(dataSource: DataSource, name: string): DataSourceCover {
  if (!covered.has(dataSource)) {
    covered.add(dataSource);
    subscribe(dataSource);
    adaptQueryRunners(dataSource);
  }
  const isWhole = hasEngine(dataSource);
  const line = `DataSource "${name}" (postgres): ${isWhole ? WHOLE : SUBSCRIBER_ONLY}`;
  return { isWhole, line, readPool: () => usesOf(name, poolsOf(dataSource)) };
}

/** TypeORM makes a new list with every `initialize()`, which may be still to come. */
function subscribe(dataSource: DataSource): void {
  const isOurs = (subscriber: unknown) => subscriber instanceof StatementTimeoutSubscriber;
  const ours = new StatementTimeoutSubscriber();
  let subscribers = dataSource.subscribers;
  if (!subscribers.some(isOurs)) subscribers.push(ours);
  Object.defineProperty(dataSource, 'subscribers', {
    configurable: true,
    enumerable: true,
    get: () => subscribers,
    set: (given: DataSource['subscribers']) => {
      subscribers = given.some(isOurs) ? given : [...given, ours];
    },
  });
}

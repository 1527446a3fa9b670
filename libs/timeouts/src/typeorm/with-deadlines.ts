import { createRequire } from 'node:module';
import type { DataSourceOptions } from 'typeorm';
import { deadlineClient } from './deadline-client.js';
import { deadlinePool } from './deadline-pool.js';
import { EngineContext } from './engine-context.js';
import type { DatabaseSettings } from './engine-settings.js';
import { readSettings } from './engine-settings.js';
import type { PgDriver } from './pg-classes.js';

/**
 * Gives a PostgreSQL data source deadlines: every query ends with the scope it was issued in, on the
 * server too, and waiting for a connection is bounded by the budget. Works by way of TypeORM's
 * `driver` option, with subclasses of the `Pool` and `Client` of `pg`, or of your own `driver`.
 * Options of any other database come back as they are. Outside any scope nothing changes. With
 * pg's `pipeline: true` a query is refused and given up on like any other, but what was sent already
 * is neither limited nor cancelled on the server.
 *
 * @example
 * TypeOrmModule.forRoot(withDeadlines({ type: 'postgres', url, entities: [Order] }));
 */
export function withDeadlines<T extends DataSourceOptions>(
  options: T,
  settings: DatabaseSettings = {},
): T {
  if (options.type !== 'postgres') return options;
  const driver = (options.driver as PgDriver | undefined) ?? loadPg();
  const engine = readSettings(settings);
  const Client = deadlineClient(driver.Client, new EngineContext(engine));
  return { ...options, driver: { ...driver, Pool: deadlinePool(driver, engine), Client } };
}

/** The copy that TypeORM would use: another one would not have the type parsers that were set on it. */
function loadPg(): PgDriver {
  const here = createRequire(import.meta.url);
  return createRequire(here.resolve('typeorm'))('pg') as PgDriver;
}

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { isCancelled, shield, withDeadline } from 'nestjs-timeouts';
import type { Duration } from 'nestjs-timeouts';
import { ManualClock } from 'nestjs-timeouts/testing';
import type { DataSourceOptions, EntityManager, EntitySubscriberInterface, Logger } from 'typeorm';
import { DataSource, QueryFailedError } from 'typeorm';
import type { EmbeddedPostgres } from '../../apps/demo/src/postgres/embedded-postgres.js';
import { limitBehind } from '../../libs/timeouts/src/core/limit-errors.js';
import { coverDataSource } from '../../libs/timeouts/src/typeorm/data-sources.js';
import { eventually } from '../support/eventually.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

const LIMIT = `SELECT setting::integer AS ms FROM pg_settings WHERE name = 'statement_timeout'`;

describe.each(servers)('the subscriber on PostgreSQL $version', (server) => {
  let postgres: EmbeddedPostgres;
  let dataSource: DataSource;
  let sent: string[] = [];
  const opened: DataSource[] = [];

  const logger = { logQuery: (query: string) => void sent.push(query) } as Partial<Logger>;
  const quiet = new Proxy(logger, {
    get: (target, key) => target[key as keyof Logger] ?? (() => {}),
  }) as Logger;

  async function open(options: Partial<DataSourceOptions> = {}): Promise<DataSource> {
    const source = new DataSource({
      type: 'postgres',
      url: postgres.url,
      logging: 'all',
      logger: quiet,
      extra: { max: 1 },
      ...options,
    } as DataSourceOptions);
    opened.push(source);
    return source.initialize();
  }

  beforeAll(async () => void (postgres = await server.start()), 60_000);
  beforeAll(async () => {
    dataSource = await open();
    coverDataSource(dataSource, 'default');
    await dataSource.query('CREATE TABLE notes (text text)');
  });
  afterAll(async () => {
    await Promise.all(opened.map((source) => source.isInitialized && source.destroy()));
    await postgres.stop();
  });
  afterEach(() => {
    sent = [];
  });

  const limitIn = async (manager: EntityManager | DataSource): Promise<number> => {
    const [row] = (await manager.query(LIMIT)) as { ms: number }[];
    return row!.ms;
  };
  const limitsSent = () => sent.filter((query) => query.startsWith('SET LOCAL'));
  const untilWhole = async () => {
    const { readPool } = coverDataSource(dataSource, 'default');
    await eventually(() => readPool().idle === 1, 'an idle connection');
    return limitIn(dataSource);
  };

  it('Q01 limits the statements of a transaction to the statement timeout', async () => {
    const ms = await scoped({ budget: '10s', statement: 300 }, () =>
      dataSource.transaction(limitIn),
    );

    expect(ms).toBe(300);
    expect(limitsSent()).toEqual(['SET LOCAL statement_timeout = 300']);
  });

  it('Q01 limits them to what is left of the budget where that is less', async () => {
    const clock = new ManualClock();
    const ms = await scoped({ budget: 2_000, statement: '5s', clock }, () => {
      clock.advance(500.25);
      return dataSource.transaction(limitIn);
    });

    expect(ms).toBe(1_500);
  });

  it.each<[Duration, number]>([
    [0.4, 1],
    [1.2, 2],
    ['600h', 2 ** 31 - 1],
  ])('Q01 rounds a limit of %p up to a whole number PostgreSQL takes', async (statement, ms) => {
    await scoped({ statement }, () => dataSource.transaction(async () => {}));

    expect(limitsSent()).toEqual([`SET LOCAL statement_timeout = ${ms}`]);
  });

  it('Q01 keeps a shorter statement_timeout that the pool was given', async () => {
    const source = await open({ extra: { max: 1, statement_timeout: 200 } });
    coverDataSource(source, 'limited');
    const limits = [300, 100].map((statement) =>
      scoped({ statement }, () => source.transaction(limitIn)),
    );

    expect(await Promise.all(limits)).toEqual([200, 100]);
  });

  it.each([
    ['200ms', 200],
    ['2s', 2_000],
    ['1min', 60_000],
    ['0', 90_000],
  ])('Q01 never raises the limit of a database: %s', async (setting, ms) => {
    await dataSource.query(`ALTER DATABASE postgres SET statement_timeout = '${setting}'`);
    const source = await open();
    coverDataSource(source, 'limited');
    await dataSource.query('ALTER DATABASE postgres RESET statement_timeout');

    const limit = () => scoped({ statement: '90s' }, () => source.transaction(limitIn));
    expect([await limit(), await limit()]).toEqual([ms, ms]);
    expect(sent.filter((query) => query.startsWith('SHOW'))).toHaveLength(1);
  });

  it('Q01 leaves what must come first in a transaction possible', async () => {
    const source = await open();
    coverDataSource(source, 'deferrable');

    const transaction = scoped({ statement: 300 }, () =>
      source.transaction((manager) =>
        manager.query('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE'),
      ),
    );

    await expect(transaction).resolves.toEqual([]);
  });

  it('Q01 sends nothing without a limit', async () => {
    await scoped({}, () => dataSource.transaction(limitIn));

    expect(limitsSent()).toEqual([]);
  });

  it('Q01 comes before the first statement of a transaction with an isolation level', async () => {
    const ms = await scoped({ statement: 300 }, () =>
      dataSource.transaction('SERIALIZABLE', limitIn),
    );

    expect(ms).toBe(300);
  });

  it('Q02 a nested transaction keeps the limit of the outer one', async () => {
    const limits = await scoped({ statement: 300 }, () =>
      dataSource.transaction(async (outer) => {
        const kept = await withDeadline('100ms', () => outer.transaction(limitIn));
        const failure = new Error('undo');
        await outer.transaction(() => Promise.reject(failure)).catch(() => {});
        return [kept, await limitIn(outer)];
      }),
    );

    expect(limits).toEqual([300, 300]);
    expect(limitsSent()).toHaveLength(1);
  });

  it('Q03 never reaches the next user of the connection', async () => {
    await scoped({ statement: 300 }, async () => {
      await dataSource.transaction(limitIn);
      await dataSource.transaction(() => Promise.reject(new Error('undo'))).catch(() => {});
    });

    expect(await untilWhole()).toBe(0);
  });

  it('Q13 leaves what runs outside a scope alone', async () => {
    expect(await dataSource.transaction(limitIn)).toBe(0);
    expect(limitsSent()).toEqual([]);
  });

  it('Q10 notes a statement that reached the limit, and the connection stays usable', async () => {
    const error = await scoped({ budget: '10s', statement: 100 }, () =>
      dataSource.transaction((manager) => manager.query('SELECT pg_sleep(5)')),
    ).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(QueryFailedError);
    const limit = limitBehind(error)!;
    expect(limit).toMatchObject({
      name: 'DeadlineExceededError',
      code: 'statement_timeout',
      layer: 'statement',
      reason: 'deadline',
      scopeName: 'work',
      timeoutMs: 100,
      overloaded: false,
      message: 'Statement did not complete within 100ms',
      cause: error,
    });
    expect(limit.elapsedMs).toBeGreaterThanOrEqual(99);
    expect(limit.elapsedMs).toBeLessThan(1_000);
    expect(await untilWhole()).toBe(0);
  });

  it('Q10 each statement has the limit anew', async () => {
    const transaction = scoped({ statement: 250 }, () =>
      dataSource.transaction(async (manager) => {
        for (let round = 0; round < 4; round++) await manager.query('SELECT pg_sleep(0.1)');
      }),
    );

    await expect(transaction).resolves.toBeUndefined();
  });

  it('Q10 a statement that somebody else cancelled is none of ours', async () => {
    const other = await open();
    const error = await scoped({ statement: '5s' }, () =>
      dataSource.transaction(async (manager) => {
        const [{ pid }] = (await manager.query('SELECT pg_backend_pid() AS pid')) as [
          { pid: number },
        ];
        const sleeping = manager.query('SELECT pg_sleep(10)').catch((thrown: unknown) => thrown);
        const cancel = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                        WHERE pid = ${pid} AND query LIKE '%pg_sleep%' AND state = 'active'`;
        while (((await other.query(cancel)) as unknown[]).length === 0);
        return sleeping;
      }),
    );

    expect(error).toMatchObject({ code: '57014' });
    expect(limitBehind(error)).toBeUndefined();
  });

  it('Q10 other errors keep their codes', async () => {
    const error = await scoped({ statement: '5s' }, () =>
      dataSource.transaction((manager) => manager.query('SELECT 1/0')),
    ).catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: '22012' });
    expect(limitBehind(error)).toBeUndefined();
  });

  it('Q09 refuses the next statement and the COMMIT once the scope is cancelled', async () => {
    const refused: unknown[] = [];
    const insert = (manager: EntityManager) => manager.query(`INSERT INTO notes VALUES ('lost')`);
    const error = await scoped({ budget: '10s' }, (scope) =>
      dataSource.transaction(async (manager) => {
        await insert(manager);
        scope.cancel('explicit', 'changed my mind');
        await insert(manager).catch((thrown: unknown) => refused.push(thrown));
      }),
    ).catch((thrown: unknown) => thrown);

    expect(isCancelled(error) && error.message).toBe('changed my mind');
    expect(await untilWhole()).toBe(0);
    expect(await dataSource.query('SELECT * FROM notes')).toEqual([]);
    expect(refused).toEqual([error]);
  });

  it('Q09 lets a statement through that a shield protects', async () => {
    const done = new Promise((resolve) => {
      void scoped({ budget: '10s' }, (scope) =>
        dataSource
          .transaction(async (manager) => {
            scope.cancel();
            resolve(await shield('1s', () => manager.query('SELECT 42 AS answer')));
          })
          .catch(() => {}),
      ).catch(() => {});
    });

    expect(await done).toEqual([{ answer: 42 }]);
    expect(await untilWhole()).toBe(0);
  });

  describe('when the limit cannot be set', () => {
    const refusal = new Error('refused');
    const refusing: EntitySubscriberInterface = {
      beforeQuery({ query }) {
        if (query.startsWith('SET LOCAL')) throw refusal;
      },
    };

    it.each<[string, (source: DataSource) => Promise<unknown>]>([
      ['transaction()', (source) => source.transaction((manager) => manager.query('SELECT 1'))],
      ['an empty transaction()', (source) => source.transaction(async () => {})],
      [
        'a query builder that uses a transaction',
        (source) =>
          source
            .createQueryBuilder()
            .insert()
            .into('notes', ['text'])
            .values({ text: 'lost' })
            .useTransaction(true)
            .execute(),
      ],
    ])('Q01 the next query fails, and no transaction is left open: %s', async (_, run) => {
      const source = await open();
      coverDataSource(source, 'refusing');
      source.subscribers.push(refusing);

      await expect(scoped({ statement: 300 }, () => run(source))).rejects.toBe(refusal);

      const [{ state }] = (await source.query(
        `SELECT count(*) FILTER (WHERE state LIKE 'idle in transaction%')::integer AS state
         FROM pg_stat_activity WHERE datname = current_database()`,
      )) as [{ state: number }];
      expect(state).toBe(0);
      expect(await source.query('SELECT * FROM notes')).toEqual([]);
    });
  });

  it('Q16 survives destroy() and initialize(), and is registered once', async () => {
    const source = await open();
    coverDataSource(source, 'first');
    coverDataSource(source, 'second');
    await source.destroy();
    await source.initialize();

    expect(await scoped({ statement: 300 }, () => source.transaction(limitIn))).toBe(300);
    expect(limitsSent()).toHaveLength(1);
  });
});

import { describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import type { QueryRunner } from 'typeorm';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { useEngine } from './fixtures/engine.js';
import { usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

interface Queryable {
  query(sql: string, values?: unknown[]): Promise<{ ms: string }[]>;
}

const READ = `SELECT setting AS ms FROM pg_settings WHERE name = 'statement_timeout'`;

const timeoutIn = async (db: Queryable) => Number((await db.query(READ))[0]!.ms);
const timeoutWithValues = async (db: Queryable) =>
  Number((await db.query(`${READ} AND $1::integer = 1`, [1]))[0]!.ms);

describe.each(servers)('statement limits on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  const engine = useEngine(postgres, { poolSize: 1 });

  describe('in transactions', () => {
    it('Q01 is the statement limit where that is shorter than the budget', async () => {
      const ms = await scoped({ budget: '30s', statement: 1_234 }, () =>
        engine().transaction(timeoutIn),
      );
      expect(ms).toBe(1_234);
    });

    it('Q01 is what is left of the budget where that is shorter', async () => {
      const ms = await scoped({ budget: '30s', statement: '1m' }, () =>
        engine().transaction(timeoutIn),
      );
      expect(ms).toBeGreaterThan(29_000);
      expect(ms).toBeLessThanOrEqual(30_000);
    });

    it('Q01 rounds what is left of a long budget up to ten milliseconds', async () => {
      const limits = await scoped({ budget: 30_005 }, async () => [
        await engine().transaction(timeoutIn),
        await timeoutWithValues(engine()),
        await timeoutIn(engine()),
      ]);
      for (const ms of limits) {
        expect(ms % 10).toBe(0);
        expect(ms).toBeLessThanOrEqual(30_010);
        expect(ms).toBeGreaterThan(29_000);
      }
    });

    it('Q01 is never 0, which would be no limit', async () => {
      const ms = await scoped({ budget: '30s', statement: 0.4 }, () =>
        engine()
          .transaction(timeoutIn)
          .catch((error: { code?: string }) => error.code),
      );
      expect([1, '57014']).toContain(ms);
    });

    it('Q01 is the largest PostgreSQL takes where the limit is larger still', async () => {
      const ms = await scoped({ statement: '60d' }, () => engine().transaction(timeoutIn));
      expect(ms).toBe(2_147_483_647);
    });

    it('Q01 is none where there is no limit', async () => {
      expect(await scoped({}, () => engine().transaction(timeoutIn))).toBe(0);
    });

    it('Q01 comes before the isolation level and leaves it alone', async () => {
      const [level, ms] = await scoped({ statement: 1_234 }, () =>
        engine().transaction('SERIALIZABLE', async (manager) => [
          await manager.query('SHOW transaction_isolation'),
          await timeoutIn(manager),
        ]),
      );
      expect(level).toEqual([{ transaction_isolation: 'serializable' }]);
      expect(ms).toBe(1_234);
    });

    it('Q02 stays what it is in nested transactions, ended well or not', async () => {
      const seen = await scoped({ statement: 1_234 }, () =>
        engine().transaction(async (outer) => {
          const inner = await outer.transaction(timeoutIn);
          const failed = outer.transaction(() => Promise.reject(new Error('inner')));
          await expect(failed).rejects.toThrow('inner');
          return [inner, await timeoutIn(outer)];
        }),
      );
      expect(seen).toEqual([1_234, 1_234]);
    });

    it('Q03 never reaches the next user of the connection', async () => {
      await scoped({ statement: 1_234 }, async () => {
        await engine().transaction(timeoutIn);
        const failed = engine().transaction(() => Promise.reject(new Error('undone')));
        await expect(failed).rejects.toThrow('undone');
        await timeoutIn(engine());
        await timeoutWithValues(engine());
      });
      expect(await timeoutIn(engine())).toBe(0);
      expect(await engine().transaction(timeoutIn)).toBe(0);
    });

    it('Q01 brings a limit for when this process hangs', async () => {
      const name =
        server.version >= 17 ? 'transaction_timeout' : 'idle_in_transaction_session_timeout';
      const sql = 'SELECT setting::integer AS ms FROM pg_settings WHERE name = $1';
      const [row] = await scoped({ budget: '30s' }, () =>
        engine().transaction((manager) => manager.query(sql, [name])),
      );
      expect(row.ms).toBeGreaterThan(30_000);
      expect(row.ms).toBeLessThanOrEqual(31_000);
    });
  });

  describe('outside transactions', () => {
    it.each([
      ['with values', timeoutWithValues],
      ['without', timeoutIn],
    ])('Q05 limits a query %s, and that one only', async (_, read) => {
      const run = () => read(engine());
      expect(await scoped({ statement: 1_234 }, run)).toBe(1_234);
      expect(await scoped({ budget: '30s' }, run)).toBeGreaterThan(29_000);
      expect(await scoped({ statement: 1_234 }, run)).toBe(1_234);
      expect(await run()).toBe(0);
    });

    it('Q05 limits find, QueryBuilder and a QueryRunner of your own', async () => {
      const found = await scoped({ statement: 1_234 }, async () => {
        const runner: QueryRunner = engine().createQueryRunner();
        try {
          const own = await timeoutIn(runner);
          const built = engine()
            .createQueryBuilder()
            .select('setting', 'ms')
            .from('pg_settings', 's')
            .where('s.name = :name', { name: 'statement_timeout' });
          await runner.release();
          return [own, Number((await built.getRawOne<{ ms: string }>())!.ms)];
        } finally {
          await runner.release();
        }
      });
      expect(found).toEqual([1_234, 1_234]);
    });

    it.each([
      ['VACUUM', 'VACUUM pg_class'],
      ['CREATE INDEX CONCURRENTLY', 'CREATE INDEX CONCURRENTLY ON kept (n)'],
      ['several statements', 'SELECT 1; COMMIT'],
      ['SHOW', 'SHOW statement_timeout'],
      ['DO', 'DO $$ BEGIN NULL; END $$'],
    ])('Q05 sends %s as it is', async (_, sql) => {
      await postgres.query('CREATE TABLE IF NOT EXISTS kept (n integer)');
      await scoped({ budget: '30s' }, () => engine().query(sql));
      expect(await timeoutIn(engine())).toBe(0);
    });
  });

  it('Q01 never loosens a limit that the session has of its own', async () => {
    const options = {
      type: 'postgres',
      url: postgres.url,
      extra: { statement_timeout: 777 },
    } as const;
    const strict = await new DataSource(withDeadlines(options)).initialize();
    try {
      const seen = await scoped({ budget: '30s' }, async () => [
        await strict.transaction(timeoutIn),
        await timeoutIn(strict),
        await timeoutWithValues(strict),
      ]);
      expect(seen).toEqual([777, 777, 777]);
      expect(await scoped({ statement: 333 }, () => strict.transaction(timeoutIn))).toBe(333);
    } finally {
      await strict.destroy();
    }
  });

  it('Q05 limits the connections of replicas', async () => {
    const replica = { url: postgres.url };
    const replicated = await new DataSource(
      withDeadlines({ type: 'postgres', replication: { master: replica, slaves: [replica] } }),
    ).initialize();
    try {
      const reader = () => replicated.createQueryRunner('slave');
      const ms = await scoped({ statement: 1_234 }, async () => {
        const runner = reader();
        return timeoutWithValues(runner).finally(() => runner.release());
      });
      expect(ms).toBe(1_234);
    } finally {
      await replicated.destroy();
    }
  });
});

it('Q12 leaves the options of other databases as they are', () => {
  const options = { type: 'better-sqlite3', database: ':memory:' } as const;
  expect(withDeadlines(options)).toBe(options);
});

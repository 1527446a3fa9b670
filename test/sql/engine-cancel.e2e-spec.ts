import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { isCancelled, shield, withDeadline } from 'nestjs-timeouts';
import { eventually } from '../support/eventually.js';
import { ENGINE, failureOf, poolOf, useEngine, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

const SLEEPS: [string, (source: DataSource) => Promise<unknown>][] = [
  ['a query', (source) => source.query('SELECT pg_sleep(20)')],
  ['a query with values', (source) => source.query('SELECT pg_sleep($1)', [20])],
  ['a transaction', (source) => source.transaction((tx) => tx.query('SELECT pg_sleep(20)'))],
  [
    'a nested transaction',
    (source) =>
      source.transaction((tx) => tx.transaction((in2) => in2.query('SELECT pg_sleep(20)'))),
  ],
  ['other statements', (source) => source.query('DO $$ BEGIN PERFORM pg_sleep(20); END $$')],
  [
    'QueryBuilder',
    (source) => source.createQueryBuilder().select('pg_sleep(20)').from('pg_am', 'a').getRawMany(),
  ],
  [
    'a QueryRunner of your own',
    async (source) => {
      const runner = source.createQueryRunner();
      return runner.query('SELECT pg_sleep(20)').finally(() => runner.release());
    },
  ],
];

describe.each(servers)('cancelling on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  const engine = useEngine(postgres, { poolSize: 4 });

  const isWhole = async () => {
    await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
    await expect(engine().query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await eventually(() => poolOf(engine()).stats.gatesHeld === 0);
  };

  describe.each(SLEEPS)('%s', (_, sleep) => {
    it('Q05 ends with a client that leaves', async () => {
      const work = new Work();
      const failure = failureOf(work.run(() => sleep(engine())));
      await postgres.until(ENGINE, 1, ACTIVE);
      work.scope.cancel('disconnect');
      expect(await failure).toMatchObject({ reason: 'disconnect' });
      await isWhole();
    });

    it('Q05 ends with the deadline', async () => {
      const start = performance.now();
      const failure = await failureOf(scoped({ budget: 150 }, () => sleep(engine())));
      expect(failure).toMatchObject({ reason: 'deadline' });
      await isWhole();
      expect(performance.now() - start).toBeLessThan(5_000);
    });
  });

  it('Q05 rejects the query itself with the error of the scope, at once', async () => {
    const work = new Work();
    let failure!: Promise<Error>;
    void work
      .run(() => (failure = failureOf(engine().query('SELECT pg_sleep(20)'))))
      .catch(() => 0);
    await postgres.until(ENGINE, 1, ACTIVE);
    work.scope.cancel('explicit', 'enough');
    const { driverError } = (await failure) as Error & { driverError: unknown };
    expect(driverError).toBe(work.scope.error);
    expect(isCancelled(driverError)).toBe(true);
    await isWhole();
  });

  it('Q05 keeps the connections of what was cancelled', async () => {
    const before = await postgres.query<{ pid: number }>(PIDS, [ENGINE]);
    const failures = await Promise.all(
      Array.from({ length: 4 }, () =>
        failureOf(scoped({ budget: 100 }, () => engine().query('SELECT pg_sleep(20)'))),
      ),
    );
    expect(failures).toHaveLength(4);
    await isWhole();
    const after = (await postgres.query<{ pid: number }>(PIDS, [ENGINE])).map(({ pid }) => pid);
    expect(after).toEqual(expect.arrayContaining(before.map(({ pid }) => pid)));
    expect(poolOf(engine()).stats.dropped).toBe(0);
  });

  it('Q05 ends the inner block of a transaction, and the outer one goes on', async () => {
    const seen = await scoped({ budget: '30s' }, () =>
      engine().transaction(async (outer) => {
        const inner = () => outer.transaction((tx) => tx.query('SELECT pg_sleep(20)'));
        const failure = await failureOf(withDeadline(100, inner));
        await postgres.until(ENGINE, 0, ACTIVE);
        return [failure.name, await outer.query('SELECT 1 AS one')];
      }),
    );
    expect(seen).toEqual(['DeadlineExceededError', [{ one: 1 }]]);
    await isWhole();
  });

  it('Q05 ends all queries of a transaction that run side by side', async () => {
    const faults: unknown[] = [];
    for (let round = 0; round < 25; round++) {
      const work = new Work();
      const run = work.run(() =>
        engine().transaction((tx) =>
          Promise.all([1, 2, 3].map((n) => tx.query('SELECT pg_sleep(0.002 * $1)', [n]))),
        ),
      );
      setTimeout(() => work.scope.cancel('disconnect'), (round % 10) * 1.5);
      await run.catch((error) => error === work.scope.error || faults.push(error));
    }
    expect(faults).toEqual([]);
    await isWhole();
  });

  it('Q05 does not touch the wire for a scope that is over', async () => {
    const runner = engine().createQueryRunner();
    const work = new Work();
    let refused!: Promise<unknown>;
    const run = work.run(async () => {
      await runner.query('CREATE TEMP TABLE touched (n integer)');
      work.scope.cancel('disconnect');
      refused = failureOf(runner.query('INSERT INTO touched VALUES (1)'));
      await refused;
    });
    expect(await failureOf(run)).toBe(work.scope.error);
    expect(await refused).toMatchObject({ driverError: work.scope.error });
    expect(await runner.query('SELECT count(*) FROM touched')).toEqual([{ count: '0' }]);
    await runner.query('DROP TABLE touched');
    await runner.release();
    await isWhole();
  });

  it('Q05 lets cleanup go on after the cancel, with its own limit', async () => {
    const work = new Work();
    let cleanup: unknown;
    let isCleaned!: () => void;
    const cleaned = new Promise<void>((resolve) => (isCleaned = resolve));
    const run = work.run(async () => {
      try {
        await engine().query('SELECT pg_sleep(20)');
      } catch {
        cleanup = await shield('5s', () =>
          engine().transaction((tx) => tx.query('SELECT 2 AS two')),
        );
        isCleaned();
      }
    });
    await postgres.until(ENGINE, 1, ACTIVE);
    work.scope.cancel('disconnect');
    expect(await failureOf(run)).toBe(work.scope.error);
    await cleaned;
    expect(cleanup).toEqual([{ two: 2 }]);
    const late = failureOf(shield(100, () => engine().query('SELECT pg_sleep(20)')));
    expect(await late).toMatchObject({ reason: 'deadline' });
    await isWhole();
  });
});

const PIDS = 'SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid';

import { describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { connect, ENGINE, failureOf, poolOf, useEngine, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';
import { Wire } from './fixtures/wire.js';

const SLOW_COMMIT = `
  CREATE TABLE kept (n integer);
  CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
  CREATE TABLE slow (n integer);
  CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow();`;

describe.each(servers)('the end of a transaction on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  const engine = useEngine(postgres, { poolSize: 2 });
  const rows = async (table: string) =>
    (await postgres.query<{ n: number }>(`SELECT n FROM ${table} ORDER BY n`)).map(({ n }) => n);
  const isWhole = () => postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);

  it('Q09 never cancels a COMMIT that was sent', async () => {
    await postgres.query(SLOW_COMMIT);
    const work = new Work();
    let done!: Promise<unknown>;
    const run = work.run(() => {
      done = engine().transaction((tx) => tx.query('INSERT INTO slow VALUES (1)'));
      return done;
    });
    await eventuallyCommits();
    const before = poolOf(engine()).stats.cancelsSent;
    work.scope.cancel('disconnect');
    expect(await failureOf(run)).toBe(work.scope.error);
    await expect(done).resolves.toEqual([]);
    expect(await rows('slow')).toEqual([1]);
    expect(poolOf(engine()).stats.cancelsSent).toBe(before);
  });

  async function eventuallyCommits(): Promise<void> {
    for (;;) {
      const [found] = await postgres.query<{ n: number }>(
        `SELECT count(*)::integer AS n FROM pg_stat_activity
         WHERE application_name = $1 AND query = 'COMMIT' AND state = 'active'`,
        [ENGINE],
      );
      if (found!.n === 1) return;
    }
  }

  it('Q09 refuses a COMMIT after the cancel, and undoes the work', async () => {
    const work = new Work();
    let failure!: Promise<Error>;
    const run = work.run(() => {
      const insert = engine().transaction(async (tx) => {
        await tx.query('INSERT INTO kept VALUES (2)');
        work.scope.cancel('disconnect');
      });
      failure = failureOf(insert);
      return failure;
    });
    await failureOf(run);
    expect(await failure).toMatchObject({ driverError: work.scope.error });
    await isWhole();
    expect(await rows('kept')).toEqual([]);
  });

  it('Q09 releases no savepoint after the cancel', async () => {
    const work = new Work();
    const run = work.run(() =>
      engine().transaction((outer) =>
        outer.transaction(async (inner) => {
          await inner.query('INSERT INTO kept VALUES (3)');
          work.scope.cancel('disconnect');
        }),
      ),
    );
    expect(await failureOf(run)).toBe(work.scope.error);
    await isWhole();
    expect(await rows('kept')).toEqual([]);
  });

  it('Q09 never cancels a ROLLBACK, and always sends it', async () => {
    const wire = await Wire.open(postgres.url, { delayMs: 15 });
    const source = await connect(wire.url, { poolSize: 1 });
    const work = new Work();
    const run = work.run(() =>
      source.transaction(async (tx) => {
        await tx.query('INSERT INTO kept VALUES (4)');
        setTimeout(() => work.scope.cancel('disconnect'), 5);
        throw new Error('undo');
      }),
    );
    expect(await failureOf(run)).toBe(work.scope.error);
    await isWhole();
    await expect(source.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    expect(wire.cancels).toBe(0);
    expect(poolOf(source).stats.dropped).toBe(0);
    expect(await rows('kept')).toEqual([]);
    await source.destroy();
    await wire.close();
  });

  it('Q03 hands on no connection that was left in a transaction', async () => {
    const { stats } = poolOf(engine());
    const before = stats.dropped;
    await scoped({ budget: '30s' }, async () => {
      const runner = engine().createQueryRunner();
      await runner.query('START TRANSACTION');
      await runner.query('INSERT INTO kept VALUES (5)');
      await runner.release();
    });
    await isWhole();
    expect(stats.dropped).toBe(before + 1);
    expect(await rows('kept')).toEqual([]);
    await engine().query('INSERT INTO kept VALUES (6)');
    expect(await rows('kept')).toEqual([6]);
  });
});

describe.each(servers)('fifty at once on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);

  it.each([50, 10])(
    'Q07 leave nothing behind in a pool of %i',
    async (poolSize) => {
      const source = await connect(postgres.url, { poolSize });
      const sleep = (n: number) =>
        n % 2 === 0
          ? source.query('SELECT pg_sleep(10)')
          : source.transaction((tx) => tx.query('SELECT pg_sleep($1)', [10]));
      const takenMs: number[] = [];
      for (let round = 0; round < 3; round++) {
        const work = new Work();
        const all = work.run(() => Promise.all(Array.from({ length: 50 }, (_, n) => sleep(n))));
        const failure = failureOf(all);
        await postgres.until(ENGINE, poolSize, ACTIVE);
        const start = performance.now();
        work.scope.cancel('disconnect');
        await failure;
        await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
        takenMs.push(performance.now() - start);
      }
      expect(Math.min(...takenMs)).toBeLessThan(250);
      const pool = poolOf(source);
      expect(pool).toMatchObject({ totalCount: poolSize, waitingCount: 0 });
      await eventually(() => pool.stats.gatesHeld === 0);
      expect(pool.stats).toMatchObject({ dropped: 0, waiting: 0 });
      const follow = Array.from({ length: 200 }, () => source.query('SELECT 1 AS one'));
      expect(await Promise.all(follow)).toEqual(follow.map(() => [{ one: 1 }]));
      await source.destroy();
    },
    30_000,
  );
});

import { describe, expect, it } from '@jest/globals';
import type { DataSource, QueryFailedError } from 'typeorm';
import { limitBehind } from '../../libs/timeouts/src/core/limit-errors.js';
import { connect, ENGINE, failureOf, poolOf, useEngine } from './fixtures/engine.js';
import { ACTIVE, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

type Sleep = (source: DataSource) => Promise<unknown>;

const TOLD_TO_SERVER: [string, Sleep][] = [
  ['a query', (source) => source.query('SELECT pg_sleep(20)')],
  ['a query with values', (source) => source.query('SELECT pg_sleep($1)', [20])],
  ['a transaction', (source) => source.transaction((tx) => tx.query('SELECT pg_sleep(20)'))],
];
const WATCHED_HERE: [string, Sleep] = [
  'a statement that the server is not told of',
  (source) => source.query('DO $$ BEGIN PERFORM pg_sleep(20); END $$'),
];

describe.each(servers)('why a statement failed on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  const engine = useEngine(postgres, { poolSize: 2 });

  it.each([...TOLD_TO_SERVER, WATCHED_HERE])(
    'Q10 is the statement limit where that was reached: %s',
    async (_, sleep) => {
      const failure = await scoped({ budget: '30s', statement: 80 }, () =>
        failureOf(sleep(engine())),
      );
      const limit = limitBehind(failure);
      expect(limit).toMatchObject({ layer: 'statement', code: 'statement_timeout', timeoutMs: 80 });
      expect(limit!.elapsedMs).toBeGreaterThanOrEqual(79);
      expect(failure.name).toBe('QueryFailedError');
      await postgres.until(ENGINE, 0, ACTIVE);
      await expect(engine().query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    },
  );

  it.each(TOLD_TO_SERVER)('Q10 is the deadline where that was the limit: %s', async (_, sleep) => {
    let failure!: Promise<Error>;
    const run = scoped({ budget: 80, statement: '10s' }, () => {
      failure = failureOf(sleep(engine()));
      return failure;
    });
    await failureOf(run);
    const { driverError } = (await failure) as QueryFailedError;
    expect(driverError).toMatchObject({ reason: 'deadline', timeoutMs: 80 });
  });

  it('Q10 is not ours where somebody else cancelled it', async () => {
    const run = scoped({ budget: '30s', statement: '20s' }, () =>
      failureOf(engine().query('SELECT pg_sleep($1)', [20])),
    );
    await postgres.until(ENGINE, 1, ACTIVE);
    await postgres.query(
      `SELECT pg_cancel_backend(pid) FROM pg_stat_activity
       WHERE application_name = $1 AND state = 'active'`,
      [ENGINE],
    );
    const failure = await run;
    expect(failure).toMatchObject({ code: '57014' });
    expect(limitBehind(failure)).toBeUndefined();
  });

  it('Q10 is not ours where the user has set a limit', async () => {
    const failure = await scoped({ budget: '30s', statement: '20s' }, () =>
      failureOf(
        engine().transaction(async (tx) => {
          await tx.query('SET LOCAL statement_timeout = 50');
          await tx.query('SELECT pg_sleep(20)');
        }),
      ),
    );
    expect(failure).toMatchObject({ code: '57014' });
    expect(limitBehind(failure)).toBeUndefined();
  });

  it('Q10 keeps the place of a fault in the text', async () => {
    const sql = 'SELECT 1 FROM nowhere';
    const plain = await failureOf(engine().query(sql));
    const limited = await scoped({ budget: '30s' }, () => failureOf(engine().query(sql)));
    expect(limited).toMatchObject({ ...plain });
  });

  it('Q10 is the lock where that was waited for too long, in a transaction or not', async () => {
    const source = await connect(postgres.url, { poolSize: 2 }, { lock: 60 });
    await source.query('CREATE TABLE locked AS SELECT 1 AS n');
    const holder = await poolOf(source).connect();
    await holder.query('BEGIN; LOCK TABLE locked');
    for (const work of [
      () => source.query('SELECT n FROM locked'),
      () => source.query('SELECT n FROM locked WHERE n = $1', [1]),
      () => source.transaction((tx) => tx.query('SELECT n FROM locked')),
    ]) {
      const failure = await scoped({ budget: '30s' }, () => failureOf(work()));
      expect(failure).toMatchObject({ code: '55P03' });
      expect(limitBehind(failure)).toMatchObject({ code: 'lock_timeout', overloaded: true });
    }
    await holder.query('ROLLBACK');
    holder.release();
    await source.query('DROP TABLE locked');
    await source.destroy();
  });

  it('Q10 prepares again where the server has forgotten', async () => {
    const source = await connect(postgres.url, { poolSize: 1 });
    const one = () =>
      scoped({ budget: '30s' }, () => source.query('SELECT $1::integer AS one', [1]));
    await expect(one()).resolves.toEqual([{ one: 1 }]);
    await source.query('DISCARD ALL');
    await expect(one()).resolves.toEqual([{ one: 1 }]);
    await expect(one()).resolves.toEqual([{ one: 1 }]);
    await source.destroy();
  });
});

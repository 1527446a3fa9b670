import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { Submittable } from 'pg';
import type { DataSource } from 'typeorm';
import { eventually } from '../support/eventually.js';
import { ENGINE, failureOf, poolOf, useEngine, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

interface TestCursor extends Submittable {
  read(rows: number): Promise<unknown[]>;
}

/** It has no types. */
const Cursor = createRequire(import.meta.url)('pg-cursor') as new (sql: string) => TestCursor;

/** Rows that come at once, then none for a long time. */
const SLOW = 'SELECT n, CASE WHEN n > 150 THEN pg_sleep(20) END FROM generate_series(1, 1000) n';
const FAST = 'SELECT n FROM generate_series(1, 100000) n';

const build = (source: DataSource, from: string): Promise<Readable> =>
  source.createQueryBuilder().select('*').from(`(${from})`, 's').stream() as Promise<Readable>;

describe.each(servers)('streams on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  const engine = useEngine(postgres, { poolSize: 1 });

  const isWhole = async () => {
    const pool = poolOf(engine());
    await eventually(() => pool.idleCount === 1, 'the connection comes back');
    await expect(engine().query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    expect(await postgres.count(ENGINE, ACTIVE, ...IN_TRANSACTION)).toBe(0);
    expect(pool.stats.dropped).toBe(0);
  };

  it('Q05 gives all rows of one that is in time', async () => {
    const rows = await scoped({ budget: '30s' }, async () => {
      let count = 0;
      for await (const row of await build(engine(), FAST)) if (row) count++;
      return count;
    });
    expect(rows).toBe(100_000);
    await isWhole();
  });

  it.each([
    ['while the server works on its rows', SLOW, 100],
    ['while nobody reads', FAST, 1],
  ])('Q05 ends one with its scope: %s', async (_, sql, rows) => {
    const work = new Work();
    let failure!: Promise<unknown>;
    const run = work.run(async () => {
      const stream = await build(engine(), sql);
      failure = once(stream, 'error').then(([error]) => error);
      let count = 0;
      stream.on('data', () => {
        if (++count === rows) {
          if (sql === FAST) stream.pause();
          setTimeout(() => work.scope.cancel('disconnect'), 30);
        }
      });
      await once(stream, 'close');
    });
    expect(await failureOf(run)).toBe(work.scope.error);
    expect(await failure).toBe(work.scope.error);
    await isWhole();
  });

  it('Q05 ends one of a QueryRunner at the deadline, in a transaction', async () => {
    const runner = engine().createQueryRunner();
    const work = new Work(100);
    const run = work.run(async () => {
      await runner.startTransaction();
      for await (const row of await runner.stream(SLOW)) if (row) await turn();
    });
    expect(await failureOf(run)).toMatchObject({ reason: 'deadline' });
    await runner.rollbackTransaction();
    await runner.release();
    await isWhole();
  });

  it('Q05 starts none for a scope that is over', async () => {
    const work = new Work();
    const run = work.run(async () => {
      const runner = engine().createQueryRunner();
      await runner.connect();
      work.scope.cancel('disconnect');
      const stream = await runner.stream(FAST);
      const [error] = (await once(stream, 'error')) as [Error];
      await runner.release();
      throw error;
    });
    expect(await failureOf(run)).toBe(work.scope.error);
    await isWhole();
  });

  it.each([
    ['in a scope', true],
    ['outside any', false],
  ])('Q05 gives the connection back when one is destroyed early, %s', async (_, isScoped) => {
    const useSome = async () => {
      for await (const row of await build(engine(), FAST)) if ((row as { n: number }).n > 5) break;
      const stream = await build(engine(), FAST);
      stream.destroy();
      const noted = await build(engine(), FAST);
      noted.once('error', () => {}).destroy(new Error('enough'));
    };
    const used = isScoped ? scoped({ budget: '30s' }, useSome) : useSome();
    await expect(used).resolves.toBeUndefined();
    await isWhole();
  });

  it.each([
    ['while the server works', SLOW],
    ['between two reads', FAST],
  ])('Q05 ends a cursor with its scope: %s', async (_, sql) => {
    const work = new Work();
    const client = await poolOf(engine()).connect();
    let failure!: Promise<Error>;
    const run = work.run(async () => {
      const cursor = client.query(new Cursor(sql));
      await cursor.read(10);
      if (sql === SLOW) failure = failureOf(cursor.read(200));
      setTimeout(() => {
        work.scope.cancel('disconnect');
        if (sql === FAST) failure = failureOf(cursor.read(1));
      }, 20);
      await once(client.connection, 'end');
    });
    expect(await failureOf(run)).toBe(work.scope.error);
    expect(await failure).toBe(work.scope.error);
    client.release();
    await isWhole();
  });
});

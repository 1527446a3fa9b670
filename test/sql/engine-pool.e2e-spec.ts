import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import { PoolWaitTimeoutError } from 'nestjs-timeouts';
import { DataSource as AnyDataSource } from 'typeorm';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { eventually } from '../support/eventually.js';
import type { TestPool } from './fixtures/engine.js';
import { connect, failureOf, poolOf, Work } from './fixtures/engine.js';
import { usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';

describe('waiting for a connection', () => {
  const postgres = usePostgres();
  let engine: DataSource;
  let pool: TestPool;

  beforeAll(async () => {
    engine = await connect(postgres.url, { poolSize: 2 }, { poolWait: '5s' });
    pool = poolOf(engine);
  });
  afterAll(() => engine.destroy());

  async function whileTaken<T>(fn: () => Promise<T>): Promise<T> {
    const taken = [await pool.connect(), await pool.connect()];
    try {
      return await fn();
    } finally {
      for (const client of taken) client.release();
    }
  }

  const isWhole = async () => {
    const clients = await Promise.all([pool.connect(), pool.connect()]);
    for (const client of clients) client.release();
    expect(pool).toMatchObject({ totalCount: 2, idleCount: 2, waitingCount: 0 });
    expect(pool.stats.waiting).toBe(0);
  };

  it('Q06 ends at the budget, and blames the pool', async () => {
    const failure = await whileTaken(() =>
      failureOf(scoped({ budget: 100 }, () => engine.query('SELECT 1'))),
    );
    expect(failure).toMatchObject({ code: 'pool_timeout', layer: 'pool', reason: 'deadline' });
    expect(failure.message).toBe('No database connection was free within 100ms');
    await isWhole();
  });

  it('Q06 tells the caller itself', async () => {
    let told!: Promise<Error>;
    await whileTaken(() =>
      failureOf(scoped({ budget: 100 }, () => (told = failureOf(engine.query('SELECT 1'))))),
    );
    const failure = await told;
    expect(failure).toBeInstanceOf(PoolWaitTimeoutError);
    expect(failure).toMatchObject({ layer: 'pool', overloaded: false });
  });

  it('Q06 ends with a client that leaves', async () => {
    const work = new Work();
    await whileTaken(async () => {
      const failure = failureOf(work.run(() => engine.query('SELECT 1')));
      expect(pool.waitingCount).toBe(1);
      work.scope.cancel('disconnect');
      expect(await failure).toBe(work.scope.error);
      expect(pool.waitingCount).toBe(0);
    });
    await isWhole();
  });

  it('Q06 asks for no connection when the scope is over', async () => {
    const work = new Work();
    const before = pool.stats.waits;
    await whileTaken(() =>
      failureOf(
        work.run(() => {
          work.scope.cancel('disconnect');
          return engine.query('SELECT 1');
        }),
      ),
    );
    expect(pool.stats.waits).toBe(before);
  });

  it('Q06 ends at a shorter limit of the pool, while the scope goes on', async () => {
    const capped = await connect(postgres.url, { poolSize: 1 }, { poolWait: 50 });
    const taken = await poolOf(capped).connect();
    const [failure, isOver] = await scoped({ budget: '30s' }, async () => [
      await failureOf(capped.query('SELECT 1')),
      false,
    ]);
    expect(failure).toBeInstanceOf(PoolWaitTimeoutError);
    expect(failure).toMatchObject({ layer: 'pool', overloaded: true, timeoutMs: 50 });
    expect(isOver).toBe(false);
    taken.release();
    await capped.destroy();
  });

  it('Q06 stays healthy after 20,000 that gave up', async () => {
    const work = new Work();
    const before = pool.stats.abandoned;
    await whileTaken(async () => {
      const waits = work.run(() =>
        Promise.allSettled(Array.from({ length: 20_000 }, () => engine.query('SELECT 1'))),
      );
      await eventually(() => pool.waitingCount === 20_000, 'all of them waiting');
      const started = performance.now();
      work.scope.cancel('disconnect');
      await failureOf(waits);
      expect(pool.waitingCount).toBe(0);
      expect(performance.now() - started).toBeLessThan(2_000);
    });
    expect(pool.stats.abandoned - before).toBe(20_000);
    const started = performance.now();
    await expect(engine.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    expect(performance.now() - started).toBeLessThan(500);
    await isWhole();
  });

  it('Q06 serves those that wait in the order they came', async () => {
    const order: number[] = [];
    const taken = [await pool.connect(), await pool.connect()];
    const lines = [1, 2, 3, 4].map(async (n) => {
      const client = await pool.connect();
      order.push(n);
      client.release();
    });
    for (const client of taken) client.release();
    await Promise.all(lines);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(pool.stats.waitedMs).toBeGreaterThan(0);
  });

  it('Q06 counts right through broken releases and abandoned waits', async () => {
    const faults: unknown[] = [];
    const open = new Set<PoolClient>();
    let most = 0;
    const one = async (n: number) => {
      const work = new Work();
      if (n % 3 === 0) setTimeout(() => work.scope.cancel('disconnect'), n % 7);
      const use = async () => {
        const client = await pool.connect();
        most = Math.max(most, open.add(client).size);
        await client.query('SELECT 1').catch(() => undefined);
        open.delete(client);
        client.release(n % 11 === 0);
      };
      await work.run(use).catch((error) => error === work.scope.error || faults.push(error));
    };
    await Promise.all(Array.from({ length: 600 }, (_, n) => one(n)));
    await eventually(() => open.size === 0 && pool.waitingCount === 0);
    expect(faults).toEqual([]);
    expect(most).toBeLessThanOrEqual(2);
    await isWhole();
  });

  it('Q13 runs a query of nobody outside the scope of whoever makes room for it', async () => {
    const seen = await whileTaken(async () => {
      const waiting = new Promise((resolve, reject) => {
        pool.query('SELECT pg_sleep(0.1)', (error: Error) => (error ? reject(error) : resolve(1)));
      });
      const work = new Work();
      await work.run(() => Promise.resolve());
      return [waiting];
    });
    await expect(seen[0]).resolves.toBe(1);
  });

  it('Q13 keeps the limit that pg itself has for waiting', async () => {
    const limited = await connect(postgres.url, { poolSize: 1, connectTimeoutMS: 60 });
    const taken = await poolOf(limited).connect();
    await expect(limited.query('SELECT 1')).rejects.toThrow(
      'timeout exceeded when trying to connect',
    );
    taken.release();
    await expect(limited.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await limited.destroy();
  });

  it('Q13 refuses a second release, as pg does', async () => {
    const client = await pool.connect();
    client.release();
    expect(() => client.release()).toThrow('already been released');
    await isWhole();
  });

  it('Q15 tells those who wait that the pool is going', async () => {
    const going = await connect(postgres.url, { poolSize: 1 });
    const taken = await poolOf(going).connect();
    const failure = failureOf(going.query('SELECT 1'));
    const destroyed = going.destroy();
    expect((await failure).message).toContain('after calling end on the pool');
    taken.release();
    await destroyed;
  });
});

describe('a server that does not answer', () => {
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => sockets.add(socket));
  beforeAll(() => new Promise<void>((resolve) => void silent.listen(0, '127.0.0.1', resolve)));
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('Q06 bounds the connecting too', async () => {
    const { port } = silent.address() as AddressInfo;
    const options = { type: 'postgres', host: '127.0.0.1', port, username: 'u' } as const;
    const { driver } = new AnyDataSource(withDeadlines(options)).options as {
      driver: { Pool: new (options: object) => TestPool; Client: typeof Client };
    };
    expect(driver.Client.prototype).toBeInstanceOf(Client);
    const pool = new driver.Pool({ host: '127.0.0.1', port, user: 'u', max: 1 });
    const failure = await failureOf(scoped({ budget: 100 }, () => pool.connect()));
    expect(failure).toMatchObject({ layer: 'pool', reason: 'deadline' });
    const next = failureOf(scoped({ budget: 100 }, () => pool.connect()));
    expect(await next).toMatchObject({ layer: 'pool' });
    for (const socket of sockets) socket.destroy();
    await eventually(() => pool.totalCount === 0);
    await pool.end();
  });
});

import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { PoolStats } from 'nestjs-timeouts/typeorm';
import { eventually } from '../support/eventually.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import type { EngineOptions } from './fixtures/engine.js';
import { connect, ENGINE, failureOf, poolOf, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';
import { Wire } from './fixtures/wire.js';

const ONE_CANCEL = { cancelsSent: 1, dropped: 0 };

describe.each(servers)('the way to PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);

  async function cancelsOver(options: EngineOptions, url = postgres.url): Promise<PoolStats> {
    const source = await connect(url, { poolSize: 2, ...options });
    const { stats } = poolOf(source);
    const work = new Work();
    const failure = failureOf(work.run(() => source.query('SELECT pg_sleep($1)', [20])));
    await postgres.until(ENGINE, 1, ACTIVE);
    work.scope.cancel('disconnect');
    expect(await failure).toBe(work.scope.error);
    await postgres.until(ENGINE, 0, ACTIVE);
    await expect(source.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await source.destroy();
    return stats;
  }

  it('Q14 may be a unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'engine-'));
    const { hostname, port } = new URL(postgres.url);
    const door = createServer((near) => {
      const far = connectSocket(Number(port), hostname);
      near.pipe(far).pipe(near);
      near.on('error', () => far.destroy());
      far.on('error', () => near.destroy());
    });
    door.listen(join(folder, '.s.PGSQL.5432'));
    await once(door, 'listening');
    const socket = { url: undefined, host: folder, username: 'postgres', database: 'postgres' };
    expect(await cancelsOver(socket as EngineOptions)).toMatchObject(ONE_CANCEL);
    door.close();
    rmSync(folder, { recursive: true });
  });

  it('Q14 may be TLS only', async () => {
    const [{ data_directory: folder }] = (await postgres.query('SHOW data_directory')) as [
      { data_directory: string },
    ];
    const { uid, gid } = statSync(folder);
    const put = (name: string, text: string, mode: number) => {
      const path = join(folder, name);
      writeFileSync(path, text, { mode });
      chownSync(path, uid, gid);
    };
    put('server.key', SELF_SIGNED.key, 0o600);
    put('server.crt', SELF_SIGNED.cert, 0o600);
    await postgres.query('ALTER SYSTEM SET ssl = on');
    put('pg_hba.conf', 'hostssl all all 127.0.0.1/32 trust\n', 0o600);
    await postgres.query('SELECT pg_reload_conf()');
    const url = postgres.url.replace('127.0.0.1', 'localhost');
    const refused = await failureOf(connect(url));
    expect(refused.message).toMatch(/pg_hba|no encryption/);
    const stats = await cancelsOver({ ssl: { ca: SELF_SIGNED.cert } }, url);
    expect(stats).toMatchObject(ONE_CANCEL);
    put('pg_hba.conf', 'host all all 127.0.0.1/32 trust\n', 0o600);
    await postgres.query('SELECT pg_reload_conf()');
  });

  it('Q14 may end at a backend that is frozen', async () => {
    const source = await connect(postgres.url, { poolSize: 1 }, { cancelGrace: 200 });
    const work = new Work();
    const failure = failureOf(work.run(() => source.query('SELECT pg_sleep($1)', [20])));
    await postgres.until(ENGINE, 1, ACTIVE);
    const [found] = await postgres.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`,
      [ENGINE],
    );
    process.kill(found!.pid, 'SIGSTOP');
    try {
      const start = performance.now();
      work.scope.cancel('disconnect');
      expect(await failure).toBe(work.scope.error);
      const answer = await scoped({ budget: '10s' }, () => source.query('SELECT 1 AS one'));
      expect(answer).toEqual([{ one: 1 }]);
      expect(performance.now() - start).toBeGreaterThan(190);
      expect(poolOf(source).stats).toMatchObject({ dropped: 1, gatesHeld: 0 });
    } finally {
      process.kill(found!.pid, 'SIGCONT');
    }
    await postgres.until(ENGINE, 0, ACTIVE);
    await source.destroy();
  });

  it('Q14 may end at a frozen backend without taking the process with it', async () => {
    const source = await connect(postgres.url, { poolSize: 1 }, { cancelGrace: 100 });
    const client = await poolOf(source).connect();
    const { pid } = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0];
    const work = new Work();
    const failure = failureOf(work.run(() => client.query('SELECT pg_sleep(20)')));
    await postgres.until(ENGINE, 1, ACTIVE);
    process.kill(pid, 'SIGSTOP');
    work.scope.cancel('disconnect');
    expect(await failure).toBe(work.scope.error);
    await new Promise<void>((resolve) => void client.once('end', resolve));
    process.kill(pid, 'SIGCONT');
    client.release();
    await expect(source.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await source.destroy();
  });

  it('Q14 may break under load, and the pool recovers', async () => {
    const wire = await Wire.open(postgres.url);
    const source = await connect(wire.url, { poolSize: 5 });
    let isOver = false;
    let answers = 0;
    const line = async (n: number) => {
      while (!isOver) {
        const work = new Work(1_000);
        if (n % 2 === 0) setTimeout(() => work.scope.cancel('disconnect'), 5 + n);
        const query = () =>
          source.transaction((tx) => tx.query('SELECT pg_sleep($1)', [0.002 * n]));
        await work.run(query).then(
          () => answers++,
          () => wait(2),
        );
      }
    };
    const lines = Array.from({ length: 12 }, (_, n) => line(n));
    for (let round = 0; round < 4; round++) {
      await wait(150);
      if (round % 2 === 0) wire.cut();
      else
        await postgres.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
          [ENGINE],
        );
    }
    const before = answers;
    await eventually(() => answers > before + 50, 'answers after all that');
    isOver = true;
    await Promise.all(lines);
    await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
    const pool = poolOf(source);
    await eventually(() => pool.idleCount === pool.totalCount && pool.waitingCount === 0);
    expect(pool.stats).toMatchObject({ gatesHeld: 0, waiting: 0 });
    const clients = await Promise.all([1, 2, 3, 4, 5].map(() => pool.connect()));
    for (const client of clients) client.release();
    await source.destroy();
    await wire.close();
  });

  it('Q14 may be slow both ways', async () => {
    const wire = await Wire.open(postgres.url, { delayMs: 40, cancelDelayMs: 30 });
    expect(await cancelsOver({}, wire.url)).toMatchObject(ONE_CANCEL);
    expect(wire.cancels).toBe(1);
    await wire.close();
  });

  it('Q14 asks again where the request overtook the query', async () => {
    const wire = await Wire.open(postgres.url, { delayMs: 80, cancelDelayMs: -80 });
    const source = await connect(wire.url, { poolSize: 1 });
    const work = new Work();
    const failure = failureOf(work.run(() => source.query('SELECT pg_sleep($1)', [20])));
    await eventually(() => poolOf(source).idleCount === 0);
    await wait(10);
    work.scope.cancel('disconnect');
    expect(await failure).toBe(work.scope.error);
    await expect(source.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    expect(wire.cancels).toBeGreaterThan(1);
    expect(poolOf(source).stats.dropped).toBe(0);
    await source.destroy();
    await wire.close();
  });
});

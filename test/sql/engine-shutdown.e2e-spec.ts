import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { connect, ENGINE, failureOf, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';

const SLEEPS: [string, (source: DataSource) => Promise<unknown>][] = [
  ['queries', (source) => source.query('SELECT pg_sleep(20)')],
  ['transactions', (source) => source.transaction((tx) => tx.query('SELECT pg_sleep($1)', [20]))],
];

describe.each(servers)('going down with work on PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);

  it.each(SLEEPS)('Q15 cancels running %s before the pool ends', async (_, sleep) => {
    const source = await connect(postgres.url, { poolSize: 3 });
    const work = new Work();
    const all = work.run(() => Promise.all([1, 2, 3, 4, 5].map(() => sleep(source))));
    const failure = failureOf(all);
    await postgres.until(ENGINE, 3, ACTIVE);
    work.root.cancel('shutdown');
    await source.destroy();
    await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
    expect(await failure).toMatchObject({ reason: 'shutdown' });
    await postgres.until(ENGINE, 0, 'idle', ACTIVE);
  });

  it('Q15 cancels what still runs where nobody was told to stop', async () => {
    const source = await connect(postgres.url, { poolSize: 3 });
    const failure = scoped({ budget: '30s' }, () =>
      failureOf(source.query('SELECT pg_sleep($1)', [20])),
    );
    await postgres.until(ENGINE, 1, ACTIVE);
    await source.destroy();
    await postgres.until(ENGINE, 0, ACTIVE);
    expect(await failure).toBeDefined();
  });
});

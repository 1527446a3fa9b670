import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';
import { connect } from './fixtures/engine.js';
import { usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';
import { servers } from './fixtures/servers.js';
import { Wire } from './fixtures/wire.js';

const WORK: [string, (source: DataSource) => Promise<unknown>][] = [
  ['a transaction', (source) => source.transaction((manager) => manager.query('SELECT 1'))],
  [
    'a transaction with values and an isolation level',
    (source) =>
      source.transaction('REPEATABLE READ', (manager) => manager.query('SELECT $1::integer', [1])),
  ],
  [
    'a nested transaction',
    (source) =>
      source.transaction((outer) => outer.transaction((inner) => inner.query('SELECT 1'))),
  ],
  ['a query', (source) => source.query('SELECT 1')],
  ['a query with values', (source) => source.query('SELECT $1::integer', [1])],
];

describe.each(servers)('round trips to PostgreSQL $version', (server) => {
  const postgres = usePostgres(server);
  let wire: Wire;
  let plain: DataSource;
  let engine: DataSource;

  beforeAll(async () => {
    wire = await Wire.open(postgres.url);
    plain = await new DataSource({ type: 'postgres', url: wire.url }).initialize();
    engine = await connect(wire.url, { poolSize: 1 });
  });
  afterAll(async () => {
    await engine.destroy();
    await plain.destroy();
    await wire.close();
  });

  it.each(WORK)('Q04 takes as many for %s as without limits', async (_, work) => {
    const expected = await wire.count(() => work(plain));
    const counts = await scoped({ budget: '30s', statement: '1s' }, async () => [
      await wire.count(() => work(engine)),
      await wire.count(() => work(engine)),
    ]);
    expect(counts).toEqual([expected, expected]);
  });

  it('Q04 says nothing to the log for setting a limit', async () => {
    const before = wire.answers.get('N') ?? 0;
    await scoped({ budget: '30s' }, async () => {
      for (const [, work] of WORK) await work(engine);
    });
    expect(wire.answers.get('N') ?? 0).toBe(before);
  });
});

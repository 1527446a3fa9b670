import { describe, expect, it } from '@jest/globals';
import pg, { Client, Pool, Query } from 'pg';
import type { QueryConfig } from 'pg';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { DataSource } from 'typeorm';
import { failureOf } from './fixtures/engine.js';
import { usePostgres } from './fixtures/postgres.js';
import { scoped } from './fixtures/scoped.js';

interface Driver {
  readonly Client: typeof Client;
  readonly Pool: typeof Pool;
}

const plain: Driver = { Client, Pool };
const driverOf = (options: object) => (options as { driver: Driver }).driver;

type Use = (client: Client) => Promise<unknown>;

const called = (start: (done: (error: Error, result: unknown) => void) => unknown) =>
  new Promise((resolve, reject) => {
    start((error, result) => (error ? reject(error) : resolve(result)));
  });

/* Every form of pg's API, with what it gives; errors count as results. */
const USES: [string, Use][] = [
  ['text', (client) => client.query('SELECT 1 AS n, now() IS NULL AS b')],
  ['values', (client) => client.query('SELECT $1::integer AS n, $2::text AS t', [1, 'é'])],
  ['a config', (client) => client.query({ text: 'SELECT $1::bigint AS n', values: [5] })],
  ['a name', (client) => client.query({ name: 'one', text: 'SELECT $1::integer', values: [1] })],
  [
    'the name again',
    async (client) => {
      const config = { name: 'two', text: 'SELECT $1::integer AS n', values: [1] };
      return [await client.query(config), await client.query({ ...config, values: [2] })];
    },
  ],
  [
    'another text of a name',
    async (client) => {
      await client.query({ name: 'three', text: 'SELECT 3' });
      return failureOf(client.query({ name: 'three', text: 'SELECT 4' }));
    },
  ],
  ['rows as arrays', (client) => client.query({ text: 'SELECT 1, 2', rowMode: 'array' })],
  [
    'pages of rows',
    (client) => client.query({ text: 'SELECT generate_series(1, 5) AS n', rows: 2 } as QueryConfig),
  ],
  ['several statements', (client) => client.query('SELECT 1 AS a; SELECT 2 AS b')],
  ['no rows', (client) => client.query('SELECT 1 WHERE false')],
  ['nothing', (client) => client.query('')],
  ['a command', (client) => client.query('CREATE TEMP TABLE t (n integer)')],
  [
    'changed rows',
    async (client) => {
      await client.query('CREATE TEMP TABLE u AS SELECT generate_series(1, 3) AS n');
      return [
        await client.query('UPDATE u SET n = n + 1'),
        await client.query('DELETE FROM u WHERE n > $1 RETURNING n', [2]),
      ];
    },
  ],
  [
    'a transaction',
    async (client) => [
      await client.query('START TRANSACTION'),
      await client.query('BEGIN ISOLATION LEVEL SERIALIZABLE').catch((error) => error),
      client.getTransactionStatus(),
      await client.query('COMMIT'),
      await client.query('begin;'),
      await client.query('select 1 as n'),
      await client.query('rollback'),
      client.getTransactionStatus(),
    ],
  ],
  ['a callback', (client) => called((done) => client.query('SELECT 1 AS n', done))],
  [
    'values and a callback',
    (client) => called((done) => client.query('SELECT $1::integer AS n', [1], done)),
  ],
  [
    'a config and a callback',
    (client) => called((done) => client.query({ text: 'SELECT 1 AS n' }, done)),
  ],
  [
    'a query object',
    (client) =>
      new Promise((resolve, reject) => {
        const rows: unknown[] = [];
        const query = client.query(new Query('SELECT generate_series(1, 3) AS n'));
        query.on('row', (row) => rows.push(row));
        query.on('error', reject);
        query.on('end', (result) => resolve([rows, result]));
      }),
  ],
  [
    'types of its own',
    (client) => {
      const types = { getTypeParser: () => (value: string) => `own ${value}` };
      return client.query({ text: 'SELECT 1 AS n', types } as unknown as QueryConfig);
    },
  ],
  [
    'queries side by side',
    (client) => Promise.all([1, 2, 3].map((n) => client.query('SELECT $1::integer AS n', [n]))),
  ],
  ['a fault in the text', (client) => failureOf(client.query('SELECT 1 FRM x'))],
  ['a fault with values', (client) => failureOf(client.query('SELECT $1::integer', ['x']))],
  [
    'values that are none',
    (client) => failureOf(client.query('SELECT 1', 'no list' as unknown as [])),
  ],
  [
    'a value that cannot be sent',
    (client) => {
      const toPostgres = () => {
        throw new Error('not this one');
      };
      return failureOf(client.query('SELECT $1', [{ toPostgres }]));
    },
  ],
  ['neither text nor name', (client) => failureOf(client.query({} as QueryConfig))],
  ['COPY', (client) => failureOf(client.query('COPY pg_am FROM STDIN'))],
  [
    'a use after the end',
    async (client) => {
      await client.end();
      return failureOf(client.query('SELECT 1'));
    },
  ],
];

/** Without what differs from one connection to the next. */
function comparable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, part: unknown) => {
      if (key.startsWith('_') || key === 'callback' || key === 'tableID') return undefined;
      return part instanceof Error ? { ...part, message: part.message, name: part.name } : part;
    }) ?? 'null',
  );
}

describe('the API of pg', () => {
  const postgres = usePostgres();
  const options = withDeadlines({ type: 'postgres' });

  async function outcome(driver: Driver, use: Use): Promise<unknown> {
    const client = new driver.Client({ connectionString: postgres.url });
    await client.connect();
    try {
      return comparable(await use(client));
    } finally {
      await client.end();
    }
  }

  it.each(USES)('Q13 is what it was outside any scope: %s', async (_, use) => {
    expect(await outcome(driverOf(options), use)).toEqual(await outcome(plain, use));
  });

  it.each(USES)('Q13 is what it was with time to spare: %s', async (_, use) => {
    const limited = scoped({ budget: '30s', statement: '20s' }, () =>
      outcome(driverOf(options), use),
    );
    expect(await limited).toEqual(await outcome(plain, use));
  });

  it('Q13 keeps a driver that was given, and the classes of its own', async () => {
    class OwnClient extends Client {}
    class OwnPool extends Pool {}
    const own = withDeadlines({
      type: 'postgres',
      url: postgres.url,
      driver: { ...pg, Client: OwnClient, Pool: OwnPool },
    });
    expect(driverOf(own).Client.prototype).toBeInstanceOf(OwnClient);
    expect(driverOf(own).Pool.prototype).toBeInstanceOf(OwnPool);
    const source = await new DataSource(own).initialize();
    await expect(source.query('SELECT 1 AS one')).resolves.toEqual([{ one: 1 }]);
    await source.destroy();
  });

  it('Q13 works on a pipelined connection', async () => {
    const source = await new DataSource(
      withDeadlines({ type: 'postgres', url: postgres.url, extra: { pipeline: true } }),
    ).initialize();
    const rows = await scoped({ budget: '30s', statement: '20s' }, () =>
      source.transaction((tx) =>
        Promise.all([1, 2, 3].map((n) => tx.query('SELECT $1::integer AS n', [n]))),
      ),
    );
    expect(rows).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }]]);
    await source.destroy();
  });
});

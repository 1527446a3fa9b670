import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule, INestApplicationContext, Provider } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { getDataSourceToken, TypeOrmModule } from '@nestjs/typeorm';
import { TimeoutsModule, TimeoutsMonitor } from 'nestjs-timeouts';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { DataSource } from 'typeorm';
import type { DataSourceOptions, EntityManager } from 'typeorm';
import { currentNode, openScope, rootOf } from '../../libs/timeouts/src/core/current-scope.js';
import { runScoped } from '../../libs/timeouts/src/core/run-scoped.js';
import { useEnvironment } from '../support/environment.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { usePostgres } from './fixtures/postgres.js';

const LIMIT = `SELECT setting::integer AS ms FROM pg_settings WHERE name = 'statement_timeout'`;
const STATEMENT = 300;

const NOT_COVERED =
  'subscriber only: transactions are limited; waiting for a connection, queries outside ' +
  'transactions and cancelling are not; use withDeadlines() from nestjs-timeouts/typeorm';

const postgres = usePostgres();

describe('data sources of an application', () => {
  const setEnvironment = useEnvironment();
  let logger = new RecordingLogger();
  let app: INestApplicationContext | undefined;

  beforeEach(() => {
    logger = new RecordingLogger();
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
  });

  async function start(
    imports: DynamicModule[],
    providers: Provider[] = [],
    options: TimeoutsModuleOptions = { statement: STATEMENT },
  ): Promise<void> {
    class TestModule {}
    const timeouts = TimeoutsModule.forRoot(options);
    Module({ imports: [timeouts, ...imports], providers })(TestModule);
    app = await NestFactory.createApplicationContext(TestModule, { logger, abortOnError: false });
  }

  const plain = (): DataSourceOptions => ({ type: 'postgres', url: postgres.url });
  const sqlite = (): DataSourceOptions => ({ type: 'sqljs', synchronize: true });
  const lines = (level: 'warn' | 'log' | 'debug') =>
    logger.at(level).filter((line) => line.startsWith('DataSource'));

  /** In the scope of some work of the application, as that of a request is. */
  const inScope = <T>(fn: () => Promise<T>): Promise<T> =>
    runScoped(openScope(rootOf(currentNode()), 'task', 'work'), fn);
  const limitOf = (source: DataSource): Promise<number> =>
    inScope(() =>
      source.transaction(async (manager: EntityManager) => {
        const [row] = (await manager.query(LIMIT)) as { ms: number }[];
        return row!.ms;
      }),
    );

  it('Q16 one the user configured without us is limited, and a line says what is not', async () => {
    await start([TypeOrmModule.forRoot(plain())]);

    expect(await limitOf(app!.get(DataSource))).toBe(STATEMENT);
    expect(lines('warn')).toEqual([`DataSource "default" (postgres): ${NOT_COVERED} Timeouts`]);
  });

  it('Q11 DB_STATEMENT_TIMEOUT_MS is the limit where nothing else is said', async () => {
    setEnvironment({ DB_STATEMENT_TIMEOUT_MS: '450' });
    await start([TypeOrmModule.forRoot(plain())], [], {});

    expect(await limitOf(app!.get(DataSource))).toBe(450);
  });

  it('Q11 a preset has a limit of its own', async () => {
    await start([TypeOrmModule.forRoot(plain())], [], { preset: 'batch' });

    expect(await limitOf(app!.get(DataSource))).toBe(300_000);
  });

  it('Q16 each of several, whatever provides it', async () => {
    const byHand = await new DataSource(plain()).initialize();
    await start(
      [
        TypeOrmModule.forRoot(plain()),
        TypeOrmModule.forRoot({ ...plain(), name: 'archive' }),
        TypeOrmModule.forRootAsync({ name: 'later', useFactory: () => plain() }),
      ],
      [
        { provide: 'REPORTS', useValue: byHand },
        { provide: 'ALIAS', useExisting: 'REPORTS' },
      ],
    );

    const names = ['archive', 'later'].map((name) => getDataSourceToken(name));
    for (const token of [DataSource, ...names, 'REPORTS']) {
      expect(await limitOf(app!.get<DataSource>(token as never))).toBe(STATEMENT);
    }
    const named = lines('warn').map((line) => /"(.*)"/.exec(line)![1]);
    expect(named.toSorted()).toEqual(['REPORTS', 'archive', 'default', 'later']);
    const { pools } = app!.get(TimeoutsMonitor).snapshot();
    expect(pools.map(({ name }) => name).toSorted()).toEqual(named.toSorted());
    await byHand.destroy();
  });

  it('Q16 one that is initialized after the application', async () => {
    await start([TypeOrmModule.forRoot({ ...plain(), manualInitialization: true })]);

    const source = await app!.get(DataSource).initialize();

    expect(await limitOf(source)).toBe(STATEMENT);
  });

  it('Q16 one that two applications share is limited once', async () => {
    const queries: string[] = [];
    const source = await new DataSource(plain()).initialize();
    const provider = { provide: DataSource, useValue: source };
    await start([], [provider]);
    const first = app!;
    await start([], [provider]);
    source.subscribers.push({ beforeQuery: ({ query }) => void queries.push(query) });

    await limitOf(source);

    expect(queries.filter((query) => query.startsWith('SET LOCAL'))).toHaveLength(1);
    await first.close();
    await source.destroy();
  });

  it.each([
    ['at once', false],
    ['later', true],
  ])(
    'Q16 with withDeadlines(), initialized %s, all is covered',
    async (_, manualInitialization) => {
      await start([TypeOrmModule.forRoot(withDeadlines({ ...plain(), manualInitialization }))]);

      expect(lines('warn')).toEqual([]);
      expect(lines('log')).toEqual([
        expect.stringMatching(
          /^DataSource "default" \(postgres\): every query ends with its scope/,
        ),
      ]);
      const source = app!.get(DataSource);
      if (manualInitialization) await source.initialize();
      expect(await limitOf(source)).toBe(STATEMENT);
    },
  );

  it.each([
    ['as it is', (options: DataSourceOptions) => options],
    ['with withDeadlines()', (options: DataSourceOptions) => withDeadlines(options)],
  ])('Q12 SQLite %s: nothing is sent, nothing fails, one debug line', async (_, prepare) => {
    const queries: string[] = [];
    await start([TypeOrmModule.forRoot(prepare(sqlite()))]);
    const source = app!.get(DataSource);
    source.subscribers.push({ beforeQuery: ({ query }) => void queries.push(query) });

    const answer = await inScope(() =>
      source.transaction((outer) =>
        outer.transaction((manager) => manager.query('SELECT 42 AS answer')),
      ),
    );

    expect(answer).toEqual([{ answer: 42 }]);
    expect(queries).toEqual([
      'BEGIN TRANSACTION',
      'SAVEPOINT typeorm_1',
      'SELECT 42 AS answer',
      'RELEASE SAVEPOINT typeorm_1',
      'COMMIT',
    ]);
    expect(lines('debug')).toEqual([
      'DataSource "default" (sqljs): statement timeouts are for PostgreSQL only Timeouts',
    ]);
    expect([...lines('warn'), ...logger.at('error', 'fatal')]).toEqual([]);
    expect(app!.get(TimeoutsMonitor).snapshot().pools).toEqual([]);
  });

  it('Q16 providers that refuse to be looked at do no harm', async () => {
    const refuse = (): never => {
      throw new Error('not now');
    };
    const shy = new Proxy({}, { get: refuse, getOwnPropertyDescriptor: refuse });
    await start([], [{ provide: 'OPTIONS', useValue: { '@instanceof': 'DataSource' } }]);
    const instances = [shy, null, 0, 'text', () => {}];

    const { coverIntegrations } = await import('../../libs/timeouts/src/integrations.js');
    const getProviders = () =>
      instances.map((instance) => ({ instance, token: 'x', isDependencyTreeStatic: () => true }));
    await coverIntegrations({ getProviders } as never, app!.get(TimeoutsMonitor), logger as never);

    expect(lines('warn')).toEqual([]);
  });
});
